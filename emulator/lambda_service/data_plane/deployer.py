"""Deploys code to a function that is being called, without losing a request.

A new version is published and made ready to answer before its alias points to it. The version before answers the
requests that it has taken, and its environments end after them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from emulator.lambda_service.control_plane.operations import Operations
from emulator.lambda_service.control_plane.template_functions import TemplateChange
from emulator.lambda_service.data_plane.code_rollouts import CodeRollouts
from emulator.lambda_service.data_plane.fleet import Fleet
from emulator.lambda_service.errors import LambdaApiError, PreconditionFailedError
from emulator.template.errors import ProjectError, UnsupportedError
from emulator.template.left_out import LeftOutParts
from emulator.template.project import FunctionSpec, UnavailableFunction


class DeploymentError(ProjectError):
    """The alias isn't moved to a new version: it can't answer, or somebody else has moved the alias meanwhile."""


class Deployer:
    """Deploys the functions of a template; `specs` is by logical id."""

    def __init__(
        self, specs: Mapping[str, FunctionSpec], operations: Operations, fleet: Fleet, rollouts: CodeRollouts
    ) -> None:
        self._specs = specs
        self._operations = operations
        self._fleet = fleet
        self._rollouts = rollouts
        # What the start could not deploy, by function. The watcher, which then looks at all code, must not save it.
        self._refused: dict[str, str] = {}
        # Invariant: only one deployment of a function runs at a time.
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # Invariant: nothing is waited for with one of these, so that functions can be each other's hooks.
        self._update_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def redeploy(
        self, logical_id: str, *, is_save: bool = False, waits: Callable[[], None] = lambda: None
    ) -> str | None:
        """Deploy a function from its folders, with the template's settings, as CloudFormation does.

        A saved file (`is_save`) is deployed as ``sam sync`` does: it always makes a version that the alias moves to, at
        once. Of these versions only the last few stay. `waits` is called when a rollout begins to wait for its next
        step.

        Returns
        -------
        str or None
            What has been deployed, in a sentence; None if nothing has changed.

        Raises
        ------
        LambdaApiError
            The folder can't be used.
        DeploymentError
            The code can't be initialised, or somebody else has changed the alias while it was shifted.
        RolledBackError
            The rollout's hook refused it, or its requests failed.
        """
        spec = self._specs[logical_id]
        async with self._locks[spec.name]:
            change = await self._update(spec)
            if change is None or (is_save and self._refused.get(spec.name) == change.digest):
                return None
            if spec.alias is not None:
                if not (change.makes_version or is_save):
                    return await self._keep(spec, change)
                try:
                    await self._publish(spec, change, is_save=is_save, waits=waits)
                except (LambdaApiError, ProjectError):
                    if not is_save:
                        self._refused[spec.name] = change.digest
                    raise
        if is_save:
            return f"{logical_id}: changed code is deployed"
        return f"{logical_id} has changed since the last start; it is deployed"

    async def _keep(self, spec: FunctionSpec, change: TemplateChange) -> str:
        version, is_the_same = await asyncio.to_thread(self._operations.template.keep_alias, spec, change)
        if is_the_same:
            return f"{spec.logical_id} has changed since the last start; it is deployed"
        return (
            f"{spec.logical_id} changed but its version's hash did not, so {spec.alias} stays at version {version}, as "
            "on AWS; another value of its AutoPublishCodeSha256 publishes a version"
        )

    async def _publish(
        self, spec: FunctionSpec, change: TemplateChange, *, is_save: bool, waits: Callable[[], None]
    ) -> None:
        publish = self._operations.versions.publish_deployed
        version = (await asyncio.to_thread(publish, function_name=spec.name, is_saved=is_save))["Version"]
        runnable = self._operations.catalogue.runnable(spec.name, version)
        reason = "the version was deleted meanwhile" if runnable is None else await self._fleet.prepare(runnable)
        if reason is not None:
            # It doesn't count as deployed, so the next start tries again.
            raise DeploymentError(
                f"{spec.name}: version {version} can't be initialised, so {spec.alias!r} isn't moved to it: {reason}"
            )
        try:
            revision = None if is_save else await self._shift(spec, version, waits)
            await asyncio.to_thread(self._operations.template.point_alias, spec, version, change, revision)
        except PreconditionFailedError as error:
            raise DeploymentError(
                f"{spec.name}: somebody else has changed {spec.alias!r} while it was shifted to version {version}, so "
                "it stays as it is now; the next start tries again"
            ) from error

    async def _shift(self, spec: FunctionSpec, version: str, waits: Callable[[], None]) -> str | None:
        """Shift the alias in the steps of the template; return its revision, or None if there is nothing to shift."""
        if spec.rollout is None or spec.alias not in self._operations.catalogue.account.functions[spec.name].aliases:
            return None
        hook = self._specs.get(spec.rollout.hook or "")
        if hook is not None:
            # CloudFormation deploys the hook before the alias that refers to it.
            await self._update(hook)
        return await self._rollouts.shift(spec, version, hook, waits)

    async def _update(self, spec: FunctionSpec) -> TemplateChange | None:
        async with self._update_locks[spec.name]:
            return await asyncio.to_thread(self._operations.template.update, spec)


def deploy_new(
    operations: Operations,
    specs: Iterable[FunctionSpec],
    unavailable: Iterable[UnavailableFunction],
    left_out: LeftOutParts,
) -> None:
    """Deploy the functions that the account doesn't have yet, before anybody can call them.

    One that can't be deployed is shown and can't be called, as those are that can't run at all: the unavailable ones.
    """
    for spec in specs:
        record = operations.catalogue.account.functions.get(spec.name)
        if record is not None and (record.deployed or record.aliases):
            continue
        try:
            _deploy_first(operations, spec)
        except UnsupportedError as error:
            part = left_out.leave_out(error, "calls are refused")
            properties = {"Handler": spec.handler, "Runtime": spec.runtime}
            operations.template.declare(UnavailableFunction(spec.logical_id, spec.name, part, properties))
    for function in unavailable:
        operations.template.declare(function)


def _deploy_first(operations: Operations, spec: FunctionSpec) -> None:
    try:
        change = operations.template.update(spec)
        if spec.alias is not None and change is not None:
            published = operations.versions.publish_deployed(function_name=spec.name, is_saved=False)
            operations.template.point_alias(spec, published["Version"], change)
    except LambdaApiError as error:
        raise UnsupportedError(spec.logical_id, "Properties", error.message) from error
