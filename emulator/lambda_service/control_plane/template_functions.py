"""Deploys a template's function into an account, as CloudFormation does. These aren't operations of Lambda's API."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.lambda_service.control_plane.account import (
    AliasRecord,
    Code,
    EventInvokeRecord,
    FunctionRecord,
    Layer,
    ProvisionedRecord,
    VersionRecord,
    without,
)
from emulator.lambda_service.control_plane.aliases import AliasOperations
from emulator.lambda_service.control_plane.attributes.concurrency import (
    ConcurrencyOperations,
    snap_start_is_provisioned,
)
from emulator.lambda_service.control_plane.catalogue import Catalogue, check_revision
from emulator.lambda_service.control_plane.configuration import settings_of, settings_of_unavailable
from emulator.lambda_service.control_plane.functions import store_package
from emulator.lambda_service.function_version import LATEST
from emulator.template.project import FunctionSpec, UnavailableFunction

KEPT_SAVES = 5


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """What a deployment of a changed function deploys."""

    digest: str  # Of all that the template says of the function
    version_hash: str  # Of what its version depends on
    makes_version: bool  # Whether CloudFormation would publish a version


@dataclass(frozen=True, slots=True)
class TemplateFunctions:
    """Deploys a template's function in steps, so that a version can be initialised before the alias moves to it."""

    catalogue: Catalogue
    aliases: AliasOperations
    """Checks where the template's alias leads."""
    concurrency: ConcurrencyOperations
    """Checks what the template reserves and provisions."""

    def update(self, spec: FunctionSpec) -> TemplateChange | None:
        """Set ``$LATEST`` and the concurrency as the template declares them.

        Fidelity: like CloudFormation this compares the template with the one deployed before, not with the account.
        A change by the API stays until the template changes as well.

        It returns None if the template's function is unchanged. A function with an alias counts as deployed only once
        `point_alias` or `keep_alias` has been given the change; cut off before, all is done again.
        """
        catalogue = self.catalogue
        if spec.snap_start and spec.provisioned_concurrency is not None:
            raise snap_start_is_provisioned()
        with catalogue.storing_code():
            code = store_package(catalogue.code, spec.code_dir)
            layer_codes = [store_package(catalogue.code, folder) for folder in spec.layer_dirs]
            settings = settings_of(self._with_versions(spec), catalogue.arn_scope)
            digest = _digest(spec, settings, code, layer_codes)
            version_hash = f"{spec.version_id} {code.digest}" if spec.version_follows_code else spec.version_id
            with catalogue.lock:
                before = catalogue.account.functions.get(spec.name)
                if before is not None and before.deployed == digest:
                    return None
                catalogue.check_not_updating(spec.name)
                arns = spec.layer_arns or [f"{spec.name}-layer-{number}" for number in range(len(layer_codes))]
                layers = tuple(self._layer_version(arn, layer) for arn, layer in zip(arns, layer_codes, strict=True))
                latest = VersionRecord(LATEST, code, layers, settings, catalogue.new_revision(), catalogue.timestamp())
                first = catalogue.account.retired.get(spec.name, 1)
                function = before or FunctionRecord(spec.name, latest, next_version=first)
                if spec.reserved_concurrency is not None:
                    self.concurrency.check_reservation(function, spec.reserved_concurrency)
                latest = function.latest if function.latest.runs_as(latest) else latest
                deployed = digest if spec.alias is None else ""
                modified = catalogue.now().timestamp()
                catalogue.unavailable.pop(spec.name, None)
                event_invoke = {name: EventInvokeRecord(values, modified) for name, values in spec.event_invoke.items()}
                catalogue.save(
                    dataclasses.replace(
                        function,
                        latest=latest,
                        aliases=self._without_left_weights(function, spec.alias, latest),
                        reserved=spec.reserved_concurrency,
                        event_invoke={**function.event_invoke, **event_invoke},
                        tags=dict(spec.tag_values),
                        deployed=deployed,
                    )
                )
        makes_version = before is None or spec.alias not in before.aliases or before.version_hash != version_hash
        return TemplateChange(digest, version_hash, makes_version)

    def declare(self, function: UnavailableFunction) -> None:
        """Show a function that can't run, without code; one that was deployed before stays as it was."""
        catalogue = self.catalogue
        present = catalogue.account.functions.get(function.name)
        if present is None or not (present.deployed or present.aliases):
            settings = settings_of_unavailable(function, catalogue.arn_scope)
            with catalogue.storing_code(), tempfile.TemporaryDirectory(prefix="emulator-") as empty, catalogue.lock:
                code = store_package(catalogue.code, Path(empty))
                latest = VersionRecord(LATEST, code, (), settings, catalogue.new_revision(), catalogue.timestamp())
                first = catalogue.account.retired.get(function.name, 1)
                catalogue.save(present or FunctionRecord(function.name, latest, next_version=first))
        catalogue.withdraw(function.name, str(function.left_out))

    def keep_alias(self, spec: FunctionSpec, change: TemplateChange) -> tuple[str, bool]:
        """Leave the template's alias where it is, with the template's provisioned concurrency.

        Fidelity: the same hash is the same version to CloudFormation, whatever else of the function has changed.

        It returns the alias's version, and whether that is what the template says now.
        """
        assert spec.alias is not None
        with self.catalogue.lock:
            function, _ = self.catalogue.get_function(spec.name)
            version = self.catalogue.get_version(function, spec.alias)
            self._finish(spec, function, change)
            return version.version, version.runs_as(function.latest)

    def point_alias(
        self, spec: FunctionSpec, version: str, change: TemplateChange, revision_id: str | None = None
    ) -> None:
        """Point the template's alias to one version, with the template's provisioned concurrency.

        With a revision, `PreconditionFailedError` is raised if the alias has another one.
        """
        assert spec.alias is not None
        with self.catalogue.lock:
            before, _ = self.catalogue.get_function(spec.name)
            function = dataclasses.replace(before, provisioned=without(before.provisioned, spec.alias))
            alias = function.aliases.get(spec.alias)
            check_revision(revision_id, "" if alias is None else alias.revision_id)
            if alias is None or alias.versions != (version,):
                description = "" if alias is None else alias.description
                alias = AliasRecord(spec.alias, version, self.catalogue.new_revision(), description)
                self.aliases.check(function, alias)
                function = dataclasses.replace(function, aliases={**function.aliases, spec.alias: alias})
            self._finish(spec, function, change)

    def _finish(self, spec: FunctionSpec, function: FunctionRecord, change: TemplateChange) -> None:
        """Save a function as deployed, with what the template provisions of its alias."""
        assert spec.alias is not None
        provisioned = without(function.provisioned, spec.alias)
        if spec.provisioned_concurrency is not None:
            self.concurrency.check_provisioning(function, spec.alias, spec.provisioned_concurrency)
            record = ProvisionedRecord(spec.provisioned_concurrency, self.catalogue.timestamp())
            provisioned[spec.alias] = record
        function = dataclasses.replace(
            function, provisioned=provisioned, deployed=change.digest, version_hash=change.version_hash
        )
        self.catalogue.save(without_old_saves(function))

    def _without_left_weights(
        self, function: FunctionRecord, name: str | None, latest: VersionRecord
    ) -> Mapping[str, AliasRecord]:
        """Return a function's aliases without the weights of a deployment that was cut off, unless it goes on now."""
        alias, newest = function.aliases.get(name or ""), function.newest
        if function.deployed or alias is None or not alias.weights:
            return function.aliases
        if newest is not None and newest.version in alias.weights and newest.runs_as(latest):
            return function.aliases
        alias = dataclasses.replace(alias, weights={}, revision_id=self.catalogue.new_revision())
        return {**function.aliases, alias.name: alias}

    def _with_versions(self, spec: FunctionSpec) -> FunctionSpec:
        """Return a function whose variables name the deployed versions; the template knows the first one's number."""
        environment = dict(spec.environment)
        for variable, name in spec.version_variables.items():
            function = self.catalogue.account.functions.get(name)
            deployed = "" if function is None else function.deployed_version
            if function is not None and not deployed and function.newest is not None:
                # A state that was written before this was noted has no deployed version.
                deployed = function.newest.version
            if deployed and environment.get(variable) == self.catalogue.arn_scope.arn(name, "1"):
                environment[variable] = self.catalogue.arn_scope.arn(name, deployed)
        return dataclasses.replace(spec, environment=environment)

    def _layer_version(self, name: str, code: Code) -> Layer:
        """Return the version of a layer that has this code; it is published now if it is new."""
        account = self.catalogue.account
        codes = account.layers.get(name, ())
        if code not in codes:
            codes = (*codes, code)
            self.catalogue.save_account(dataclasses.replace(account, layers={**account.layers, name: codes}))
        return Layer(f"{name}:{codes.index(code) + 1}", code)


def without_old_saves(function: FunctionRecord) -> FunctionRecord:
    """Return a function without old unused versions that saved files made; the last `KEPT_SAVES` stay.

    Fidelity: AWS keeps every version. Here each save of a file would leave one, with its code.
    """
    referred = {version for alias in function.aliases.values() for version in alias.versions}
    referred |= function.provisioned.keys() | function.event_invoke.keys()
    saves = [record.version for record in function.versions.values() if record.is_saved]
    old = set(saves[:-KEPT_SAVES]) - referred
    return dataclasses.replace(
        function, versions={number: record for number, record in function.versions.items() if number not in old}
    )


def _digest(spec: FunctionSpec, settings: dict[str, Any], code: Code, layers: list[Code]) -> str:
    content = [
        code.digest, [layer.digest for layer in layers], settings,
        spec.alias, spec.version_id, spec.reserved_concurrency, spec.provisioned_concurrency,
    ]  # fmt: skip
    if spec.event_invoke:
        content.append({name: dict(values) for name, values in spec.event_invoke.items()})
    if spec.tag_values:
        content.append({"Tags": dict(spec.tag_values)})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
