"""An execution environment: runs one invocation at a time. `initialisation` gets its process ready.

Fidelity: an environment outlives its process. After a timeout or a crash, Lambda resets the environment: the next
invocation starts a new process, and finds the same /tmp. So does the emulator.
"""

from __future__ import annotations

import asyncio
import enum
import time
from dataclasses import dataclass, field
from typing import Protocol

from emulator.lambda_service import invocation
from emulator.lambda_service.data_plane.initialisation import OUT_OF_MEMORY, EnvironmentSettings, ProcessSlot
from emulator.lambda_service.invocation import STOPPED, UNHANDLED, ApiError, InitFailure, Invocation, InvocationResult
from emulator.lambda_service.sandbox.logs import LogTail
from emulator.lambda_service.sandbox.memory import MemoryWatch
from emulator.supervision import BackgroundTasks

# Lambda's limit on initialising, and on the hooks after a restore.
INIT_LIMIT_S = 10.0
# The limit of a provisioned environment, or the function's timeout if that is more.
PROVISIONED_INIT_LIMIT_S = 130.0


class State(enum.Enum):
    """What an environment is doing."""

    STARTING = "starting"  # Its process initialises the function; it has never been ready
    IDLE = "idle"  # It waits for an invocation, or will in a moment: its last answer is sent
    BUSY = "busy"  # It has an invocation
    RESET = "reset"  # Its process has failed; its next invocation begins with initialising
    STOPPED = "stopped"  # Its process has ended or is about to; it takes no more invocations


class EnvironmentOwner(Protocol):
    """What an environment tells its pool."""

    def environment_is_free(self, environment: ExecutionEnvironment) -> None:
        """The environment became ready or has answered, so it can take an invocation now."""

    def environment_was_reset(self, environment: ExecutionEnvironment) -> None:
        """The environment's process has ended; the next invocation waits for a new one."""

    def environment_failed_to_start(self, environment: ExecutionEnvironment, failure: InitFailure) -> None:
        """The environment never became ready."""


@dataclass(slots=True, eq=False)
class _Run:
    """An invocation that the environment has taken, and how far it is."""

    invocation: Invocation
    tail: LogTail | None
    began: float = field(default_factory=time.perf_counter)
    is_started: bool = False  # Whether START is written
    is_delivered: bool = False  # Whether the runtime has received it: then it fails if the process ends


class ExecutionEnvironment:
    """One environment of a function version; it tells its owner of its changes of state."""

    def __init__(self, owner: EnvironmentOwner, settings: EnvironmentSettings) -> None:
        self.state = State.STARTING
        self.idle_since = 0.0
        self.is_provisioned = False
        """Whether it is kept initialised for requests to come; set before `start`."""
        self.is_fresh = True
        """Whether its next invocation is its first, a cold start."""
        self.init_failure: bytes | None = None
        """Why initialising before the first invocation failed; None also after a timeout."""
        self._function = settings.function
        self._owner = owner
        log = settings.open_log()
        self._log = log.platform
        self._init_limit_s = settings.init_limit_s
        memory_mb = self._function.spec.memory_mb + settings.debugger_mb
        self._memory = MemoryWatch(
            memory_mb, lambda: self.state in {State.STARTING, State.BUSY}, self._run_out_of_memory
        )
        self._slot = ProcessSlot(self, settings, log, self._memory)
        self._run: _Run | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._delay: asyncio.TimerHandle | None = None
        self._restarting = asyncio.Lock()
        self._tasks = BackgroundTasks()
        self._stopped = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process's id, while there is one."""
        return self._slot.pid

    async def start(self) -> None:
        """Start the process and wait until it is ready or has failed; tell the owner which."""
        limit_s = self._init_limit_s
        if self.is_provisioned:
            self.is_fresh = False
            limit_s = max(PROVISIONED_INIT_LIMIT_S, self._function.spec.timeout_s)
        failure = await self._slot.get_ready("init", limit_s, is_provisioned=self.is_provisioned)
        if self.state is State.STOPPED:
            return
        if failure is None:
            self._become_free()
        elif failure.is_final or self.is_provisioned:
            self._close()
            self._owner.environment_failed_to_start(self, failure)
        else:
            # Fidelity: Lambda doesn't report this yet. It tries again inside the invocation, under its timeout.
            self.init_failure = None if failure.status == "timeout" else failure.payload
            self._reset()

    def invoke(self, invocation: Invocation) -> None:
        """Take an invocation; only while `State.IDLE` or `State.RESET`."""
        has_process = self.state is State.IDLE
        self.state = State.BUSY
        self.is_fresh = False
        self._run = run = _Run(invocation, LogTail() if invocation.want_log_tail else None)
        self._timer = asyncio.get_running_loop().call_later(self._function.spec.timeout_s, self._time_out)
        if run.tail is not None:
            self._slot.set_tail(run.tail)
        self._memory.wake()
        if not has_process:
            self._restart(run)
        elif self._slot.takes_invocations:
            self._deliver(run)

    def stop(self) -> None:
        """End the process; an invocation in progress fails as if the runtime had been killed."""
        if self.state is State.STOPPED:
            return
        run = self._run
        self._close()
        if run is not None:
            self._fail(run, -9, "Runtime.ExitError")

    async def wait_stopped(self) -> None:
        """Wait until it is stopped and its process is gone."""
        await self._stopped.wait()
        await self._tasks.wait()
        await self._slot.wait_ended()

    def runtime_asks_for_next(self) -> None:
        """See `RuntimeEvents`."""
        if self._slot.is_initialising:
            self._slot.settle(None)
        elif self._run is not None and not self._run.is_delivered:
            self._deliver(self._run)

    def runtime_answered(self, request_id: str, payload: bytes) -> None:
        """See `RuntimeEvents`."""
        self._take_answer(request_id, payload, None)

    def runtime_failed(self, request_id: str, payload: bytes) -> None:
        """See `RuntimeEvents`."""
        self._take_answer(request_id, payload, "error")

    def runtime_failed_to_initialise(self, payload: bytes) -> None:
        """See `RuntimeEvents`."""
        self._slot.settle(InitFailure(payload))

    def process_ended(self, status: int | None) -> None:
        """See `ProcessEvents`."""
        if self._slot.is_initialising:
            self._slot.settle(InitFailure(invocation.exited("", status)))
        elif self._run is None:
            if self.state is State.IDLE:
                self._reset()
        elif self._run.is_delivered:
            self._fail(self._run, status, "Runtime.ExitError")
            self._reset()
        else:
            self._restart(self._run)

    def _take_answer(self, request_id: str, payload: bytes, failure: str | None) -> None:
        run = self._run
        # An answer to an invocation that is over is ignored.
        if run is not None and run.invocation.request_id == request_id:
            self._finish(run, payload, failure)
            self._become_free()

    def _run_out_of_memory(self) -> None:
        """End the process, as the kernel does when a sandbox has no memory left."""
        if self._slot.is_initialising:
            self._slot.settle(InitFailure(invocation.exited("", -9), error_type=OUT_OF_MEMORY))
            return
        if self._run is not None:
            self._fail(self._run, -9, OUT_OF_MEMORY)
        self._reset()

    def _deliver(self, run: _Run) -> None:
        """Send an invocation to the runtime, which waits for one; later if a fault delays the invocation."""
        now = time.perf_counter()
        left_s = run.began + run.invocation.delay_s - now
        if left_s > 0:
            self._log_start(run)
            if self._delay is not None:
                self._delay.cancel()
            self._delay = asyncio.get_running_loop().call_later(left_s, self._deliver, run)
            return
        if self._run is not run or run.is_delivered or not self._slot.runtime.is_polled:
            return  # The process has ended meanwhile; the next one will ask for the invocation.
        run.is_delivered = True
        self._log_start(run)
        deadline_ms = int((time.time() + self._function.spec.timeout_s - (now - run.began)) * 1000)
        self._slot.runtime.send(run.invocation, deadline_ms)

    def _log_start(self, run: _Run) -> None:
        if not run.is_started:
            run.is_started = True
            self._log.started(run.invocation.request_id, run.tail)

    def _restart(self, run: _Run) -> None:
        """Initialise again inside an invocation, whose timeout covers it."""

        def give_up(_: BaseException) -> None:
            if self._run is run:
                self._fail(run, None, "Runtime.StartFailed")
                self._reset()

        self._log_start(run)
        self._tasks.start(self._initialise_within(run), f"restart an environment of {self._function.arn}", give_up)

    async def _initialise_within(self, run: _Run) -> None:
        # An earlier restart holds the lock until its process has ended, also after its invocation has timed out.
        async with self._restarting:
            if self._run is not run:
                return
            # The invocation's own timer ends it.
            failure = await self._slot.get_ready("invoke", self._function.spec.timeout_s)
            if self._run is not run:
                self._slot.end_process()
            elif failure is None:
                self._deliver(run)
            elif failure.status == "timeout":
                self._time_out()
            else:
                self._finish(run, failure.payload, "error", failure.logged_type, failure.api_error)
                self._reset()

    def _time_out(self) -> None:
        run = self._run
        if run is not None:
            payload = invocation.timed_out(run.invocation.request_id, self._function.spec.timeout_s)
            self._finish(run, payload, "timeout")
            self._reset(InitFailure(payload, "timeout"))

    def _fail(self, run: _Run, status: int | None, error_type: str) -> None:
        """End an invocation whose process has ended with this status."""
        self._finish(run, invocation.exited(run.invocation.request_id, status), "error", error_type)

    def _finish(
        self,
        run: _Run,
        payload: bytes,
        failure: str | None,
        error_type: str | None = None,
        api_error: ApiError | None = None,
    ) -> None:
        """End an invocation: write END and REPORT, and answer the caller. The caller of this sets the state."""
        self._run = None
        for timer in (self._timer, self._delay):
            if timer is not None:
                timer.cancel()
        self._timer = self._delay = None
        self._slot.end_output()
        self._log.ended(
            run.invocation.request_id,
            (time.perf_counter() - run.began) * 1000,
            self._function.spec.memory_mb if error_type == OUT_OF_MEMORY else self._memory.peak_mb(),
            init_ms=self._slot.init_ms,
            restore_ms=self._slot.restore_ms,
            status="success" if failure is None else failure,
            error_type=error_type,
            tail=run.tail,
        )
        self._slot.init_ms = self._slot.restore_ms = None
        if not run.invocation.result.done():
            error, tail = None if failure is None else UNHANDLED, None if run.tail is None else run.tail.value
            result = InvocationResult(payload, error, self._function.version, tail, api_error)
            run.invocation.result.set_result(result)

    def _become_free(self) -> None:
        if self.state is not State.STOPPED:
            self.state = State.IDLE
            self.idle_since = time.monotonic()
            self._owner.environment_is_free(self)

    def _reset(self, failure: InitFailure = STOPPED) -> None:
        """End the process; the next invocation starts a new one."""
        self.state = State.RESET
        self.idle_since = time.monotonic()
        self.is_fresh = True
        self._slot.settle(failure)
        self._slot.end_process()
        self._owner.environment_was_reset(self)

    def _close(self) -> None:
        self.state = State.STOPPED
        if self._timer is not None:
            self._timer.cancel()
        self._slot.close()
        self._stopped.set()
