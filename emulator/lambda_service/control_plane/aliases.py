"""Operations on aliases: names that point to one version, or to two by weight."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from emulator.lambda_service.control_plane.account import AliasRecord, FunctionRecord
from emulator.lambda_service.control_plane.catalogue import Catalogue, check_revision
from emulator.lambda_service.control_plane.concurrency import check_can_be_provisioned
from emulator.lambda_service.control_plane.names import check_alias_name, check_version_name
from emulator.lambda_service.control_plane.pages import Body, page
from emulator.lambda_service.errors import (
    InvalidParameterError,
    ResourceConflictError,
    ResourceNotFoundError,
    ValidationError,
)
from emulator.lambda_service.function_version import LATEST

_LONGEST_DESCRIPTION = 256


class AliasOperations:
    """`CreateAlias`, `GetAlias`, `UpdateAlias`, `ListAliases`, `DeleteAlias`.

    Parameters
    ----------
    catalogue : Catalogue
        What they read and change.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

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
        check_alias_name(name)
        with self._catalogue.lock:
            function, _ = self._catalogue.find(function_name)
            if name in function.aliases:
                raise ResourceConflictError(f"Alias already exists: {self._catalogue.place.arn(function.name, name)}")
            alias = AliasRecord(
                name=name,
                version=function_version,
                revision_id=self._catalogue.new_revision(),
                description=_checked_description(description or ""),
                weights=_weights(routing_config),
            )
            return self._keep_alias(function, alias)

    def get(self, *, function_name: str, name: str) -> Body:
        """Return an alias."""
        function, _ = self._catalogue.find(function_name)
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
        with self._catalogue.lock:
            function, _ = self._catalogue.find(function_name)
            alias = self._alias(function, name)
            check_revision(revision_id, alias.revision_id)
            changed = dataclasses.replace(
                alias,
                version=alias.version if function_version is None else function_version,
                description=alias.description if description is None else _checked_description(description),
                weights=alias.weights if routing_config is None else _weights(routing_config),
                revision_id=self._catalogue.new_revision(),
            )
            return self._keep_alias(function, changed)

    def list(
        self,
        *,
        function_name: str,
        function_version: str | None = None,
        marker: str | None = None,
        max_items: int | None = None,
    ) -> Body:
        """List a function's aliases by name, or those that point to a version."""
        function, _ = self._catalogue.find(function_name)
        if function_version:
            check_version_name(function_version)
        aliases = [
            self._describe_alias(function, alias)
            for _, alias in sorted(function.aliases.items())
            if not function_version or function_version in alias.versions
        ]
        return page("Aliases", aliases, marker, max_items)

    def delete(self, *, function_name: str, name: str) -> None:
        """Delete an alias with its settings; an unknown one counts as deleted, as on AWS."""
        check_alias_name(name)
        with self._catalogue.lock:
            function, _ = self._catalogue.find(function_name)
            if name in function.aliases:
                self._catalogue.keep(function.without_qualifier(name))

    def check(self, function: FunctionRecord, alias: AliasRecord) -> None:
        """Raise unless an alias may point to its versions."""
        _check_weights(alias)
        for version in alias.versions:
            record = function.version(version)
            if record is None:
                raise ResourceNotFoundError(f"Function not found: {self._catalogue.place.arn(function.name, version)}")
            if alias.name in function.provisioned:
                check_can_be_provisioned(record)
                if version in function.provisioned:
                    raise InvalidParameterError(
                        "Alias with Provisioned Concurrency can't point to an already Provisioned version"
                    )

    def _alias(self, function: FunctionRecord, name: str) -> AliasRecord:
        alias = function.aliases.get(name)
        if alias is None:
            raise ResourceNotFoundError(f"Cannot find alias arn: {self._catalogue.place.arn(function.name, name)}")
        return alias

    def _keep_alias(self, function: FunctionRecord, alias: AliasRecord) -> Body:
        self.check(function, alias)
        self._catalogue.keep(dataclasses.replace(function, aliases={**function.aliases, alias.name: alias}))
        return self._describe_alias(function, alias)

    def _describe_alias(self, function: FunctionRecord, alias: AliasRecord) -> Body:
        body: Body = {
            "AliasArn": self._catalogue.place.arn(function.name, alias.name),
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
    member = "routingConfig.additionalVersionWeights"
    checked = {}
    for version, weight in weights.items():
        if version != LATEST:
            check_version_name(version, member)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0.0 <= weight <= 1.0:
            raise ValidationError(weight, member, "Member must have value between 0 and 1")
        checked[version] = float(weight)
    return checked


def _check_weights(alias: AliasRecord) -> None:
    check_version_name(alias.version)
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


def _checked_description(text: str) -> str:
    if len(text) > _LONGEST_DESCRIPTION:
        raise ValidationError(
            text, "description", f"Member must have length less than or equal to {_LONGEST_DESCRIPTION}"
        )
    return text
