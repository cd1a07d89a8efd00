"""Deploys code to a function that is being called, without losing a request.

A new version is published and made ready to answer before its alias points to it. The version before answers the
requests that it has taken, and its environments end after them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from emulator.lambda_service.control_plane.operations import Operations
from emulator.lambda_service.data_plane.fleet import Fleet
from emulator.template.errors import ProjectError
from emulator.template.project import FunctionSpec


class DeploymentError(ProjectError):
    """A new version can't answer, so the alias isn't moved to it."""


class Deployer:
    """Deploys the functions of a template; `specs` is by logical id."""

    def __init__(self, specs: Mapping[str, FunctionSpec], operations: Operations, fleet: Fleet) -> None:
        self._specs = specs
        self._operations = operations
        self._fleet = fleet
        # Invariant: only one deployment of a function runs at a time.
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def redeploy(self, logical_id: str, *, is_save: bool = False) -> bool:
        """Deploy a function from its folders, with the template's settings; return whether anything has changed.

        Of the versions that saved files have caused (`is_save`) only the last few stay.

        Raises
        ------
        LambdaApiError
            The folder can't be used.
        DeploymentError
            The code can't be initialised.
        """
        spec = self._specs[logical_id]
        async with self._locks[spec.name]:
            digest = await asyncio.to_thread(self._operations.template.update, spec)
            if digest is not None and spec.alias is not None:
                await self._publish(spec, digest, is_save=is_save)
            return digest is not None

    async def _publish(self, spec: FunctionSpec, digest: str, *, is_save: bool) -> None:
        assert spec.alias is not None
        versions = self._operations.versions
        publish = versions.publish_saved if is_save else versions.publish
        version = (await asyncio.to_thread(publish, function_name=spec.name))["Version"]
        runnable = self._operations.catalogue.runnable(spec.name, version)
        reason = "the version was deleted meanwhile" if runnable is None else await self._fleet.prepare(runnable)
        if reason is not None:
            # It doesn't count as deployed, so the next start tries again.
            raise DeploymentError(
                f"{spec.name}: version {version} can't be initialised, so {spec.alias!r} isn't moved to it: {reason}"
            )
        await asyncio.to_thread(self._operations.template.point_alias, spec, version, digest)
