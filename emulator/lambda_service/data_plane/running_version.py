"""Runs one version: its environments and, with SnapStart, the initialised process that they are forked from."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from emulator.lambda_service.control_plane.code_store import CodeError, CodeStore
from emulator.lambda_service.data_plane.debugging import DEBUGGER_MB, NO_LIMIT_S, Debugger
from emulator.lambda_service.data_plane.environment import ExecutionEnvironment
from emulator.lambda_service.data_plane.initialisation import EnvironmentSettings
from emulator.lambda_service.data_plane.ledger import BurstRate
from emulator.lambda_service.data_plane.pool import EnvironmentPool
from emulator.lambda_service.function_version import (
    FunctionVersion,
    environment_variables,
    import_folders,
    is_built_for_another_python,
    needs_own_interpreter,
)
from emulator.lambda_service.invocation import start_failed
from emulator.lambda_service.log_groups.sink import LogSink
from emulator.lambda_service.sandbox.base_process import BaseProcess
from emulator.lambda_service.sandbox.logs import LogOutput
from emulator.lambda_service.sandbox.platform_log import EnvironmentLog, PlatformLog
from emulator.lambda_service.sandbox.processes import EnvironmentProcess, SpawnLauncher
from emulator.lambda_service.sandbox.snapshots import SNAPSHOT_INIT_LIMIT_S, SnapshotLauncher
from emulator.lambda_service.sandbox.temporary_folders import TemporaryFolders


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The values that all environments share."""

    sink: LogSink
    machine: Mapping[str, str]  # The emulator's own environment variables
    region: str
    init_s: float  # Lambda's limit on initialising an environment
    burst: BurstRate
    folders: TemporaryFolders  # Where each environment's ``/tmp`` is
    code: CodeStore
    base: BaseProcess
    endpoints: Mapping[str, str]  # Variables that say where this emulator imitates AWS's services
    debugger: Debugger | None = None


class RunningVersion:
    """A version with its environments, which are started on demand."""

    def __init__(self, function: FunctionVersion, surroundings: Surroundings) -> None:
        self.function = function
        self._surroundings = surroundings
        debugger = surroundings.debugger
        self._debugger = debugger if debugger is not None and debugger.spec.name == function.spec.name else None
        # How environments run it.
        self._runs_as = function if self._debugger is None else self._debugger.run_as(function, self._is_copy_of)
        spec = self._runs_as.spec
        log = self._open_log()
        site_first = is_built_for_another_python(spec)
        if site_first:
            log.platform.note(
                f"{spec.name} was built for another Python version; the emulator's own packages come first"
            )
        self._checking: asyncio.Future[None] | None = None
        # The name is only for those who look at the machine's processes.
        arguments = {
            "function": spec.name, "handler": spec.handler, "path": import_folders(spec), "site_first": site_first,
            "debug_port": None if self._debugger is None else self._debugger.port,
        }  # fmt: skip
        self._spawn = SpawnLauncher(arguments, spec.code_dir)
        self.snapshot: SnapshotLauncher | None = None
        if self._runs_as.uses_snapshots:
            limit_s = max(SNAPSHOT_INIT_LIMIT_S, spec.timeout_s)
            self.snapshot = SnapshotLauncher(self._spawn, lambda: self._variables("", log.stream), log, limit_s)
        self.pool = self._new_pool()

    @property
    def is_debugged(self) -> bool:
        """Whether its only environment runs under a debugger."""
        return self._debugger is not None

    async def prepare_snapshot(self) -> bytes | None:
        """Initialise the process that environments are forked from; return None, or Lambda's error if that fails."""
        if self.snapshot is None:
            return None
        try:
            await self._check_code()
        except OSError as error:
            return start_failed(str(error)).payload
        return await self.snapshot.prepare()

    async def prepare(self) -> bytes | None:
        """Get an environment ready to answer at once; return None, or Lambda's error if that fails."""
        if self._debugger is not None:
            # Nobody is told to attach yet.
            return None
        failure = await self.prepare_snapshot()
        return await self.pool.prepare() if failure is None else failure

    async def launch(self, environment: Mapping[str, str], output: LogOutput) -> EnvironmentProcess:
        """Start an environment's process; this version is the `Launcher` of its environments.

        Raises
        ------
        OSError
            It can't be started, or the version's code was changed behind the emulator's back.
        SnapshotInitError
            The function can't be initialised.
        """
        await self._check_code()
        if self._debugger is not None:
            await self._debugger.free_port(self.pool)
        if self.snapshot is None and self._debugger is None and not needs_own_interpreter(self.function.spec):
            return await self._surroundings.base.fork(self._spawn, environment, output)
        launcher = self._spawn if self.snapshot is None else self.snapshot
        return await launcher.launch(environment, output)

    def refuse_snapshots(self) -> None:
        """Give callers that wait for a snapshot an error, because the emulator stops."""
        if self.snapshot is not None:
            self.snapshot.refuse()

    async def drain(self) -> None:
        """End once every request that it has taken is answered."""
        await self.pool.drain()
        await self._close_snapshot()

    async def close(self) -> None:
        """End now, and wait until no process is left."""
        self.refuse_snapshots()
        await self.pool.close()
        await self._close_snapshot()

    def _new_pool(self) -> EnvironmentPool:
        surroundings, is_debugged = self._surroundings, self._debugger is not None
        settings = EnvironmentSettings(
            self._runs_as,
            self,
            self._variables,
            self._open_log,
            surroundings.folders,
            NO_LIMIT_S if is_debugged else surroundings.init_s,
            DEBUGGER_MB if is_debugged else 0,
        )
        pool = EnvironmentPool(
            self.function.spec.name,
            self.function.version,
            lambda pool: ExecutionEnvironment(pool, settings),
            surroundings.burst,
            most=1 if is_debugged else None,
        )
        if self._debugger is not None:
            self._debugger.add(pool)
        return pool

    def _is_copy_of(self, digest: str, source: Path) -> bool:
        return self._surroundings.code.is_copy_of(digest, source)

    async def _close_snapshot(self) -> None:
        # Last, because it collects its forks.
        if self.snapshot is not None:
            await self.snapshot.close()

    async def _check_code(self) -> None:
        """Check the code once, before it runs for the first time; all who wait for it get the same result."""
        if self._checking is None:
            self._checking = asyncio.get_running_loop().run_in_executor(None, self._check_folders)
        await asyncio.shield(self._checking)

    def _check_folders(self) -> None:
        for folder in (self.function.spec.code_dir, *self.function.spec.layer_dirs):
            try:
                self._surroundings.code.check(folder.name)
            except CodeError as error:
                raise OSError(
                    f"the code of {self.function.spec.name}:{self.function.version} is damaged ({error}): restore a "
                    "copy of it, or move the state's folder away to start with an empty account"
                ) from error

    def _open_log(self) -> EnvironmentLog:
        """Return a log stream of its own: an environment's, or that of the snapshot and of what is said beside."""
        spec, version = self.function.spec, self.function.version
        # In a group that functions may share, Lambda's streams name the function.
        name = "" if spec.log_group == f"/aws/lambda/{spec.name}" else spec.name
        stream = f"{utc_now():%Y/%m/%d}/{name}[{version}]{uuid4().hex}"
        output = self._surroundings.sink.stream(spec.log_group, stream)
        return EnvironmentLog(stream, output, PlatformLog(output, spec.log_format, version, spec.memory_mb, utc_now))

    def _variables(self, runtime_api: str, stream: str) -> dict[str, str]:
        variables = environment_variables(
            self._runs_as,
            self._surroundings.machine,
            region=self._surroundings.region,
            log_stream=stream,
            runtime_api=runtime_api,
        )
        return {**self._surroundings.endpoints, **variables}


def new_request_id() -> str:
    """Return a random UUID, version 4, five times as fast as ``uuid`` does."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def utc_now() -> dt.datetime:
    """Return the time in UTC; everything else gets its clock passed in."""
    return dt.datetime.now(dt.UTC)
