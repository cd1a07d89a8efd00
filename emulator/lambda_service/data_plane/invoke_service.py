"""Lambda's data plane: finds the version that a request goes to, and passes it to one of its environments."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.lambda_service.control_plane.catalogue import ACCOUNT_CONCURRENCY
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.data_plane.deployer import Deployer, DeploymentError
from emulator.lambda_service.data_plane.environment import INIT_LIMIT_S
from emulator.lambda_service.data_plane.faults import FaultInjector
from emulator.lambda_service.data_plane.fleet import Fleet
from emulator.lambda_service.data_plane.ledger import BurstRate, ConcurrencyLedger
from emulator.lambda_service.data_plane.pool import EnvironmentPool
from emulator.lambda_service.data_plane.retries import EventPolicy
from emulator.lambda_service.data_plane.running_version import RunningVersion, Surroundings, utc_now
from emulator.lambda_service.errors import LambdaApiError
from emulator.lambda_service.invocation import Invocation, InvocationResult
from emulator.lambda_service.sandbox.logs import LogSink
from emulator.lambda_service.sandbox.temporary_folders import TemporaryFolders
from emulator.template.errors import UnsupportedError
from emulator.template.project import FunctionSpec

_REAP_AT_LEAST_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one emulator."""

    concurrency: int = ACCOUNT_CONCURRENCY  # The account's limit on requests in flight
    idle_s: float = 600.0  # How long an environment may idle before it is stopped
    init_s: float = INIT_LIMIT_S  # Lambda's limit on initialising an environment


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
    ) -> None:
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
        surroundings = Surroundings(sink, machine, region, limits.init_s, burst, self._folders, code)
        self._fleet = Fleet(operations.catalogue, self.ledger, lambda function: RunningVersion(function, surroundings))
        self.deployer = Deployer(specs, operations, self._fleet)
        self._deploying: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to prepare the versions of aliases, to deploy changed functions, and to stop idle environments."""
        self._fleet.start()
        tasks = self._fleet.tasks
        self._deploying = [tasks.start(self._bring_up_to_date(name), f"deploy {name}") for name in self._specs]
        tasks.keep_running(self._reap, "stop idle environments")

    async def deployed(self) -> None:
        """Wait until every changed function is deployed, or has failed to be."""
        await asyncio.gather(*self._deploying, return_exceptions=True)

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
        TooManyRequestsError
            The function's or the account's concurrency is used up.
        """
        resolved = self.operations.catalogue.resolve(name, qualifier, self._draw())
        function = resolved.function
        running = self._fleet.get(function)

        def run(delay_s: float = 0.0) -> asyncio.Future[InvocationResult]:
            result: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
            call_id = request_id or _new_request_id()
            arn = resolved.arn_used
            call = Invocation(call_id, payload, arn, trace_id, result, client_context, want_log_tail, delay_s)
            running.pool.submit(call)
            return result

        name = function.spec.name
        self.ledger.claim(name)
        try:
            result = self.faults.submit(name, run, version=function.version) if self.faults.is_set else run()
        except BaseException:
            self.ledger.release(name)
            raise
        result.add_done_callback(lambda _: self.ledger.release(name))
        return asyncio.shield(result)

    def event_policy(self, name: str, qualifier: str | None) -> EventPolicy:
        """Return how often and for how long a function's asynchronous events are tried, as it is configured now."""
        default = EventPolicy()
        try:
            config = self.operations.event_invoke.get(function_name=name, qualifier=qualifier)
        except LambdaApiError:
            # It has no configuration, and Lambda's defaults hold.
            return default
        return EventPolicy(
            config.get("MaximumRetryAttempts", default.max_retries),
            config.get("MaximumEventAgeInSeconds", default.max_age_s),
        )

    def pools(self) -> Iterable[EnvironmentPool]:
        """Return the environments of every version that has any."""
        return [running.pool for running in self._fleet.all()]

    def note(self, text: str) -> None:
        """Write a line of the emulator's own into the functions' output."""
        self._sink.write(f"emulator: {text}\n".encode())

    async def close(self) -> None:
        """Stop every environment, wait until no process is left, and release the lock on the state's folder."""
        await self._fleet.close()
        self._folders.close()
        self.operations.close()

    async def _bring_up_to_date(self, logical_id: str) -> None:
        try:
            if await self.deployer.redeploy(logical_id):
                self.note(f"{logical_id} has changed since the last start; it is deployed")
        except (DeploymentError, LambdaApiError) as error:
            self.note(str(error))

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
    draw: Callable[[], float],
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
    draw : callable
        Returns a random number from [0, 1), which chooses between an alias's versions.

    Raises
    ------
    StateError
        The folder can't be used.
    UnsupportedError
        A function can't be deployed.
    """
    operations = open_operations(
        state_dir, ArnScope(region, account_id), utc_now, concurrency=limits.concurrency, private=private
    )
    try:
        for spec in functions.values():
            record = operations.catalogue.account.functions.get(spec.name)
            if record is None or not (record.deployed or record.aliases):
                _deploy_first(operations, spec)
    except BaseException:
        operations.close()
        raise
    return LambdaService(operations, functions, sink, machine, limits, draw)


def _deploy_first(operations: Operations, spec: FunctionSpec) -> None:
    try:
        digest = operations.template.update(spec)
        if spec.alias is not None:
            published = operations.versions.publish(function_name=spec.name)
            operations.template.point_alias(spec, published["Version"], digest)
    except LambdaApiError as error:
        raise UnsupportedError(spec.logical_id, "Properties", error.message) from error


def _new_request_id() -> str:
    """Return a random UUID, version 4, five times as fast as ``uuid`` does."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
