"""What deploying a template's function does to an account, as CloudFormation does it: no operations of the API."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from emulator.lambda_service.control_plane.account import (
    AliasRecord,
    Code,
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


class TemplateFunctions:
    """Deploys a function as a template describes it, in steps: between them a version can be tried out.

    Parameters
    ----------
    catalogue : Catalogue
        What they read and change.
    aliases : AliasOperations
        Checks where the template's alias leads.
    concurrency : ConcurrencyOperations
        Checks what the template reserves and provisions.
    """

    def __init__(self, catalogue: Catalogue, aliases: AliasOperations, concurrency: ConcurrencyOperations) -> None:
        self._catalogue = catalogue
        self._aliases = aliases
        self._concurrency = concurrency

    def update(self, spec: FunctionSpec) -> str | None:
        """Bring ``$LATEST`` and concurrency to what the template says.

        Fidelity: like CloudFormation this compares with what the template said before, not with what is there.
        What has been changed by the API meanwhile stays, unless the template changes as well.

        Returns
        -------
        str or None
            None if the template says nothing new, else a digest of what it says. A function with an alias counts
            as deployed only once `point_alias` has been given that; cut off before, all is done again.
        """
        catalogue = self._catalogue
        if spec.snap_start and spec.provisioned_concurrency is not None:
            raise snap_start_is_provisioned()
        with catalogue.updating(spec.name):
            code = store_code(catalogue.code, spec.code_dir)
            layer_codes = [store_code(catalogue.code, folder) for folder in spec.layer_dirs]
            settings = settings_of(spec, catalogue.place)
            said = _digest(spec, settings, code, layer_codes)
            with catalogue.lock:
                before = catalogue.account.functions.get(spec.name)
                if before is not None and before.deployed == said:
                    return None
                arns = spec.layer_arns or [f"{spec.name}-layer-{number}" for number in range(len(layer_codes))]
                layers = tuple(self._layer_version(*one) for one in zip(arns, layer_codes, strict=True))
                latest = VersionRecord(LATEST, code, layers, settings, catalogue.new_revision(), catalogue.timestamp())
                first = catalogue.account.retired.get(spec.name, 1)
                function = before or FunctionRecord(spec.name, latest, next_version=first)
                if spec.reserved_concurrency is not None:
                    self._concurrency.check_reservation(function, spec.reserved_concurrency)
                kept = function.latest if function.latest.runs_as(latest) else latest
                done = said if spec.alias is None else ""
                catalogue.keep(
                    dataclasses.replace(function, latest=kept, reserved=spec.reserved_concurrency, deployed=done)
                )
        return said

    def point_alias(self, spec: FunctionSpec, version: str, said: str | None = None) -> None:
        """Have the template's alias lead to a version alone, with the template's provisioned concurrency.

        Parameters
        ----------
        spec : FunctionSpec
            The function, as the template has it.
        version : str
            Where the alias leads.
        said : str, optional
            What `update` returned, if this is what the template says.
        """
        assert spec.alias is not None
        with self._catalogue.lock:
            before, _ = self._catalogue.find(spec.name)
            provisioned = without(before.provisioned, spec.alias)
            function = dataclasses.replace(before, provisioned=provisioned)
            alias = function.aliases.get(spec.alias)
            if alias is None or alias.versions != (version,):
                described = "" if alias is None else alias.description
                alias = AliasRecord(spec.alias, version, self._catalogue.new_revision(), described)
                self._aliases.check(function, alias)
                function = dataclasses.replace(function, aliases={**function.aliases, spec.alias: alias})
            if spec.provisioned_concurrency is not None:
                self._concurrency.check_provisioning(function, spec.alias, spec.provisioned_concurrency)
                kept = ProvisionedRecord(spec.provisioned_concurrency, self._catalogue.timestamp())
                function = dataclasses.replace(function, provisioned={**provisioned, spec.alias: kept})
            if said is not None:
                function = dataclasses.replace(function, deployed=said)
            self._catalogue.keep(without_old_saves(function))

    def _layer_version(self, name: str, code: Code) -> Layer:
        """Return the version of a layer that has this code, published now if there is none."""
        account = self._catalogue.account
        codes = account.layers.get(name, ())
        if code not in codes:
            codes = (*codes, code)
            self._catalogue.replace(dataclasses.replace(account, layers={**account.layers, name: codes}))
        return Layer(f"{name}:{codes.index(code) + 1}", code)


def without_old_saves(function: FunctionRecord) -> FunctionRecord:
    """Return a function with the last `KEPT_SAVES` versions that saved files made, and all that anything refers to.

    Fidelity: AWS keeps every version. There each was asked for; here each save would leave one, with its code.
    """
    referred = {version for alias in function.aliases.values() for version in alias.versions}
    referred |= function.provisioned.keys() | function.event_invoke.keys()
    saves = [one.version for one in function.versions.values() if one.is_saved]
    old = set(saves[:-KEPT_SAVES]) - referred
    return dataclasses.replace(
        function, versions={number: one for number, one in function.versions.items() if number not in old}
    )


def _digest(spec: FunctionSpec, settings: dict[str, Any], code: Code, layers: list[Code]) -> str:
    said = [
        code.digest, [layer.digest for layer in layers], settings,
        spec.alias, spec.reserved_concurrency, spec.provisioned_concurrency,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
