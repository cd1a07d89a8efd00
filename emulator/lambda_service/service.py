"""Lambda's functions by name: finds the version that is meant, and has a pool run it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from emulator.lambda_service.concurrency import BurstRate, ConcurrencyLedger
from emulator.lambda_service.environments import INIT_LIMIT_S, ExecutionEnvironment
from emulator.lambda_service.functions import (
    LATEST,
    FunctionVersion,
    environment_variables,
    import_folders,
    is_built_for_another_python,
)
from emulator.lambda_service.invocations import (
    FunctionNotFoundError,
    Invocation,
    InvocationResult,
    TooManyRequestsError,
)
from emulator.lambda_service.logs import LogSink
from emulator.lambda_service.platform_log import PlatformLog
from emulator.lambda_service.pool import EnvironmentPool
from emulator.lambda_service.processes import ProcessPlan, SpawnLauncher
from emulator.lambda_service.snapshots import SNAPSHOT_INIT_LIMIT_S, SnapshotLauncher
from emulator.lambda_service.temporary_folders import TemporaryFolders
from emulator.project import FunctionSpec

PUBLISHED = "1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an installation of the emulator allows.

    Parameters
    ----------
    concurrency : int
        The most environments of one function at once, where the template reserves none.
    idle_s : float
        How long an environment may idle before it is stopped.
    init_s : float
        Lambda's limit on initialising an environment.
    """

    concurrency: int = 100
    idle_s: float = 600.0
    init_s: float = INIT_LIMIT_S


class LambdaService:
    """The functions of a project.

    Parameters
    ----------
    functions : mapping
        By logical id.
    sink : LogSink
        Where functions' output and Lambda's lines go.
    machine : mapping
        The emulator's own environment variables.
    region, account_id : str
        For ARNs and variables.
    limits : Limits
        Concurrency and time.
    """

    def __init__(
        self,
        functions: Mapping[str, FunctionSpec],
        sink: LogSink,
        machine: Mapping[str, str],
        *,
        region: str,
        account_id: str,
        limits: Limits,
    ) -> None:
        self._functions = {spec.name: spec for spec in functions.values()}
        self._sink = sink
        self._machine = machine
        self._region = region
        self._account_id = account_id
        self._limits = limits
        self._folders = TemporaryFolders()
        self._burst = BurstRate(time.monotonic)
        self.ledger = ConcurrencyLedger(limits.concurrency, unreserved_minimum=0)
        for spec in self._functions.values():
            self.ledger.set_reserved(spec.name, spec.reserved_concurrency)
        self._pools: dict[tuple[str, str], EnvironmentPool] = {}
        self._snapshots: list[SnapshotLauncher] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to reap idle environments, and to initialise what has SnapStart."""
        for spec in self._functions.values():
            if spec.alias is not None and spec.snap_start:
                self._pool(spec, PUBLISHED)
        for snapshot in self._snapshots:
            self._run(snapshot.prepare())
        self._run(self._reap())

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """Return a function's ARN, qualified if a qualifier is given."""
        plain = f"arn:aws:lambda:{self._region}:{self._account_id}:function:{name}"
        return plain if qualifier is None else f"{plain}:{qualifier}"

    def submit(
        self, name: str, payload: bytes, qualifier: str | None = None, trace_id: str = ""
    ) -> asyncio.Future[InvocationResult]:
        """Call a function; the future is the result, whatever becomes of the function.

        Raises
        ------
        FunctionNotFoundError
            No such function, version or alias.
        TooManyRequestsError
            It has all the environments that it may have, and all are busy.
        """
        spec = self._functions.get(name)
        if spec is None:
            raise FunctionNotFoundError(name, sorted(self._functions))
        version = self._version_of(spec, qualifier)
        pool = self._pools.get((name, version))
        if pool is None:
            pool = self._pool(spec, version)
        result: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        self.ledger.claim(name)
        result.add_done_callback(lambda _: self.ledger.release(name))
        try:
            pool.submit(Invocation(_new_request_id(), payload, self.arn(name, qualifier), trace_id, result))
        except TooManyRequestsError:
            result.cancel()
            raise
        return result

    async def close(self) -> None:
        """Stop every environment and wait until no process is left."""
        for task in self._tasks:
            task.cancel()
        # A pool waits for its environments, and those may be waiting for a snapshot.
        for snapshot in self._snapshots:
            snapshot.refuse()
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))
        await asyncio.gather(*(snapshot.close() for snapshot in self._snapshots))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folders.close()

    def _version_of(self, spec: FunctionSpec, qualifier: str | None) -> str:
        if qualifier is None or qualifier == LATEST:
            return LATEST
        if spec.alias is not None and qualifier in {spec.alias, PUBLISHED}:
            return PUBLISHED
        raise FunctionNotFoundError(f"{spec.name}:{qualifier}", sorted(self._functions))

    def _pool(self, spec: FunctionSpec, version: str) -> EnvironmentPool:
        function = FunctionVersion(spec, version, self.arn(spec.name))
        log = PlatformLog(self._sink, spec.log_format, version, spec.memory_mb, _utc_now)
        settings = {
            "function": spec.name,
            "handler": spec.handler,
            "path": import_folders(spec),
            "site_first": is_built_for_another_python(spec),
        }
        if settings["site_first"]:
            log.note(f"{spec.name} was built for another Python than this one; this one's packages come first")
        spawn = SpawnLauncher(settings, spec.code_dir, self._sink)

        def variables(runtime_api: str) -> dict[str, str]:
            stream = f"{_utc_now():%Y/%m/%d}/[{version}]{uuid4().hex}"
            return environment_variables(
                function, self._machine, region=self._region, log_stream=stream, runtime_api=runtime_api
            )

        launcher: SpawnLauncher | SnapshotLauncher = spawn
        if function.uses_snapshots:
            limit_s = max(SNAPSHOT_INIT_LIMIT_S, spec.timeout_s)
            launcher = SnapshotLauncher(
                lambda: ProcessPlan(settings, variables(""), spec.code_dir), self._sink, log, spawn, limit_s
            )
            self._snapshots.append(launcher)
        # The snapshot has a limit of its own, and a fork has nothing left to initialise.
        init_s = self._limits.init_s
        pool = EnvironmentPool(
            spec.name,
            version,
            lambda owner: ExecutionEnvironment(function, owner, launcher, variables, log, init_s, self._folders),
            self._burst,
        )
        self._pools[spec.name, version] = pool
        return pool

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(min(self._limits.idle_s / 4, 5))
            for pool in self._pools.values():
                pool.reap(self._limits.idle_s)


def machine_variables() -> dict[str, str]:
    """Return this process's environment; the one place that reads it."""
    return dict(os.environ)


def _new_request_id() -> str:
    """Return a random UUID, version 4, five times as fast as ``uuid`` does."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
