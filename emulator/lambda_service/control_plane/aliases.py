"""Operations on aliases: names that point to one version, or to two by weight.

The control API has checked names, versions and weights by AWS's service model before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.lambda_service.control_plane.account import AliasRecord, FunctionRecord
from emulator.lambda_service.control_plane.attributes.concurrency import check_can_be_provisioned
from emulator.lambda_service.control_plane.catalogue import Catalogue, check_revision
from emulator.lambda_service.control_plane.pages import Body, page
from emulator.lambda_service.errors import InvalidParameterError, ResourceConflictError, ResourceNotFoundError
from emulator.lambda_service.function_version import LATEST


@dataclass(frozen=True, slots=True)
class AliasOperations:
    """`CreateAlias`, `GetAlias`, `UpdateAlias`, `ListAliases`, `DeleteAlias`."""

    catalogue: Catalogue

    def create(
        self,
        *,
        function_name: str,
        name: str,
        function_version: str,
        description: str | None = None,
        routing_config: Mapping[str, Any] | None = None,
    ) -> Body:
        """Create an alias; `routing_config` is in AWS's names."""
        with self.catalogue.lock:
            function, _ = self.catalogue.get_function(function_name)
            if name in function.aliases:
                raise ResourceConflictError(
                    f"Alias already exists: {self.catalogue.arn_scope.arn(function.name, name)}"
                )
            alias = AliasRecord(
                name=name,
                version=function_version,
                revision_id=self.catalogue.new_revision(),
                description=description or "",
                weights=_weights(routing_config),
            )
            return self._save_alias(function, alias)

    def get(self, *, function_name: str, name: str) -> Body:
        """Return an alias."""
        function, _ = self.catalogue.get_function(function_name)
        return self._describe_alias(function, self._alias(function, name))

    def update(
        self,
        *,
        function_name: str,
        name: str,
        function_version: str | None = None,
        description: str | None = None,
        routing_config: Mapping[str, Any] | None = None,
        revision_id: str | None = None,
    ) -> Body:
        """Change an alias; None leaves a value as it is, an empty map of weights clears them."""
        with self.catalogue.lock:
            function, _ = self.catalogue.get_function(function_name)
            alias = self._alias(function, name)
            check_revision(revision_id, alias.revision_id)
            changed = dataclasses.replace(
                alias,
                version=alias.version if function_version is None else function_version,
                description=alias.description if description is None else description,
                weights=alias.weights if routing_config is None else _weights(routing_config),
                revision_id=self.catalogue.new_revision(),
            )
            return self._save_alias(function, changed)

    def list(
        self,
        *,
        function_name: str,
        function_version: str | None = None,
        marker: str | None = None,
        max_items: int | None = None,
    ) -> Body:
        """List a function's aliases by name, or those that point to a version."""
        function, _ = self.catalogue.get_function(function_name)
        aliases = [
            self._describe_alias(function, alias)
            for _, alias in sorted(function.aliases.items())
            if not function_version or function_version in alias.versions
        ]
        return page("Aliases", aliases, marker, max_items)

    def delete(self, *, function_name: str, name: str) -> None:
        """Delete an alias with its settings; an unknown one counts as deleted, as on AWS."""
        with self.catalogue.lock:
            function, _ = self.catalogue.get_function(function_name)
            if name in function.aliases:
                self.catalogue.save(function.without_qualifier(name))

    def check(self, function: FunctionRecord, alias: AliasRecord) -> None:
        """Raise unless an alias may point to its versions."""
        _check_weights(alias)
        for version in alias.versions:
            record = function.find_version(version)
            if record is None:
                raise ResourceNotFoundError(
                    f"Function not found: {self.catalogue.arn_scope.arn(function.name, version)}"
                )
            if alias.name in function.provisioned:
                check_can_be_provisioned(record)
                if version in function.provisioned:
                    raise ResourceConflictError(
                        "Alias with Provisioned Concurrency can't point to an already Provisioned version"
                    )

    def _alias(self, function: FunctionRecord, name: str) -> AliasRecord:
        alias = function.aliases.get(name)
        if alias is None:
            raise ResourceNotFoundError(f"Cannot find alias arn: {self.catalogue.arn_scope.arn(function.name, name)}")
        return alias

    def _save_alias(self, function: FunctionRecord, alias: AliasRecord) -> Body:
        self.check(function, alias)
        self.catalogue.save(dataclasses.replace(function, aliases={**function.aliases, alias.name: alias}))
        return self._describe_alias(function, alias)

    def _describe_alias(self, function: FunctionRecord, alias: AliasRecord) -> Body:
        body: Body = {
            "AliasArn": self.catalogue.arn_scope.arn(function.name, alias.name),
            "Name": alias.name,
            "FunctionVersion": alias.version,
            "Description": alias.description,
            "RevisionId": alias.revision_id,
        }
        if alias.weights:
            body["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
        return body


def _weights(routing_config: Mapping[str, Any] | None) -> dict[str, float]:
    """Return the further versions of a ``RoutingConfig``."""
    weights = (routing_config or {}).get("AdditionalVersionWeights") or {}
    return {version: float(weight) for version, weight in weights.items()}


def _check_weights(alias: AliasRecord) -> None:
    if len(alias.weights) > 1:
        raise InvalidParameterError(
            "Number of items in AdditionalVersionWeights cannot be greater than 1. "
            f"Current number of items: {len(alias.weights)}"
        )
    if alias.weights and LATEST in alias.versions:
        raise InvalidParameterError("$LATEST is not supported for an alias pointing to more than 1 version")
    if alias.version in alias.weights:
        raise InvalidParameterError(
            f"Invalid function version {alias.version}. Function version {alias.version} is already included in "
            "routing configuration."
        )
