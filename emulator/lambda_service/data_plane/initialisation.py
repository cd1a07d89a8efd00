"""How an environment's process is got ready: started or forked, initialised, and ended; one process at a time.

Source: "Understanding the Lambda execution environment lifecycle" and "Lambda SnapStart" in the developer guide.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from emulator.lambda_service import invocation
from emulator.lambda_service.function_version import FunctionVersion
from emulator.lambda_service.invocation import SNAP_START_ERROR, SNAP_START_TIMEOUT, STOPPED, InitFailure, start_failed
from emulator.lambda_service.sandbox.forking_process import SnapshotInitError
from emulator.lambda_service.sandbox.logs import LogTail
from emulator.lambda_service.sandbox.memory import MemoryWatch
from emulator.lambda_service.sandbox.platform_log import EnvironmentLog
from emulator.lambda_service.sandbox.processes import EnvironmentProcess, Launcher
from emulator.lambda_service.sandbox.runtime_api import RuntimeApi, RuntimeEvents
from emulator.lambda_service.sandbox.temporary_folders import TemporaryFolders

PROVISIONED = "provisioned-concurrency"
OUT_OF_MEMORY = "Runtime.OutOfMemory"


class ProcessEvents(RuntimeEvents, Protocol):
    """The environment, as its process sees it."""

    def process_ended(self, status: int | None) -> None:
        """The process has ended by itself; `status` is the result of `EnvironmentProcess.ended`."""


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """What all environments of a version share."""

    function: FunctionVersion
    launcher: Launcher
    variables: Callable[[str, str], Mapping[str, str]]  # Runtime API address, log stream → a process's variables
    open_log: Callable[[], EnvironmentLog]  # Returns a log stream for one environment
    folders: TemporaryFolders  # Where each environment's own ``/tmp`` is made
    init_limit_s: float  # For a restore, and for initialising before Lambda tries again inside the invocation
    debugger_mb: int = 0  # Memory that doesn't count as the function's


class ProcessSlot:
    """Starts, initialises and ends an environment's process; each process has its own Runtime API listener."""

    def __init__(
        self, events: ProcessEvents, settings: EnvironmentSettings, log: EnvironmentLog, memory: MemoryWatch
    ) -> None:
        self._events = events
        self._settings = settings
        self._stream, self._output, self._log = log
        self._memory = memory
        # The environment's ``/tmp``, which all its processes share.
        self._folder: Path | None = None
        self._process: EnvironmentProcess | None = None
        # The ends of processes that were killed and haven't ended yet.
        self._ending: set[asyncio.Future[int | None]] = set()
        self._outcome: asyncio.Future[InitFailure | None] | None = None
        self._tail: LogTail | None = None
        self._is_closed = False
        self.runtime = RuntimeApi(events)
        self.init_ms: float | None = None
        """How long the last initialisation took, if it was from scratch and outside of an invocation."""
        self.restore_ms: float | None = None
        """How long the last one took, if it was from a snapshot."""

    @property
    def pid(self) -> int | None:
        """The process's id, while there is one."""
        return None if self._process is None else self._process.pid

    @property
    def is_initialising(self) -> bool:
        """Whether a process is being got ready."""
        return self._outcome is not None

    @property
    def takes_invocations(self) -> bool:
        """Whether the process is there and waits for an invocation."""
        # A process that has just died takes nothing: once its end is noticed, another one is started.
        return self.runtime.is_polled and self._process is not None and self._process.is_alive()

    def set_tail(self, tail: LogTail | None) -> None:
        """Have what the process prints copied to a tail, the next process's output included."""
        self._tail = tail
        if self._process is not None:
            self._process.output.tail = tail

    def end_output(self) -> None:
        """Pass on the process's output so far, also a line without an end, and stop copying it into the tail."""
        if self._process is not None:
            self._process.output.end_line()
        self.set_tail(None)

    async def get_ready(self, phase: str, limit_s: float, *, is_provisioned: bool = False) -> InitFailure | None:
        """Start a process and wait until it is ready; return None, or why it isn't.

        `phase` is ``init``, or ``invoke`` inside an invocation. A restore has a limit of its own.
        """
        self.runtime.stop()
        self.runtime = RuntimeApi(self._events)
        try:
            variables = dict(self._settings.variables(await self.runtime.start(), self._stream))
            self._folder = self._folder or self._settings.folders.make()
        except OSError as error:
            return start_failed(str(error))
        if self._is_closed:
            self.runtime.stop()
            return STOPPED
        if is_provisioned:
            variables["AWS_LAMBDA_INITIALIZATION_TYPE"] = PROVISIONED
        variables["TMPDIR"] = str(self._folder)
        failure = await self._initialise(variables, limit_s, phase)
        if failure is not None:
            self.end_process()
        return failure

    def settle(self, failure: InitFailure | None) -> None:
        """Say how the initialisation has ended: None is for a process that is ready. Only the first call counts."""
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(failure)

    def end_process(self) -> None:
        """Kill the process, if there is one."""
        self._memory.end()
        if self._process is not None:
            self._process.kill()
            ended, self._process = self._process.ended, None
            if not ended.done():
                self._ending.add(ended)
                ended.add_done_callback(self._ending.discard)

    def close(self) -> None:
        """End for good: the process, the listener and the folder."""
        self._is_closed = True
        self.settle(STOPPED)
        self.end_process()
        self.runtime.stop()
        if self._folder is not None:
            asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, self._folder, True)

    async def wait_ended(self) -> None:
        """Wait until every process that was killed is gone."""
        if self._ending:
            await asyncio.wait(self._ending)

    async def _initialise(self, variables: Mapping[str, str], limit_s: float, phase: str) -> InitFailure | None:
        kind = variables["AWS_LAMBDA_INITIALIZATION_TYPE"]
        self.init_ms = self.restore_ms = None
        self._outcome = asyncio.get_running_loop().create_future()
        try:
            process = await self._settings.launcher.launch(variables, self._output)
        except SnapshotInitError as error:
            self._outcome = None
            return error.failure
        except OSError as error:
            self._outcome = None
            return start_failed(f"the process can't be started: {error}")
        self._take(process)
        if process.is_restored:
            return await self._wait_restored(process)
        self._log.init_started(kind, phase)
        failure = await self._wait(process, limit_s)
        took_ms = (time.perf_counter() - process.began) * 1000
        if failure is not None or kind == PROVISIONED:
            self._log.init_ended(kind, phase, took_ms, failure)
        elif phase == "init":
            self.init_ms = took_ms
        return failure

    def _take(self, process: EnvironmentProcess) -> None:
        def note_end(ended: asyncio.Future[int | None]) -> None:
            if process is self._process:
                self._events.process_ended(ended.result())

        self._process = process
        process.output.tail = self._tail
        process.ended.add_done_callback(note_end)
        self._memory.begin(process.pid)

    async def _wait_restored(self, process: EnvironmentProcess) -> InitFailure | None:
        self._log.restore_started()
        failure = await self._wait(process, self._settings.init_limit_s)
        took_ms = (time.perf_counter() - process.began) * 1000
        self._log.restore_ended(took_ms, failure)
        if failure is None:
            self.restore_ms = took_ms
        if failure is None or failure is STOPPED:
            return failure
        error = SNAP_START_TIMEOUT if failure.status == "timeout" else SNAP_START_ERROR
        return failure._replace(api_error=error, is_final=True)

    async def _wait(self, process: EnvironmentProcess, limit_s: float) -> InitFailure | None:
        assert self._outcome is not None
        timed_out = InitFailure(invocation.timed_out("", limit_s), "timeout")
        timer = asyncio.get_running_loop().call_later(limit_s, self.settle, timed_out)
        try:
            failure = await self._outcome
        finally:
            timer.cancel()
            self._outcome = None
        if failure is not None:
            process.kill()
        process.output.end_line()
        return failure
