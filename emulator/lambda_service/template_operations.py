"""What deploying a template's function does to an account, as CloudFormation does it: no operations of the API."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from emulator.lambda_service.alias_operations import AliasOperations
from emulator.lambda_service.concurrency_operations import ConcurrencyOperations
from emulator.lambda_service.configuration import settings_of
from emulator.lambda_service.function_operations import CodeOperations, store_code
from emulator.lambda_service.functions import LATEST
from emulator.lambda_service.records import Code, FunctionRecord, Layer, ProvisionedRecord, VersionRecord
from emulator.project import FunctionSpec


class TemplateOperations(CodeOperations, AliasOperations, ConcurrencyOperations):
    """Deployment of a function as a template describes it, in steps: between them a version can be tried out."""

    def update_from_template(self, spec: FunctionSpec) -> str | None:
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
                    self.check_reservation(function, spec.reserved_concurrency)
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
            What `update_from_template` returned, if this is what the template says.
        """
        assert spec.alias is not None
        with self._catalogue.lock:
            function, _ = self._catalogue.find(spec.name)
            alias = function.aliases.get(spec.alias)
            if alias is None:
                self.create_alias(function_name=spec.name, name=spec.alias, function_version=version)
            elif alias.versions != (version,):
                no_weights: dict[str, Any] = {"AdditionalVersionWeights": {}}
                self.update_alias(
                    function_name=spec.name, name=spec.alias, function_version=version, routing_config=no_weights
                )
            function, _ = self._catalogue.find(spec.name)
            provisioned = {name: one for name, one in function.provisioned.items() if name != spec.alias}
            if spec.provisioned_concurrency is not None:
                self.check_provisioning(function, spec.alias, spec.provisioned_concurrency)
                kept = ProvisionedRecord(spec.provisioned_concurrency, self._catalogue.timestamp())
                provisioned[spec.alias] = kept
            done = function.deployed if said is None else said
            self._catalogue.keep(dataclasses.replace(function, provisioned=provisioned, deployed=done))

    def _layer_version(self, name: str, code: Code) -> Layer:
        """Return the version of a layer that has this code, published now if there is none."""
        account = self._catalogue.account
        codes = account.layers.get(name, ())
        if code not in codes:
            codes = (*codes, code)
            self._catalogue.replace(dataclasses.replace(account, layers={**account.layers, name: codes}))
        return Layer(f"{name}:{codes.index(code) + 1}", code)


def _digest(spec: FunctionSpec, settings: dict[str, Any], code: Code, layers: list[Code]) -> str:
    said = [
        code.digest, [layer.digest for layer in layers], settings,
        spec.alias, spec.reserved_concurrency, spec.provisioned_concurrency,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
