"""An execution environment: one process at a time, one invocation at a time, and what becomes of both.

Fidelity: an environment outlives its process. After a timeout or a crash Lambda resets it and initialises it again
inside the next invocation that it gets, with the same /tmp; so does this one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.lambda_service import invocation
from emulator.lambda_service.data_plane.environment_state import EnvironmentOwner, State
from emulator.lambda_service.data_plane.initialisation import (
    OUT_OF_MEMORY,
    PROVISIONED,
    STOPPED,
    InitFailure,
    Initialisation,
)
from emulator.lambda_service.data_plane.invocation_run import InvocationRun
from emulator.lambda_service.function_version import FunctionVersion
from emulator.lambda_service.invocation import ApiError, Invocation
from emulator.lambda_service.sandbox.memory import MemoryWatch
from emulator.lambda_service.sandbox.platform_log import PlatformLog
from emulator.lambda_service.sandbox.processes import EnvironmentProcess, Launcher
from emulator.lambda_service.sandbox.runtime_api import RuntimeApi
from emulator.lambda_service.sandbox.temporary_folders import TemporaryFolders, remove
from emulator.supervision import BackgroundTasks

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
        # The ends of those before: told to end, and not gone yet.
        self._ending: set[asyncio.Future[int | None]] = set()
        self._memory = MemoryWatch(function.spec.memory_mb, self._is_at_work, self._run_out_of_memory)
        self._run: InvocationRun | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._delay: asyncio.TimerHandle | None = None
        self._restarting: asyncio.Task[None] | None = None
        self._tasks = BackgroundTasks()
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
        self._run = run = InvocationRun(invocation, self._function, self._log)
        self._timer = asyncio.get_running_loop().call_later(self._function.spec.timeout_s, self._time_out)
        if run.tail is not None and self._process is not None:
            self._process.output.tail = run.tail
        if self._memory.is_resting:
            self._memory.wake()
        if not has_process:
            self._restart(run)
        # A process that has just died takes nothing: once its end is noticed, another one is started.
        elif self._runtime.is_polled and self._process is not None and self._process.is_alive():
            self._deliver(run)

    def stop(self) -> None:
        """End the process; a caller whose invocation is under way is told that the runtime was killed."""
        if self.state is State.STOPPED:
            return
        run = self._run
        self._close()
        if run is not None:
            self._fail(run, -9, "Runtime.ExitError")

    async def wait_stopped(self) -> None:
        """Wait until it is stopped and its process is gone."""
        await self._stopped.wait()
        if self._restarting is not None:
            await asyncio.wait({self._restarting})
        if self._ending:
            await asyncio.wait(self._ending)

    # What the runtime says -------------------------------------------------------------------------------

    def runtime_asks_for_next(self) -> None:
        """See `RuntimeEvents`."""
        if self._initialisation.is_under_way:
            self._initialisation.end(None)
        elif self._run is not None and not self._run.is_delivered:
            self._deliver(self._run)

    def runtime_answered(self, request_id: str, payload: bytes, size_bytes: int) -> None:
        """See `RuntimeEvents`."""
        run = self._run
        if run is None or run.invocation.request_id != request_id:
            return  # An answer to what is over.
        if size_bytes > invocation.MAX_ANSWER_BYTES:
            self._finish(run, invocation.too_large(size_bytes), "error")
        else:
            self._finish(run, payload, None)
        self._become_free()

    def runtime_failed(self, request_id: str, payload: bytes) -> None:
        """See `RuntimeEvents`."""
        run = self._run
        if run is not None and run.invocation.request_id == request_id:
            self._finish(run, payload, "error")
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
            payload = invocation.error_payload("Runtime.StartFailed", str(error))
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
        process.output.tail = None if self._run is None else self._run.tail
        process.ended.add_done_callback(lambda ended: self._process_ended(process, ended.result()))
        self._memory.begin(process.pid)

    def _deliver(self, run: InvocationRun) -> None:
        """Hand an invocation to the runtime, which asks for one; later where a fault on purpose says so."""
        left_s = run.delay_left_s()
        if left_s > 0:
            run.begin()
            if self._delay is not None:
                self._delay.cancel()
            self._delay = asyncio.get_running_loop().call_later(left_s, self._deliver, run)
        elif self._run is not run or run.is_delivered or not self._runtime.is_polled:
            return  # The process has ended meanwhile; the next one asks for it.
        else:
            run.deliver(self._runtime)

    def _restart(self, run: InvocationRun) -> None:
        """Initialise again, on the time of the invocation that is there."""
        run.begin()
        work, name = self._initialise_within(run, self._restarting), f"restart an environment of {self._function.arn}"
        self._restarting = self._tasks.start(work, name, lambda _: self._restart_broke(run))

    def _restart_broke(self, run: InvocationRun) -> None:
        if self._run is run:
            self._fail(run, None, "Runtime.StartFailed")
            self._reset()

    async def _initialise_within(self, run: InvocationRun, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            # Its invocation timed out while its process was still being made.
            await asyncio.wait({before})
        if self._run is not run:
            return
        # The invocation's own timer ends it.
        failure = await self._initialise("invoke", self._function.spec.timeout_s)
        if self._run is not run:
            self._end_process()
        elif failure is None:
            self._deliver(run)
        elif failure.status == "timeout":
            self._time_out()
        else:
            self._finish(run, failure.payload, "error", failure.said_type, failure.api_error)
            self._reset()

    def _finish(
        self,
        run: InvocationRun,
        payload: bytes,
        failure: str | None,
        error_type: str | None = None,
        api_error: ApiError | None = None,
    ) -> None:
        """End an invocation. The environment's state is the caller's business."""
        self._run = None
        for timer in (self._timer, self._delay):
            if timer is not None:
                timer.cancel()
        self._timer = self._delay = None
        if self._process is not None:
            self._process.output.drain()
            self._process.output.tail = None
        peak_mb = self._function.spec.memory_mb if error_type == OUT_OF_MEMORY else self._memory.peak_mb()
        run.end(payload, failure, peak_mb, self._initialisation, error_type=error_type, api_error=api_error)

    def _fail(self, run: InvocationRun, status: int | None, error_type: str) -> None:
        """End an invocation whose process has ended with this status."""
        self._finish(run, invocation.exited(run.invocation.request_id, status), "error", error_type)

    def _become_free(self) -> None:
        if self.state is not State.STOPPED:
            self.state = State.IDLE
            self.idle_since = time.monotonic()
            self._owner.environment_is_free(self)

    def _time_out(self) -> None:
        run = self._run
        if run is None:
            return
        payload = invocation.timed_out(run.invocation.request_id, self._function.spec.timeout_s)
        self._finish(run, payload, "timeout")
        self._reset(InitFailure(payload, "timeout"))

    def _is_at_work(self) -> bool:
        return self.state in {State.STARTING, State.BUSY}

    def _run_out_of_memory(self) -> None:
        """End the process as the kernel does where a sandbox has no memory left."""
        if self._initialisation.is_under_way:
            self._initialisation.end(InitFailure(invocation.exited("", -9), error_type=OUT_OF_MEMORY))
            return
        if self._run is not None:
            self._fail(self._run, -9, OUT_OF_MEMORY)
        self._reset()

    def _process_ended(self, process: EnvironmentProcess, status: int | None) -> None:
        """The process is gone: by its own doing, unless it was ended here."""
        if process is not self._process or self.state in {State.STOPPED, State.RESET}:
            return
        if self._initialisation.is_under_way:
            self._initialisation.end(InitFailure(invocation.exited("", status)))
        elif self._run is None:
            if self.state is State.IDLE:
                self._reset()
        elif self._run.is_delivered:
            self._fail(self._run, status, "Runtime.ExitError")
            self._reset()
        else:
            self._restart(self._run)

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
            ended, self._process = self._process.ended, None
            if not ended.done():
                self._ending.add(ended)
                ended.add_done_callback(self._ending.discard)
