"""Runs one version: its environments and, with SnapStart, the initialised process that they are forked from."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from emulator.lambda_service.control_plane.code_store import CodeError, CodeStore
from emulator.lambda_service.data_plane.environment import ExecutionEnvironment
from emulator.lambda_service.data_plane.initialisation import EnvironmentSettings
from emulator.lambda_service.data_plane.ledger import BurstRate
from emulator.lambda_service.data_plane.pool import EnvironmentPool
from emulator.lambda_service.function_version import (
    FunctionVersion,
    environment_variables,
    import_folders,
    is_built_for_another_python,
)
from emulator.lambda_service.invocation import start_failed
from emulator.lambda_service.sandbox.logs import LogSink
from emulator.lambda_service.sandbox.platform_log import PlatformLog
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


class RunningVersion:
    """A version with its environments, which are started on demand."""

    def __init__(self, function: FunctionVersion, surroundings: Surroundings) -> None:
        self.function = function
        spec = function.spec
        self._surroundings = surroundings
        output = surroundings.sink.of_group(spec.log_group)
        self._log = PlatformLog(output, spec.log_format, function.version, spec.memory_mb, utc_now)
        site_first = is_built_for_another_python(spec)
        if site_first:
            self._log.note(f"{spec.name} was built for another Python version; the emulator's own packages come first")
        self._checking: asyncio.Future[None] | None = None
        # The name is only for those who look at the machine's processes.
        arguments = {
            "function": spec.name, "handler": spec.handler, "path": import_folders(spec), "site_first": site_first
        }  # fmt: skip
        self._spawn = SpawnLauncher(arguments, spec.code_dir, output)
        self.snapshot: SnapshotLauncher | None = None
        if function.uses_snapshots:
            limit_s = max(SNAPSHOT_INIT_LIMIT_S, spec.timeout_s)
            self.snapshot = SnapshotLauncher(self._spawn, lambda: self._variables(""), self._log, limit_s)
        settings = EnvironmentSettings(
            function, self, self._variables, self._log, surroundings.folders, surroundings.init_s
        )
        self.pool = EnvironmentPool(
            spec.name, function.version, lambda pool: ExecutionEnvironment(pool, settings), surroundings.burst
        )

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
        failure = await self.prepare_snapshot()
        return await self.pool.prepare() if failure is None else failure

    async def launch(self, environment: Mapping[str, str]) -> EnvironmentProcess:
        """Start an environment's process; this version is the `Launcher` of its environments.

        Raises
        ------
        OSError
            It can't be started, or the version's code was changed behind the emulator's back.
        SnapshotInitError
            The function can't be initialised.
        """
        await self._check_code()
        launcher = self._spawn if self.snapshot is None else self.snapshot
        return await launcher.launch(environment)

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

    def _variables(self, runtime_api: str) -> dict[str, str]:
        stream = f"{utc_now():%Y/%m/%d}/[{self.function.version}]{uuid4().hex}"
        return environment_variables(
            self.function,
            self._surroundings.machine,
            region=self._surroundings.region,
            log_stream=stream,
            runtime_api=runtime_api,
        )


def utc_now() -> dt.datetime:
    """Return the time in UTC; everything else gets its clock passed in."""
    return dt.datetime.now(dt.UTC)
