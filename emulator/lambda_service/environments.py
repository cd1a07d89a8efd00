"""An execution environment: one process, one invocation at a time, and what becomes of both."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from emulator.lambda_service import invocations
from emulator.lambda_service.functions import FunctionVersion
from emulator.lambda_service.invocations import UNHANDLED, Invocation, InvocationResult
from emulator.lambda_service.logs import PlatformLog
from emulator.lambda_service.processes import EnvironmentProcess, Launcher
from emulator.lambda_service.runtime_api import RuntimeApi
from emulator.lambda_service.snapshots import SnapshotInitError

INIT_LIMIT_S = 10.0
_MEMORY_CHECK_EVERY_S = 1.0


class State(enum.Enum):
    """What an environment is doing."""

    STARTING = "starting"
    """Its process initialises the function; it has never been ready."""
    IDLE = "idle"
    """It waits for an invocation, or is about to: its last answer is out."""
    BUSY = "busy"
    """It has an invocation."""
    STOPPED = "stopped"
    """Its process is gone or going; it takes nothing any more."""


class EnvironmentOwner(Protocol):
    """The pool, as an environment sees it."""

    def environment_is_free(self, environment: ExecutionEnvironment) -> None:
        """It became ready, or has answered; it may be given an invocation now."""

    def environment_stopped(self, environment: ExecutionEnvironment, undelivered: Invocation | None) -> None:
        """It is gone. `undelivered` was given to it, never reached its handler, and needs another one."""

    def environment_failed_to_start(self, environment: ExecutionEnvironment, payload: bytes) -> None:
        """It never became ready; `payload` is what a caller is told."""


class ExecutionEnvironment:
    """One environment.

    Parameters
    ----------
    function : FunctionVersion
        What it runs.
    owner : EnvironmentOwner
        Told what becomes of it.
    launcher : Launcher
        Where its process comes from.
    variables : callable
        Runtime API address → the process's variables.
    log : PlatformLog
        START, END, REPORT.
    init_limit_s : float
        How long its process may take to initialise before it is started anew.
    """

    def __init__(
        self,
        function: FunctionVersion,
        owner: EnvironmentOwner,
        launcher: Launcher,
        variables: Callable[[str], Mapping[str, str]],
        log: PlatformLog,
        init_limit_s: float = INIT_LIMIT_S,
    ) -> None:
        self.state = State.STARTING
        self.idle_since = 0.0
        self._function = function
        self._owner = owner
        self._launcher = launcher
        self._variables = variables
        self._log = log
        self._init_limit_s = init_limit_s
        self._runtime = RuntimeApi(self)
        self._process: EnvironmentProcess | None = None
        self._ready: asyncio.Future[bytes | None] | None = None
        self._init_ms: float | None = None
        self._current: Invocation | None = None
        self._is_delivered = False
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._peak_memory_mb: int | None = None
        self._memory_checked = 0.0

    @property
    def pid(self) -> int | None:
        """The process's id, once there is one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it is ready, or has failed to be; the owner is told which."""
        began = time.perf_counter()
        try:
            address = await self._runtime.start()
            failure = await self._initialise(address, self._init_limit_s, "init")
            if failure is not None and self.state is not State.STOPPED and self._timed_out:
                # After the limit, Lambda runs the initialisation again, under the function's own timeout.
                failure = await self._initialise(address, self._function.spec.timeout_s, "invoke")
        except SnapshotInitError as error:
            failure = error.payload
        except OSError as error:
            failure = invocations.error_payload("Runtime.StartFailed", f"the process can't be started: {error}")
        if self.state is State.STOPPED:
            return
        if failure is not None:
            self._close()
            self._owner.environment_failed_to_start(self, failure)
            return
        self._init_ms = (time.perf_counter() - began) * 1000
        self._become_free()

    def invoke(self, invocation: Invocation) -> None:
        """Take an invocation; only while `State.IDLE`."""
        self.state = State.BUSY
        self._current = invocation
        self._is_delivered = False
        self._began = time.perf_counter()
        timeout_s = self._function.spec.timeout_s
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._time_out)
        # A process that has just died takes nothing: its end, once noticed, sends the invocation elsewhere.
        if self._runtime.is_polled and self._process is not None and self._process.is_alive():
            self._deliver()

    def stop(self) -> None:
        """End the process; a caller whose invocation is under way is told that the runtime was killed."""
        if self.state is State.STOPPED:
            return
        current = self._current
        self._close()
        if current is not None:
            self._finish(current, invocations.exited(current.request_id, -9), "error")

    async def wait_stopped(self) -> None:
        """Wait until the process is gone."""
        if self._process is not None:
            await asyncio.shield(self._process.ended)

    # What the runtime says -------------------------------------------------------------------------------

    def runtime_asks_for_next(self) -> None:
        """See `RuntimeEvents`."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        elif self._current is not None and not self._is_delivered:
            self._deliver()

    def runtime_answered(self, request_id: str, payload: bytes, size_bytes: int) -> None:
        """See `RuntimeEvents`."""
        current = self._take(request_id)
        if current is None:
            return
        if size_bytes > invocations.MAX_ANSWER_BYTES:
            self._finish(current, invocations.too_large(size_bytes), "error")
        else:
            self._finish(current, payload, None)
        self._become_free()

    def runtime_failed(self, request_id: str, payload: bytes) -> None:
        """See `RuntimeEvents`."""
        current = self._take(request_id)
        if current is not None:
            self._finish(current, payload, "error")
            self._become_free()

    def runtime_failed_to_initialise(self, payload: bytes) -> None:
        """See `RuntimeEvents`."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(payload)

    # ------------------------------------------------------------------------------------------------------

    async def _initialise(self, address: str, limit_s: float, phase: str) -> bytes | None:
        """Start the process; return None once it is ready, or the error."""
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        self._timed_out = False
        self._ready = loop.create_future()
        process = await self._launcher.launch(self._variables(address))
        if self.state is State.STOPPED:
            process.kill()
            return invocations.error_payload("Runtime.ExitError", "stopped")
        self._process = process
        process.ended.add_done_callback(lambda ended: self._process_ended(process, ended.result()))
        timer = loop.call_later(limit_s, self._init_timed_out, limit_s)
        failure = await self._ready
        timer.cancel()
        if failure is not None:
            process.kill()
            process.output.drain()
            status = "timeout" if self._timed_out else "error"
            self._log.init_failed((time.perf_counter() - began) * 1000, status, phase)
        return failure

    def _init_timed_out(self, limit_s: float) -> None:
        if self._ready is not None and not self._ready.done():
            self._timed_out = True
            self._ready.set_result(invocations.timed_out("", limit_s))

    def _deliver(self) -> None:
        assert self._current is not None
        self._is_delivered = True
        invocation = self._current
        self._log.started(invocation.request_id)
        left_s = self._function.spec.timeout_s - (time.perf_counter() - self._began)
        deadline_ms = int((time.time() + left_s) * 1000)
        self._runtime.send_invocation(
            invocation.request_id, invocation.payload, deadline_ms, invocation.arn, invocation.trace_id
        )

    def _take(self, request_id: str) -> Invocation | None:
        """Return the invocation that an answer is for; None for one that is over."""
        current = self._current
        if current is None or current.request_id != request_id:
            return None
        return current

    def _finish(self, invocation: Invocation, payload: bytes, failure: str | None) -> None:
        """Give the caller the answer and write the report. The environment's state is the caller's business."""
        self._current = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not invocation.result.done():
            error = None if failure is None else UNHANDLED
            invocation.result.set_result(InvocationResult(payload, error, self._function.version))
        if self._process is not None:
            self._process.output.drain()
        duration_ms = (time.perf_counter() - self._began) * 1000
        self._log.ended(
            invocation.request_id, duration_ms, self._memory(), self._init_ms, "success" if failure is None else failure
        )
        self._init_ms = None

    def _become_free(self) -> None:
        if self.state is not State.STOPPED:
            self.state = State.IDLE
            self.idle_since = time.monotonic()
            self._owner.environment_is_free(self)

    def _time_out(self) -> None:
        current = self._current
        if current is None:
            return
        self._timer = None
        self._close()
        payload = invocations.timed_out(current.request_id, self._function.spec.timeout_s)
        self._finish(current, payload, "timeout")
        self._owner.environment_stopped(self, None)

    def _process_ended(self, process: EnvironmentProcess, status: int | None) -> None:
        """The process is gone: by its own doing, unless this environment is stopped already."""
        if process is not self._process or self.state is State.STOPPED:
            return
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(invocations.exited("", status))
            return
        if self.state is State.STARTING:
            return
        current = self._current
        self._close()
        undelivered = None
        if current is not None and self._is_delivered:
            self._finish(current, invocations.exited(current.request_id, status), "error")
        elif current is not None:
            undelivered = current
            self._current = None
        self._owner.environment_stopped(self, undelivered)

    def _close(self) -> None:
        self.state = State.STOPPED
        if self._timer is not None:
            self._timer.cancel()
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(invocations.error_payload("Runtime.ExitError", "stopped"))
        if self._process is not None:
            self._process.kill()
        self._runtime.stop()

    def _memory(self) -> int | None:
        """Return the process's peak memory in MB, at most a second old."""
        now = time.monotonic()
        if self._process is not None and now - self._memory_checked > _MEMORY_CHECK_EVERY_S:
            self._memory_checked = now
            with contextlib.suppress(OSError, ValueError):
                for line in Path(f"/proc/{self._process.pid}/status").read_bytes().splitlines():
                    if line.startswith(b"VmHWM:"):
                        self._peak_memory_mb = -(-int(line.split()[1]) // 1024)
        return self._peak_memory_mb
