"""Lambda's data plane: finds the version that a request goes to, and passes it to one of its environments."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.lambda_service.control_plane.account import Account
from emulator.lambda_service.control_plane.catalogue import ACCOUNT_CONCURRENCY
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.control_plane.progress import ChangesInProgress
from emulator.lambda_service.data_plane.code_rollouts import CodeRollouts, RolledBackError
from emulator.lambda_service.data_plane.debugging import Debugger
from emulator.lambda_service.data_plane.deployer import Deployer, DeploymentError, deploy_new
from emulator.lambda_service.data_plane.environment import INIT_LIMIT_S
from emulator.lambda_service.data_plane.event_queue.recursion import MAX_CALLS_IN_CHAIN, count_call
from emulator.lambda_service.data_plane.event_queue.retries import EventPolicy, QueuedEvent, read_policy
from emulator.lambda_service.data_plane.faults import FaultInjector
from emulator.lambda_service.data_plane.fleet import Fleet, most_provisioned
from emulator.lambda_service.data_plane.ledger import BurstRate, ConcurrencyLedger
from emulator.lambda_service.data_plane.pool import EnvironmentPool
from emulator.lambda_service.data_plane.running_version import RunningVersion, Surroundings, new_request_id, utc_now
from emulator.lambda_service.errors import LambdaApiError, TooManyRequestsError, UnavailableFunctionError
from emulator.lambda_service.function_version import common_variables
from emulator.lambda_service.invocation import Invocation, InvocationResult
from emulator.lambda_service.log_groups.sink import LogSink
from emulator.lambda_service.sandbox.base_process import BaseProcess
from emulator.lambda_service.sandbox.temporary_folders import TemporaryFolders
from emulator.template.left_out import LeftOut, LeftOutParts
from emulator.template.project import FunctionSpec, UnavailableFunction

_REAP_AT_LEAST_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one emulator."""

    concurrency: int = ACCOUNT_CONCURRENCY  # The account's limit on requests in flight
    idle_s: float = 600.0  # How long an environment may idle before it is stopped
    init_s: float = INIT_LIMIT_S  # Lambda's limit on initialising an environment
    rollout_wait_s: float | None = None  # The longest wait between two steps of a rollout of code; None, the template's
    update_s: float = 0.0  # How long a change by Lambda's API is in progress


class LambdaService:
    """The functions of an account, ready to be called; made by `open_service`."""

    def __init__(
        self,
        operations: Operations,
        specs: Mapping[str, FunctionSpec],
        sink: LogSink,
        machine: Mapping[str, str],
        limits: Limits,
        draw: Callable[[], float],
        debugger: Debugger | None = None,
        unavailable: Mapping[str, UnavailableFunction] | None = None,
    ) -> None:
        self._unavailable = unavailable or {}
        self.operations = operations
        self.ledger = ConcurrencyLedger(limits.concurrency)
        self.faults = FaultInjector(draw, time.monotonic)
        self._specs = specs
        self._sink = sink
        self._limits = limits
        self._draw = draw
        self._folders = TemporaryFolders()
        region, burst = operations.catalogue.arn_scope.region, BurstRate(time.monotonic)
        code = operations.catalogue.code
        # Functions call Lambda and CodeDeploy where this emulator answers.
        self._endpoints: dict[str, str] = {}
        self._debugger = debugger
        self._base = BaseProcess(common_variables(machine), sink)
        surroundings = Surroundings(
            sink, machine, region, limits.init_s, burst, self._folders, code, self._base, self._endpoints, debugger
        )
        self._fleet = Fleet(
            operations.catalogue,
            self.ledger,
            lambda function: RunningVersion(function, surroundings),
            most_provisioned=most_provisioned(),
        )
        self.rollouts = CodeRollouts(operations, self.submit, limits.rollout_wait_s)
        self.deployer = Deployer(specs, operations, self._fleet, self.rollouts)
        self._deployed = {name: asyncio.Event() for name in specs}

    def start(self) -> None:
        """Begin to prepare the versions of aliases, to deploy changed functions, and to stop idle environments."""
        self._fleet.start()
        tasks = self._fleet.tasks
        for name in self._specs:
            tasks.start(self._bring_up_to_date(name), f"deploy {name}")
        tasks.keep_running(self._reap, "stop idle environments")

    async def deployed(self) -> None:
        """Wait until every changed function is deployed, waits for the next step of its rollout, or has failed."""
        await asyncio.gather(*(deployed.wait() for deployed in self._deployed.values()))

    def set_endpoint(self, url: str) -> None:
        """Let the functions' clients of Lambda and CodeDeploy call this address."""
        self._endpoints.update({f"AWS_ENDPOINT_URL_{service}": url for service in ("LAMBDA", "CODEDEPLOY")})

    def submit(
        self,
        name: str,
        payload: bytes,
        qualifier: str | None = None,
        trace_id: str = "",
        *,
        client_context: str | None = None,
        want_log_tail: bool = False,
        request_id: str | None = None,
    ) -> asyncio.Future[InvocationResult]:
        """Call a function; return a future of its result, which may be the function's error.

        Fidelity: cancelling the future doesn't stop the function, just as a caller that hangs up doesn't on AWS.

        Raises
        ------
        ResourceNotFoundError
            The function, version or alias doesn't exist.
        UnavailableFunctionError
            The function can't run here.
        TooManyRequestsError
            The function's or the account's concurrency is used up.
        """
        try:
            resolved = self.operations.catalogue.resolve(name, qualifier, self._draw())
        except UnavailableFunctionError as error:
            self.note(error.message)
            raise
        function = resolved.function
        running = self._fleet.get(function)

        def run(delay_s: float = 0.0) -> asyncio.Future[InvocationResult]:
            result: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
            call_id = request_id or new_request_id()
            arn = resolved.arn_used
            call = Invocation(call_id, payload, arn, trace_id, result, client_context, want_log_tail, delay_s)
            running.pool.submit(call)
            return result

        name = function.spec.name
        self.ledger.claim(name)
        try:
            result = self.faults.submit(name, run, version=function.version) if self.faults.is_set else run()
        except BaseException as error:
            self.ledger.release(name)
            if isinstance(error, TooManyRequestsError):
                self.ledger.count_throttle(name)
            raise
        result.add_done_callback(lambda _: self.ledger.release(name))
        if function in self.rollouts.watched:
            result.add_done_callback(lambda done: self.rollouts.count(function, done))
        return asyncio.shield(result)

    def is_debugged(self, name: str) -> bool:
        """Return whether a function runs under a debugger: then its callers wait as long as it takes."""
        return self._debugger is not None and self._debugger.spec.name == name

    def start_debugged(self) -> None:
        """Start the environment that waits for the debugger, so that it can attach before the first request."""
        if self._debugger is not None:
            spec = self._debugger.spec
            resolved = self.operations.catalogue.resolve(spec.name, spec.alias, self._draw())
            self._fleet.tasks.start(self._fleet.get(resolved.function).pool.prepare(), f"start {spec.name}")

    def event(
        self,
        name: str,
        payload: bytes,
        qualifier: str | None = None,
        trace_id: str = "",
        *,
        client_context: str | None = None,
        request_id: str | None = None,
    ) -> QueuedEvent:
        """Return an asynchronous call of a function, for the queue. An alias is resolved at each attempt.

        Raises
        ------
        LambdaApiError
            The function, version or alias is unknown or unready.
        """
        self.operations.catalogue.check_created(name, qualifier)
        request_id = request_id or new_request_id()
        options: Any = {"client_context": client_context, "request_id": request_id}
        call = {"name": name, "qualifier": qualifier, "trace_id": trace_id, **options}
        function, target = self.operations.catalogue.get_qualified(name, qualifier)
        arn = self.operations.catalogue.arn_scope.arn(function.name, target)
        trace_id, calls = count_call(trace_id, request_id, arn)
        run = functools.partial(self.submit, name, payload, qualifier, trace_id, **options)
        policy = functools.partial(self.event_policy, name, qualifier)
        is_recursive = calls > MAX_CALLS_IN_CHAIN
        return QueuedEvent(function.name, request_id, payload, run, policy, arn, trace_id, is_recursive, call)

    def event_policy(self, name: str, qualifier: str | None) -> EventPolicy:
        """Return how often and for how long a function's asynchronous events are tried, as it is configured now."""
        catalogue = self.operations.catalogue
        try:
            function, qualifier = catalogue.get_qualified(name, qualifier)
        except LambdaApiError:
            # It was deleted meanwhile.
            return EventPolicy()
        record = function.event_invoke.get(qualifier)
        config = {} if record is None else record.settings
        return read_policy(config, catalogue.get_version(function, qualifier).settings.get("DeadLetterConfig") or {})

    def pools(self) -> Iterable[EnvironmentPool]:
        """Return the environments of every version that has any."""
        return [running.pool for running in self._fleet.all()]

    def note(self, text: str) -> None:
        """Write a line of the emulator's own into the functions' output."""
        self._sink.write(f"emulator: {text}\n".encode())

    async def reset(self) -> None:
        """Deploy the template's functions into an empty account, and end every environment at once.

        As at a start, a function that can't be deployed is named in the log, and its calls are refused.
        """
        for part in await asyncio.to_thread(self._deploy_anew):
            self.note(str(part))
        self._fleet.let_requests_wait()
        await self._fleet.end_absent()
        self.ledger.clear_throttles()
        await asyncio.to_thread(self.operations.catalogue.remove_unused_code, [])
        self.start_debugged()

    def _deploy_anew(self) -> Iterable[LeftOut]:
        catalogue, left_out = self.operations.catalogue, LeftOutParts()
        with catalogue.lock:
            before = catalogue.account
            catalogue.replace_account(Account())
            try:
                deploy_new(self.operations, self._specs.values(), self._unavailable.values(), left_out)
            except BaseException:
                catalogue.replace_account(before)
                raise
        return left_out.parts

    async def close(self) -> None:
        """Stop every environment, wait until no process is left, and release the lock on the state's folder."""
        await self._fleet.close()
        await self._base.close()
        self._folders.close()
        self.operations.close()

    async def _bring_up_to_date(self, logical_id: str) -> None:
        deployed = self._deployed[logical_id]
        if self._specs[logical_id].version_variables:
            # Fidelity: CloudFormation publishes a version before it deploys a function that names it.
            others = [event for name, event in self._deployed.items() if not self._specs[name].version_variables]
            await asyncio.gather(*(event.wait() for event in others))
        try:
            if (sentence := await self.deployer.redeploy(logical_id, waits=deployed.set)) is not None:
                self.note(sentence)
        except (DeploymentError, LambdaApiError, RolledBackError) as error:
            self.note(str(error))
        finally:
            deployed.set()

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(min(self._limits.idle_s / 4, _REAP_AT_LEAST_EVERY_S))
            self._fleet.reap(self._limits.idle_s)


def open_service(
    functions: Mapping[str, FunctionSpec],
    sink: LogSink,
    machine: Mapping[str, str],
    *,
    region: str,
    account_id: str,
    limits: Limits,
    state_dir: Path | None = None,
    private: Iterable[Path] = (),
    unavailable: Mapping[str, UnavailableFunction] | None = None,
    strict: bool = False,
    draw: Callable[[], float],
    debugger: Debugger | None = None,
) -> LambdaService:
    """Return a service with the functions of a template.

    A new function is deployed here, with its first version and its alias, since nobody calls it yet. Functions that
    have changed are deployed by `LambdaService.start`.

    Parameters
    ----------
    functions : mapping
        By logical id.
    sink : LogSink
        Where functions' output and Lambda's lines go.
    machine : mapping
        The emulator's own environment variables.
    region, account_id : str
        For ARNs and variables.
    state_dir : Path, optional
        The folder of versions and aliases; without it they are lost when the service ends.
    private : iterable of Path
        Folders and files that are never part of a function's code.
    unavailable : mapping, optional
        The functions that can't run, by logical id; they are shown, and calls of them refused.
    strict : bool
        Raise `UnsupportedError` for a function that can't be deployed, instead of refusing calls of it.
    draw : callable
        Returns a random number from [0, 1), which chooses between an alias's versions.
    debugger : Debugger, optional
        The function that runs under a debugger.

    Raises
    ------
    StateError
        The folder can't be used.
    UnsupportedError
        Only if it is strict: a function can't be deployed.
    """
    changes = ChangesInProgress(limits.update_s, time.monotonic)
    operations = open_operations(
        state_dir,
        ArnScope(region, account_id),
        utc_now,
        concurrency=limits.concurrency,
        private=private,
        changes=changes,
    )
    left_out = LeftOutParts(strict=strict)
    named: Mapping[str, FunctionSpec | UnavailableFunction] = {**functions, **(unavailable or {})}
    operations.catalogue.logical_ids = {logical_id: function.name for logical_id, function in named.items()}
    try:
        deploy_new(operations, functions.values(), (unavailable or {}).values(), left_out)
    except BaseException:
        operations.close()
        raise
    for part in left_out.parts:
        sink.write(f"emulator: {part}\n".encode())
    return LambdaService(operations, functions, sink, machine, limits, draw, debugger, unavailable)
