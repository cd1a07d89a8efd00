"""An execution environment: one process at a time, one invocation at a time, and what becomes of both.

Fidelity: an environment outlives its process. After a timeout or a crash Lambda resets it and initialises it again
inside the next invocation that it gets, with the same /tmp; so does this one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.lambda_service import invocations
from emulator.lambda_service.environment_state import EnvironmentOwner, State
from emulator.lambda_service.functions import FunctionVersion
from emulator.lambda_service.initialisation import OUT_OF_MEMORY, PROVISIONED, STOPPED, InitFailure, Initialisation
from emulator.lambda_service.invocations import UNHANDLED, ApiError, Invocation, InvocationResult
from emulator.lambda_service.logs import LogTail
from emulator.lambda_service.memory import MemoryWatch
from emulator.lambda_service.platform_log import PlatformLog
from emulator.lambda_service.processes import EnvironmentProcess, Launcher
from emulator.lambda_service.runtime_api import RuntimeApi
from emulator.lambda_service.temporary_folders import TemporaryFolders, remove

# Lambda's limit on initialising, and on what runs after a restore.
INIT_LIMIT_S = 10.0
# What a provisioned environment may take, or the function's timeout if that is more.
PROVISIONED_INIT_LIMIT_S = 130.0


class ExecutionEnvironment:
    """One environment.

    Parameters
    ----------
    function : FunctionVersion
        What it runs.
    owner : EnvironmentOwner
        Told what becomes of it.
    launcher : Launcher
        Where its processes come from.
    variables : callable
        Runtime API address → a process's variables.
    log : PlatformLog
        START, END, REPORT and the like.
    init_limit_s : float
        How long its process may take to initialise before it is started anew, inside the invocation; and to be
        restored.
    folders : TemporaryFolders, optional
        Where its own folder of temporary files is made; without, it has the machine's.
    """

    def __init__(
        self,
        function: FunctionVersion,
        owner: EnvironmentOwner,
        launcher: Launcher,
        variables: Callable[[str], Mapping[str, str]],
        log: PlatformLog,
        init_limit_s: float = INIT_LIMIT_S,
        folders: TemporaryFolders | None = None,
    ) -> None:
        self.state = State.STARTING
        self.idle_since = 0.0
        self.is_provisioned = False
        """Whether it is kept initialised for requests to come; set before `start`."""
        self.is_fresh = True
        """Whether its first invocation is still to come, and will be a cold start."""
        self.init_failure: bytes | None = None
        """Why it could not be initialised ahead of its first invocation; no reason is having taken long."""
        self._function = function
        self._owner = owner
        self._variables = variables
        self._log = log
        self._init_limit_s = init_limit_s
        self._folders = folders
        self._folder: Path | None = None
        self._runtime = RuntimeApi(self)
        self._initialisation = Initialisation(launcher, log, init_limit_s)
        self._process: EnvironmentProcess | None = None
        # The one before: told to end, and perhaps not gone yet.
        self._ending: EnvironmentProcess | None = None
        self._memory = MemoryWatch(function.spec.memory_mb, self._is_at_work, self._run_out_of_memory)
        self._current: Invocation | None = None
        self._is_begun = False
        self._is_delivered = False
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._tail: LogTail | None = None
        self._restarting: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process's id, while there is one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it is ready, or has failed to be; the owner is told which."""
        limit_s = self._init_limit_s
        if self.is_provisioned:
            self.is_fresh = False
            limit_s = max(PROVISIONED_INIT_LIMIT_S, self._function.spec.timeout_s)
        failure = await self._initialise("init", limit_s)
        if self.state is State.STOPPED:
            return
        if failure is None:
            self._become_free()
        elif failure.is_final or self.is_provisioned:
            self._close()
            self._owner.environment_failed_to_start(self, failure.payload, failure.api_error)
        else:
            # Lambda says nothing yet: it tries again, inside the invocation and under the function's timeout.
            self.init_failure = None if failure.status == "timeout" else failure.payload
            self._reset()

    def invoke(self, invocation: Invocation) -> None:
        """Take an invocation; only while `State.IDLE` or `State.RESET`."""
        has_process = self.state is State.IDLE
        self.state = State.BUSY
        self.is_fresh = False
        self._current = invocation
        self._is_begun = self._is_delivered = False
        self._began = time.perf_counter()
        timeout_s = self._function.spec.timeout_s
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._time_out)
        if invocation.want_log_tail:
            self._tail = LogTail()
            if self._process is not None:
                self._process.output.tail = self._tail
        if self._memory.is_resting:
            self._memory.wake()
        if not has_process:
            self._restart()
        # A process that has just died takes nothing: once its end is noticed, another one is started.
        elif self._runtime.is_polled and self._process is not None and self._process.is_alive():
            self._deliver()

    def stop(self) -> None:
        """End the process; a caller whose invocation is under way is told that the runtime was killed."""
        if self.state is State.STOPPED:
            return
        current = self._current
        self._close()
        if current is not None:
            self._finish(current, invocations.exited(current.request_id, -9), "error", "Runtime.ExitError")

    async def wait_stopped(self) -> None:
        """Wait until it is stopped and its process is gone."""
        await self._stopped.wait()
        if self._restarting is not None:
            await asyncio.wait({self._restarting})
        if self._ending is not None:
            await asyncio.shield(self._ending.ended)

    # What the runtime says -------------------------------------------------------------------------------

    def runtime_asks_for_next(self) -> None:
        """See `RuntimeEvents`."""
        if self._initialisation.is_under_way:
            self._initialisation.end(None)
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
        self._initialisation.end(InitFailure(payload))

    # ------------------------------------------------------------------------------------------------------

    async def _initialise(self, phase: str, limit_s: float) -> InitFailure | None:
        """Get a process ready; return None, or why not."""
        self._runtime.stop()
        # A listener of its own for each process: nothing is heard any more of the one before.
        self._runtime = RuntimeApi(self)
        try:
            variables = dict(self._variables(await self._runtime.start()))
            if self._folders is not None and self._folder is None:
                self._folder = self._folders.make()
        except OSError as error:
            payload = invocations.error_payload("Runtime.StartFailed", str(error))
            return InitFailure(payload, is_final=True)
        if self.state is State.STOPPED:
            self._runtime.stop()
            return STOPPED
        if self.is_provisioned:
            variables["AWS_LAMBDA_INITIALIZATION_TYPE"] = PROVISIONED
        if self._folder is not None:
            variables["TMPDIR"] = str(self._folder)
        failure = await self._initialisation.run(variables, limit_s, phase, self._take_process)
        if failure is not None:
            self._end_process()
        return failure

    def _take_process(self, process: EnvironmentProcess) -> None:
        self._process = process
        process.output.tail = self._tail
        process.ended.add_done_callback(lambda ended: self._process_ended(process, ended.result()))
        self._memory.begin(process.pid)

    def _restart(self) -> None:
        """Initialise again, on the time of the invocation that is there."""
        assert self._current is not None
        self._begin(self._current)
        work = self._initialise_within(self._current, self._restarting)
        self._restarting = asyncio.get_running_loop().create_task(work)

    async def _initialise_within(self, invocation: Invocation, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            # Its invocation timed out while its process was still being made.
            await asyncio.wait({before})
        if self._current is not invocation:
            return
        # The invocation's own timer ends it.
        failure = await self._initialise("invoke", self._function.spec.timeout_s)
        if self._current is not invocation:
            self._end_process()
        elif failure is None:
            self._deliver()
        elif failure.status == "timeout":
            self._time_out()
        else:
            self._finish(invocation, failure.payload, "error", failure.said_type, failure.api_error)
            self._reset()

    def _begin(self, invocation: Invocation) -> None:
        self._is_begun = True
        self._log.started(invocation.request_id, self._tail)

    def _deliver(self) -> None:
        invocation = self._current
        assert invocation is not None
        self._is_delivered = True
        if not self._is_begun:
            self._begin(invocation)
        left_s = self._function.spec.timeout_s - (time.perf_counter() - self._began)
        deadline_ms = int((time.time() + left_s) * 1000)
        self._runtime.send_invocation(
            invocation.request_id,
            invocation.payload,
            deadline_ms,
            invocation.arn,
            invocation.trace_id,
            invocation.client_context,
        )

    def _take(self, request_id: str) -> Invocation | None:
        """Return the invocation that an answer is for; None for one that is over."""
        current = self._current
        if current is None or current.request_id != request_id:
            return None
        return current

    def _finish(
        self,
        invocation: Invocation,
        payload: bytes,
        failure: str | None,
        error_type: str | None = None,
        api_error: ApiError | None = None,
    ) -> None:
        """Write the report and give the caller the answer. The environment's state is the caller's business."""
        self._current = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._process is not None:
            self._process.output.drain()
            self._process.output.tail = None
        self._log.ended(
            invocation.request_id,
            (time.perf_counter() - self._began) * 1000,
            self._function.spec.memory_mb if error_type == OUT_OF_MEMORY else self._memory.peak_mb(),
            init_ms=self._initialisation.init_ms,
            restore_ms=self._initialisation.restore_ms,
            status="success" if failure is None else failure,
            error_type=error_type,
            tail=self._tail,
        )
        self._initialisation.init_ms = self._initialisation.restore_ms = None
        log_tail = None if self._tail is None else self._tail.value
        self._tail = None
        if not invocation.result.done():
            error = None if failure is None else UNHANDLED
            result = InvocationResult(payload, error, self._function.version, log_tail, api_error)
            invocation.result.set_result(result)

    def _become_free(self) -> None:
        if self.state is not State.STOPPED:
            self.state = State.IDLE
            self.idle_since = time.monotonic()
            self._owner.environment_is_free(self)

    def _time_out(self) -> None:
        current = self._current
        if current is None:
            return
        payload = invocations.timed_out(current.request_id, self._function.spec.timeout_s)
        self._finish(current, payload, "timeout")
        self._reset(InitFailure(payload, "timeout"))

    def _is_at_work(self) -> bool:
        return self.state in {State.STARTING, State.BUSY}

    def _run_out_of_memory(self) -> None:
        """End the process as the kernel does where a sandbox has no memory left."""
        if self._initialisation.is_under_way:
            self._initialisation.end(InitFailure(invocations.exited("", -9), error_type=OUT_OF_MEMORY))
            return
        current = self._current
        if current is not None:
            self._finish(current, invocations.exited(current.request_id, -9), "error", OUT_OF_MEMORY)
        self._reset()

    def _process_ended(self, process: EnvironmentProcess, status: int | None) -> None:
        """The process is gone: by its own doing, unless it was ended here."""
        if process is not self._process or self.state in {State.STOPPED, State.RESET}:
            return
        if self._initialisation.is_under_way:
            self._initialisation.end(InitFailure(invocations.exited("", status)))
        elif self._current is None:
            if self.state is State.IDLE:
                self._reset()
        elif self._is_delivered:
            payload = invocations.exited(self._current.request_id, status)
            self._finish(self._current, payload, "error", "Runtime.ExitError")
            self._reset()
        else:
            self._restart()

    def _reset(self, failure: InitFailure = STOPPED) -> None:
        """Go without a process until the next invocation."""
        self.state = State.RESET
        self.idle_since = time.monotonic()
        self.is_fresh = True
        self._initialisation.end(failure)
        self._end_process()
        self._owner.environment_was_reset(self)

    def _close(self) -> None:
        self.state = State.STOPPED
        if self._timer is not None:
            self._timer.cancel()
        self._initialisation.end(STOPPED)
        self._end_process()
        self._runtime.stop()
        if self._folder is not None:
            asyncio.get_running_loop().run_in_executor(None, remove, self._folder)
        self._stopped.set()

    def _end_process(self) -> None:
        self._memory.end()
        if self._process is not None:
            self._process.kill()
            self._ending, self._process = self._process, None
