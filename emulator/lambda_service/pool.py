"""The environments of one function version: given out one request each, grown on demand, reaped when idle.

Fidelity: a request that finds none idle starts one, and is served by whichever is free first, that one or
another; Lambda's documents do not say which it does, and its traces show environments that were started for a
request and first used by a later one ("proactive initialisation"), which is what this gives.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from emulator.lambda_service import invocations
from emulator.lambda_service.environments import ExecutionEnvironment, State
from emulator.lambda_service.invocations import UNHANDLED, Invocation, InvocationResult, TooManyRequestsError

MakeEnvironment = Callable[["EnvironmentPool"], ExecutionEnvironment]


class EnvironmentPool:
    """Environments of one version.

    Parameters
    ----------
    name : str
        The function, for messages.
    version : str
        The version, for results.
    make : callable
        Pool → an environment that is not started yet.
    limit : int
        The most environments at once.
    """

    def __init__(self, name: str, version: str, make: MakeEnvironment, limit: int) -> None:
        self._name = name
        self._version = version
        self._make = make
        self._limit = limit
        self._environments: set[ExecutionEnvironment] = set()
        # The one used last is used next, so that those that are not needed stay idle and are reaped.
        self._idle: list[ExecutionEnvironment] = []
        # Invariant: at least as many environments are starting as invocations wait.
        self._waiting: deque[Invocation] = deque()
        self._starting: set[ExecutionEnvironment] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def size(self) -> int:
        """How many environments there are, starting ones included."""
        return len(self._environments)

    def submit(self, invocation: Invocation) -> None:
        """Have an invocation run; its result is set when it is over.

        Raises
        ------
        TooManyRequestsError
            All environments are busy and there may be no more.
        """
        while self._idle:
            environment = self._idle.pop()
            if environment.state is State.IDLE:
                environment.invoke(invocation)
                return
        # One that starts for a request that another environment has served meanwhile is as good as a new one.
        if len(self._starting) <= len(self._waiting):
            if len(self._environments) >= self._limit:
                raise TooManyRequestsError(self._name, self._limit)
            self._start_one()
        self._waiting.append(invocation)

    def reap(self, idle_for_s: float) -> int:
        """Stop the environments that nobody has needed for so long; return how many."""
        oldest = time.monotonic() - idle_for_s
        gone = [environment for environment in self._idle if environment.idle_since <= oldest]
        for environment in gone:
            self._forget(environment)
            environment.stop()
        return len(gone)

    async def close(self) -> None:
        """Stop every environment and wait until their processes are gone."""
        self._closed = True
        environments = list(self._environments)
        for environment in environments:
            self._forget(environment)
            environment.stop()
        while self._waiting:
            self._fail(self._waiting.popleft(), invocations.error_payload("Runtime.ExitError", "stopped"))
        await asyncio.gather(*(environment.wait_stopped() for environment in environments), *self._tasks)

    def environment_is_free(self, environment: ExecutionEnvironment) -> None:
        """See `EnvironmentOwner`."""
        self._starting.discard(environment)
        if self._waiting:
            environment.invoke(self._waiting.popleft())
        elif environment.state is State.IDLE:
            self._idle.append(environment)

    def environment_stopped(self, environment: ExecutionEnvironment, undelivered: Invocation | None) -> None:
        """See `EnvironmentOwner`."""
        self._forget(environment)
        if undelivered is not None and not self._closed:
            # It was accepted, so it is not turned away now: its environment's place is free.
            self._waiting.appendleft(undelivered)
            self._start_one()

    def environment_failed_to_start(self, environment: ExecutionEnvironment, payload: bytes) -> None:
        """See `EnvironmentOwner`."""
        self._forget(environment)
        # A failed start costs the request that it was for. Where that one has been served by another
        # environment meanwhile, it costs nobody.
        if len(self._waiting) > len(self._starting):
            self._fail(self._waiting.popleft(), payload)

    def _start_one(self) -> None:
        environment = self._make(self)
        self._environments.add(environment)
        self._starting.add(environment)
        task = asyncio.get_running_loop().create_task(environment.start())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self, environment: ExecutionEnvironment) -> None:
        self._environments.discard(environment)
        self._starting.discard(environment)
        if environment in self._idle:
            self._idle.remove(environment)

    def _fail(self, invocation: Invocation, payload: bytes) -> None:
        if not invocation.result.done():
            invocation.result.set_result(InvocationResult(payload, UNHANDLED, self._version))
