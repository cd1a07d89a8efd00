"""The environments of one function version: each serves one request at a time, more are started on demand.

Fidelity: a request that finds no idle environment starts one, and is served by whichever environment is free first.
Lambda's documents don't say whether it waits for its own. Lambda's traces show environments that were started for a
request and first used by a later one ("proactive initialisation"), as here.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from emulator.lambda_service.data_plane.environment import ExecutionEnvironment, State
from emulator.lambda_service.data_plane.ledger import BurstRate
from emulator.lambda_service.invocation import (
    STOPPED,
    UNHANDLED,
    InitFailure,
    Invocation,
    InvocationResult,
    start_failed,
)
from emulator.supervision import BackgroundTasks

STARTED_AT_ONCE = 4
"""How many provisioned environments start at the same time, so that many of them leave the machine some time."""
MakeEnvironment = Callable[["EnvironmentPool"], ExecutionEnvironment]


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool at one moment."""

    function: str
    version: str
    by_state: dict[str, int]  # `State` value → how many environments
    waiting: int
    cold_starts: int  # Requests that were an environment's first, since the pool was made
    warm_starts: int  # All others
    provisioned_wanted: int  # How many environments are to be kept initialised
    provisioned_ready: int
    provisioning_failure: bytes | None  # Lambda's error, if the environment provisioned last could not be initialised
    pids: tuple[int, ...]


class EnvironmentPool:
    """Gives invocations to the environments of one version; `make` returns one that isn't started yet.

    The pool doesn't limit the requests in flight, which the account's ledger has admitted, but how fast it adds
    environments for them (`burst`), and under a debugger how many (`most`): further requests wait.
    """

    def __init__(
        self,
        name: str,
        version: str,
        make: MakeEnvironment,
        burst: BurstRate | None = None,
        most: int | None = None,
    ) -> None:
        self._name = name
        self._version = version
        self._make = make
        self._burst = burst
        self._most = most
        self._environments: set[ExecutionEnvironment] = set()
        # Invariant: each of them is `State.IDLE`; one that is stopped or reset is removed in the same step.
        # The environment used last is used next, so that the others stay idle and are reaped.
        self._idle: list[ExecutionEnvironment] = []
        # Environments without a process: their next request initialises them again. Used before a new one is added.
        self._reset: list[ExecutionEnvironment] = []
        # Invariant: at least as many environments are starting as invocations wait, unless there are as many as may be.
        self._waiting: deque[Invocation] = deque()
        self._starting: set[ExecutionEnvironment] = set()
        self._provisioned: set[ExecutionEnvironment] = set()
        # Provisioned environments without a request so far; and how many such environments ended in a row.
        self._untried: set[ExecutionEnvironment] = set()
        self._ended_untried = 0
        self._replacing: asyncio.TimerHandle | None = None
        self._provisioned_wanted = 0
        self._provisioning_failure: bytes | None = None
        self._served = 0
        self._cold_starts = 0
        # Callers that wait until any environment is ready.
        self._prepared: list[asyncio.Future[bytes | None]] = []
        # `drain` and `close` wait for them.
        self._tasks = BackgroundTasks()
        self._draining = False
        self._closed = False

    @property
    def size(self) -> int:
        """How many environments there are, starting ones included."""
        return len(self._environments)

    def submit(self, invocation: Invocation) -> None:
        """Run an invocation in an environment; its result is set when it ends.

        Raise `TooManyRequestsError` if it needs a new environment, and the burst rate is used up.
        """
        if self._idle:
            self._give(self._idle.pop(), invocation)
            return
        if self._reset:
            self._give(self._reset.pop(), invocation)
            return
        # A starting environment may be left over: another one has served its request. Then no further one is needed.
        if len(self._starting) <= len(self._waiting) and (self._most is None or self.size < self._most):
            if self._burst is not None:
                self._burst.take(self._name)
            self._start_environment()
        self._waiting.append(invocation)

    async def prepare(self) -> bytes | None:
        """Get an environment ready before the first request; return None, or Lambda's error if that fails."""
        if self._draining or self._closed:
            return STOPPED.payload
        if self._idle:
            return None
        prepared: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._prepared.append(prepared)
        if not self._starting:
            self._start_environment()
        return await prepared

    def provision(self, count: int) -> None:
        """Keep `count` environments initialised, even if no request needs them."""
        # Provisioned environments are for many requests at once.
        self._provisioned_wanted = count = count if self._most is None else 0
        self._provisioning_failure = None
        self._ended_untried = 0
        while len(self._provisioned) > count:
            # From now on it is an ordinary environment, which is reaped when it is idle.
            self._provisioned.pop().is_provisioned = False
        self._keep_provisioned()

    def reap(self, idle_for_s: float) -> int:
        """Stop the environments that have been idle for `idle_for_s` seconds; return how many."""
        oldest = time.monotonic() - idle_for_s
        spare = [*self._idle, *self._reset]
        idle = [
            environment
            for environment in spare
            if environment.idle_since <= oldest and environment not in self._provisioned
        ]
        self._stop(idle)
        return len(idle)

    async def drain(self) -> None:
        """Stop the idle environments now and the busy ones after their answers; return when all are gone."""
        self._draining = True
        self._end_provisioning()
        self._provisioned.clear()
        environments = list(self._environments)
        self.vacate()
        self._tell_prepared(STOPPED.payload)
        await asyncio.gather(*(environment.wait_stopped() for environment in environments))
        await self._tasks.wait()

    def vacate(self) -> None:
        """Stop the environments that no request needs now, provisioned ones included."""
        self._stop([*self._idle, *self._reset])
        if not self._waiting:
            self._stop(list(self._starting))
            self._tell_prepared(STOPPED.payload)

    async def close(self) -> None:
        """Stop every environment and wait until their processes are gone."""
        self._closed = True
        self._end_provisioning()
        self._stop(list(self._environments))
        while self._waiting:
            self._fail(self._waiting.popleft(), STOPPED)
        self._tell_prepared(STOPPED.payload)
        await self._tasks.wait()

    def status(self) -> PoolStatus:
        """Return the pool's figures at this moment."""
        states = Counter(environment.state.value for environment in self._environments)
        ready = sum(environment.state in {State.IDLE, State.BUSY} for environment in self._provisioned)
        return PoolStatus(
            function=self._name,
            version=self._version,
            by_state={state.value: states[state.value] for state in State if state is not State.STOPPED},
            waiting=len(self._waiting),
            cold_starts=self._cold_starts,
            warm_starts=self._served - self._cold_starts,
            provisioned_wanted=self._provisioned_wanted,
            provisioned_ready=ready,
            provisioning_failure=self._provisioning_failure,
            pids=tuple(environment.pid for environment in self._environments if environment.pid is not None),
        )

    def environment_is_free(self, environment: ExecutionEnvironment) -> None:
        """See `EnvironmentOwner`."""
        self._starting.discard(environment)
        self._tell_prepared(None)
        if len(self._provisioned) < self._provisioned_wanted and self._replacing is None:
            self._start_provisioned()
        if self._waiting:
            self._give(environment, self._waiting.popleft())
        elif self._draining:
            self._stop([environment])
        else:
            self._idle.append(environment)

    def environment_was_reset(self, environment: ExecutionEnvironment) -> None:
        """See `EnvironmentOwner`."""
        if environment in self._starting:
            self._starting.discard(environment)
            self._tell_prepared(environment.init_failure)
        if environment in self._idle:
            self._idle.remove(environment)
        if self._waiting:
            self._give(environment, self._waiting.popleft())
        elif self._draining:
            self._stop([environment])
        elif environment in self._provisioned:
            self._replace_provisioned(environment)
        else:
            self._reset.append(environment)

    def environment_failed_to_start(self, environment: ExecutionEnvironment, failure: InitFailure) -> None:
        """See `EnvironmentOwner`."""
        if environment in self._provisioned:
            # Not tried again: a function that can't be initialised would be started over and over.
            self._provisioned_wanted = len(self._provisioned) - 1
            self._provisioning_failure = failure.payload
        self._forget(environment)
        self._tell_prepared(failure.payload)
        # A failed start fails the request that it was for, unless another environment has served that meanwhile.
        if len(self._waiting) > len(self._starting):
            self._fail(self._waiting.popleft(), failure)
        if self._waiting and not self._environments:
            # Those that waited for an environment which could be the only one.
            self._start_environment()

    def _tell_prepared(self, failure: bytes | None) -> None:
        for prepared in self._prepared:
            if not prepared.done():
                prepared.set_result(failure)
        self._prepared.clear()

    def _give(self, environment: ExecutionEnvironment, invocation: Invocation) -> None:
        self._served += 1
        if environment in self._untried:
            self._untried.discard(environment)
            self._ended_untried = 0
        if environment.is_fresh:
            self._cold_starts += 1
        environment.invoke(invocation)

    def _keep_provisioned(self) -> None:
        if self._replacing is not None:
            self._replacing.cancel()
            self._replacing = None
        self._start_provisioned()

    def _start_provisioned(self) -> None:
        """Start the provisioned environments that are missing, a few at a time."""
        more = STARTED_AT_ONCE - len(self._provisioned & self._starting)
        missing = self._provisioned_wanted - len(self._provisioned)
        for _ in range(min(more, missing) if not self._closed else 0):
            environment = self._start_environment(is_provisioned=True)
            self._provisioned.add(environment)
            self._untried.add(environment)

    def _replace_provisioned(self, environment: ExecutionEnvironment) -> None:
        """Replace an environment that has ended: at once if it has had a request, else after a growing pause."""
        was_untried = environment in self._untried
        self._stop([environment])
        if not was_untried:
            self._keep_provisioned()
        elif self._replacing is None:
            pause_s = pause_before_replacing(self._ended_untried)
            self._ended_untried += 1
            self._replacing = asyncio.get_running_loop().call_later(pause_s, self._keep_provisioned)

    def _end_provisioning(self) -> None:
        self._provisioned_wanted = 0
        self._keep_provisioned()

    def _start_environment(self, *, is_provisioned: bool = False) -> ExecutionEnvironment:
        environment = self._make(self)
        environment.is_provisioned = is_provisioned
        self._environments.add(environment)
        self._starting.add(environment)
        name = f"start an environment of {self._name}"
        self._tasks.start(environment.start(), name, lambda error: self._give_up_start(environment, error))
        return environment

    def _give_up_start(self, environment: ExecutionEnvironment, error: BaseException) -> None:
        """Give up an environment whose start raised; its request gets an error, and the next request another one."""
        environment.stop()
        reason = f"the emulator could not start the environment: {error!r}"
        self.environment_failed_to_start(environment, start_failed(reason))

    def _stop(self, environments: list[ExecutionEnvironment]) -> None:
        for environment in environments:
            self._forget(environment)
            environment.stop()

    def _forget(self, environment: ExecutionEnvironment) -> None:
        """Drop an environment that is stopped or about to be; `drain` and `close` wait for its process's end."""
        self._tasks.start(environment.wait_stopped(), f"wait for the end of an environment of {self._name}")
        self._environments.discard(environment)
        self._starting.discard(environment)
        self._provisioned.discard(environment)
        self._untried.discard(environment)
        for spare in (self._idle, self._reset):
            if environment in spare:
                spare.remove(environment)

    def _fail(self, invocation: Invocation, failure: InitFailure) -> None:
        if not invocation.result.done():
            result = InvocationResult(failure.payload, UNHANDLED, self._version, api_error=failure.api_error)
            invocation.result.set_result(result)


def pause_before_replacing(ended_before: int) -> float:
    """Return how long to wait, in seconds, after a provisioned environment has ended without a request.

    `ended_before` is how many environments have ended so in a row before this one.
    """
    return float(min(2 ** min(ended_before, 6), 60))
