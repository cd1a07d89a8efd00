"""SnapStart as fork: the function is initialised once, and each environment is a fork of that process.

Fidelity: Lambda takes a snapshot of an initialised microVM and restores copies of it. A fork is the same to the
function: modules, clients and models are in memory already, the snapshot hooks run around it, and random values from
before are equal in every copy. A fork can't copy threads: where a function has started some, it is initialised in each
environment instead, and the log says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

from emulator.lambda_service.invocation import STOPPED, InitFailure
from emulator.lambda_service.sandbox.forking_process import (
    ForkingProcess,
    ForkingProcessGoneError,
    SnapshotInitError,
    UnforkableError,
)
from emulator.lambda_service.sandbox.logs import LogOutput
from emulator.lambda_service.sandbox.platform_log import EnvironmentLog
from emulator.lambda_service.sandbox.processes import EnvironmentProcess, SpawnLauncher

# Lambda gives the initialisation of a version with SnapStart 130 s, or the function's timeout if that is more.
SNAPSHOT_INIT_LIMIT_S = 130.0
SNAP_START = "snap-start"
_ATTEMPTS = 2


class SnapshotLauncher:
    """Gets environments by forking a snapshot process, which it starts at the first need, and again after its end.

    `spawn` starts the snapshot process (with `variables`), and each environment of a function that can't be forked.
    """

    def __init__(
        self, spawn: SpawnLauncher, variables: Callable[[], Mapping[str, str]], log: EnvironmentLog, limit_s: float
    ) -> None:
        self._spawn = spawn
        self._variables = variables
        self._output, self._log = log.output, log.platform
        self._limit_s = limit_s
        self._making = asyncio.Lock()
        # The snapshot process that is ready; and the newest one, ready or not, which `close` must end.
        self._snapshot: ForkingProcess | None = None
        self._newest: ForkingProcess | None = None
        self._is_forkable = True
        self._is_closed = False

    async def prepare(self) -> bytes | None:
        """Initialise the function before its first request; return None, or Lambda's error: a request tries again."""
        with contextlib.suppress(UnforkableError, OSError):
            try:
                await self._ready_snapshot()
            except SnapshotInitError as error:
                return error.failure.payload
        return None

    async def launch(self, environment: Mapping[str, str], output: LogOutput) -> EnvironmentProcess:
        """Fork a process; raise `SnapshotInitError` if the function can't be initialised, or this is closed."""
        for _ in range(_ATTEMPTS):
            if not self._is_forkable:
                break
            try:
                return await (await self._ready_snapshot()).fork(environment, output)
            except ForkingProcessGoneError:
                self._log.note("the snapshot's process has ended, so the function is initialised again")
            except UnforkableError as error:
                self._fall_back(error)
        if self._is_closed:
            raise SnapshotInitError(STOPPED)
        return await self._spawn.launch(environment, output)

    def refuse(self) -> None:
        """Stop making environments; callers that wait for the initialisation get an error now."""
        self._is_closed = True
        if self._newest is not None and self._newest is not self._snapshot:
            self._newest.kill()

    async def close(self) -> None:
        """End the snapshot process. Its forks should have ended before, since it collects them."""
        self.refuse()
        if self._newest is not None:
            self._newest.kill()
            await self._newest.wait_ended()

    async def _ready_snapshot(self) -> ForkingProcess:
        async with self._making:
            if self._is_closed:
                raise SnapshotInitError(STOPPED)
            if self._snapshot is not None and self._snapshot.is_alive:
                return self._snapshot
            self._snapshot = None
            self._log.init_started(SNAP_START, "init")
            began = time.perf_counter()
            self._newest = snapshot = ForkingProcess(self._spawn, self._variables(), self._output)
            failure: InitFailure | None = InitFailure(b"")
            try:
                await snapshot.wait_ready(self._limit_s)
                failure = None
            except SnapshotInitError as error:
                failure = error.failure
                raise
            finally:
                if failure is not None:  # Also when cancelled: nobody would hear whether it is ready.
                    snapshot.kill()
                self._log.init_ended(SNAP_START, "init", (time.perf_counter() - began) * 1000, failure)
            self._snapshot = snapshot
            return snapshot

    def _fall_back(self, error: UnforkableError) -> None:
        if self._is_forkable:
            self._is_forkable = False
            if self._snapshot is not None:
                self._snapshot.kill()
            self._log.note(
                f"SnapStart: threads are alive after initialisation ({error}), which a fork would lose, so each "
                "environment initialises by itself. The variable OMP_NUM_THREADS=1 usually prevents them."
            )
