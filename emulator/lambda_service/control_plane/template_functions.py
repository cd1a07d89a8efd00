"""Deploys a template's function into an account, as CloudFormation does. These aren't operations of Lambda's API."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
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
from emulator.lambda_service.control_plane.catalogue import Catalogue
from emulator.lambda_service.control_plane.concurrency import ConcurrencyOperations, snap_start_is_provisioned
from emulator.lambda_service.control_plane.configuration import settings_of
from emulator.lambda_service.control_plane.functions import store_code
from emulator.lambda_service.function_version import LATEST
from emulator.template.project import FunctionSpec

KEPT_SAVES = 5


@dataclass(frozen=True, slots=True)
class TemplateFunctions:
    """Deploys a template's function in steps, so that a version can be initialised before the alias moves to it."""

    catalogue: Catalogue
    aliases: AliasOperations
    """Checks where the template's alias leads."""
    concurrency: ConcurrencyOperations
    """Checks what the template reserves and provisions."""

    def update(self, spec: FunctionSpec) -> str | None:
        """Set ``$LATEST`` and the concurrency as the template declares them.

        Fidelity: like CloudFormation this compares the template with the one deployed before, not with the account.
        A change by the API stays until the template changes as well.

        It returns None if the template's function is unchanged, else its digest. A function with an alias counts as
        deployed only once `point_alias` has been given the digest; cut off before, all is done again.
        """
        catalogue = self.catalogue
        if spec.snap_start and spec.provisioned_concurrency is not None:
            raise snap_start_is_provisioned()
        with catalogue.updating(spec.name):
            code = store_code(catalogue.code, spec.code_dir)
            layer_codes = [store_code(catalogue.code, folder) for folder in spec.layer_dirs]
            settings = settings_of(spec, catalogue.arn_scope)
            digest = _digest(spec, settings, code, layer_codes)
            with catalogue.lock:
                before = catalogue.account.functions.get(spec.name)
                if before is not None and before.deployed == digest:
                    return None
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
                event_invoke = {name: EventInvokeRecord(values, modified) for name, values in spec.event_invoke.items()}
                catalogue.save(
                    dataclasses.replace(
                        function,
                        latest=latest,
                        reserved=spec.reserved_concurrency,
                        event_invoke={**function.event_invoke, **event_invoke},
                        deployed=deployed,
                    )
                )
        return digest

    def point_alias(self, spec: FunctionSpec, version: str, digest: str | None = None) -> None:
        """Point the template's alias to one version, with the template's provisioned concurrency.

        `digest` is what `update` returned, if this is what the template asks for.
        """
        assert spec.alias is not None
        with self.catalogue.lock:
            before, _ = self.catalogue.get_function(spec.name)
            provisioned = without(before.provisioned, spec.alias)
            function = dataclasses.replace(before, provisioned=provisioned)
            alias = function.aliases.get(spec.alias)
            if alias is None or alias.versions != (version,):
                description = "" if alias is None else alias.description
                alias = AliasRecord(spec.alias, version, self.catalogue.new_revision(), description)
                self.aliases.check(function, alias)
                function = dataclasses.replace(function, aliases={**function.aliases, spec.alias: alias})
            if spec.provisioned_concurrency is not None:
                self.concurrency.check_provisioning(function, spec.alias, spec.provisioned_concurrency)
                record = ProvisionedRecord(spec.provisioned_concurrency, self.catalogue.timestamp())
                function = dataclasses.replace(function, provisioned={**provisioned, spec.alias: record})
            if digest is not None:
                function = dataclasses.replace(function, deployed=digest)
            self.catalogue.save(without_old_saves(function))

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
        spec.alias, spec.reserved_concurrency, spec.provisioned_concurrency,
    ]  # fmt: skip
    if spec.event_invoke:
        content.append({name: dict(values) for name, values in spec.event_invoke.items()})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
