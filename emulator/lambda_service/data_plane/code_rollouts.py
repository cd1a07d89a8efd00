"""Shifts an alias to a new version as CodeDeploy does: first a hook, then steps, each watched for errors.

All that it has done is in the alias's weights. A deployment that was cut off is found by the next start, which deploys
what isn't deployed yet: with a weight on the new version it goes on from there, without one it begins anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

from emulator.lambda_service.control_plane.operations import Operations
from emulator.lambda_service.errors import LambdaApiError
from emulator.lambda_service.function_version import FunctionVersion
from emulator.lambda_service.invocation import InvocationResult, error_words
from emulator.template.errors import ProjectError
from emulator.template.project import FunctionSpec

SUCCEEDED, FAILED = "Succeeded", "Failed"
_FIRST_SERVER_ERROR = 500


class RolledBackError(ProjectError):
    """The new version got no traffic, or lost what it had: all of it goes to the version before."""


@dataclass(slots=True)
class _Execution:
    """One call of a hook, and the status that it has put."""

    deployment_id: str
    status: str | None = None


class CodeRollouts:
    """Runs the rollouts of one emulator.

    Parameters
    ----------
    operations : Operations
        The aliases.
    submit : callable
        Calls a function by name.
    longest_wait_s : float or None
        Shortens the wait after each step.
    """

    def __init__(
        self,
        operations: Operations,
        submit: Callable[[str, bytes], Awaitable[InvocationResult]],
        longest_wait_s: float | None,
    ) -> None:
        self._operations = operations
        self._submit = submit
        self._longest_wait_s = longest_wait_s
        # The versions that a rollout watches, and the first failure of each.
        self.watched: dict[FunctionVersion, asyncio.Future[str]] = {}
        self._executions: dict[str, _Execution] = {}

    async def shift(
        self, spec: FunctionSpec, version: str, hook: FunctionSpec | None, waits: Callable[[], None]
    ) -> str:
        """Take every step but the last, which moves the alias itself; call `waits` when a first wait begins.

        Returns
        -------
        str
            The alias's revision after the steps.

        Raises
        ------
        RolledBackError
            The hook failed, or a request to the new version did.
        PreconditionFailedError
            Somebody else has changed the alias meanwhile.
        """
        assert spec.alias is not None
        assert spec.rollout is not None
        alias = await asyncio.to_thread(self._operations.aliases.get, function_name=spec.name, name=spec.alias)
        revision = str(alias["RevisionId"])
        if alias["FunctionVersion"] == version:
            return revision
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        begun = weights.get(version, 0.0)
        try:
            if hook is not None and not begun:
                await self._ask(hook)
            for share, wait_s in spec.rollout.steps:
                if share >= begun:
                    revision = await self._set_weights(spec, {version: share}, revision)
                    waits()
                    await self._watch(spec, version, wait_s)
        except RolledBackError as error:
            if begun or revision != alias["RevisionId"]:
                await self._set_weights(spec, {}, revision)
            raise RolledBackError(
                f"{spec.name}: version {version} is rolled back, so {spec.alias} stays at version "
                f"{alias['FunctionVersion']}: {error}"
            ) from error
        return revision

    def count(self, function: FunctionVersion, done: asyncio.Future[InvocationResult]) -> None:
        """Note how a request to a watched version has ended."""
        failure = None if done.cancelled() or done.exception() else _failure(done.result())
        watch = self.watched.get(function)
        if failure is not None and watch is not None and not watch.done():
            watch.set_result(failure)

    def put_status(self, deployment_id: str, execution_id: str, status: str) -> None:
        """Take a hook's answer: CodeDeploy's `PutLifecycleEventHookExecutionStatus`."""
        execution = self._executions.get(execution_id)
        if execution is None:
            raise LambdaApiError(
                "InvalidLifecycleEventHookExecutionIdException", 400, f"No hook runs as {execution_id!r}."
            )
        if execution.deployment_id != deployment_id:
            raise LambdaApiError("DeploymentDoesNotExistException", 400, f"No deployment {deployment_id!r} runs.")
        if status not in (SUCCEEDED, FAILED):
            raise LambdaApiError(
                "InvalidLifecycleEventHookExecutionStatusException", 400, f"{status!r} is neither Succeeded nor Failed."
            )
        if execution.status is not None:
            raise LambdaApiError("LifecycleEventAlreadyCompletedException", 400, "The hook has put its status.")
        execution.status = status

    async def _ask(self, hook: FunctionSpec) -> None:
        """Call the hook; raise unless it puts ``Succeeded`` before it ends."""
        execution_id, deployment_id = str(uuid4()), f"d-{uuid4().hex[:9].upper()}"
        execution = self._executions[execution_id] = _Execution(deployment_id)
        event = {"DeploymentId": deployment_id, "LifecycleEventHookExecutionId": execution_id}
        try:
            result = await self._submit(hook.name, json.dumps(event).encode())
        except LambdaApiError as error:
            raise RolledBackError(f"its hook {hook.logical_id} can't be called: {error.message}") from error
        finally:
            del self._executions[execution_id]
        if execution.status == SUCCEEDED:
            return
        # Fidelity: AWS waits an hour for a status, also from a function that has failed.
        reason = "has put no status"
        if execution.status is not None:
            reason = f"has put {execution.status}: {result.payload.decode('utf-8', 'replace')}"
        elif result.function_error is not None:
            reason = f"failed: {error_words(result.payload)}"
        raise RolledBackError(f"its hook {hook.logical_id} {reason}")

    async def _set_weights(self, spec: FunctionSpec, weights: dict[str, float], revision: str) -> str:
        """Set the alias's weights, unless somebody else has changed it since a revision; return its new revision."""
        assert spec.alias is not None
        config, update = {"AdditionalVersionWeights": weights}, self._operations.aliases.update
        alias = await asyncio.to_thread(
            update, function_name=spec.name, name=spec.alias, routing_config=config, revision_id=revision
        )
        return str(alias["RevisionId"])

    async def _watch(self, spec: FunctionSpec, version: str, wait_s: float) -> None:
        """Wait until the next step; raise at the first failure of the version if the template has alarms."""
        assert spec.rollout is not None
        function = self._operations.catalogue.runnable(spec.name, version)
        if function is None:
            raise RolledBackError("the version was deleted meanwhile")
        wait_s = wait_s if self._longest_wait_s is None else min(wait_s, self._longest_wait_s)
        failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if spec.rollout.watches_errors:
            self.watched[function] = failure
        try:
            await asyncio.wait([failure], timeout=wait_s)
        finally:
            self.watched.pop(function, None)
        if failure.done():
            raise RolledBackError(failure.result())


def _failure(result: InvocationResult) -> str | None:
    """Return what is wrong with a result: the function's error or an answer of 5xx; None if nothing is."""
    if result.function_error is not None:
        return f"a request to it failed: {error_words(result.payload)}"
    try:
        answer = json.loads(result.payload)
    except ValueError:
        return None
    status = answer.get("statusCode") if isinstance(answer, dict) else None
    return f"it answered {status}" if isinstance(status, int) and status >= _FIRST_SERVER_ERROR else None
