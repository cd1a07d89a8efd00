"""Operations that show the layers of the template's functions, which a deployment publishes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.lambda_service.control_plane.account import Code
from emulator.lambda_service.control_plane.catalogue import Catalogue
from emulator.lambda_service.control_plane.code_store import code_location
from emulator.lambda_service.control_plane.pages import Body, page
from emulator.lambda_service.errors import ResourceNotFoundError


@dataclass(frozen=True, slots=True)
class LayerOperations:
    """`ListLayers`, `ListLayerVersions`, `GetLayerVersion` and their siblings.

    Only versions that a function uses are there: the code of the others is removed.
    """

    catalogue: Catalogue

    def list(self, *, marker: str | None = None, max_items: int | None = None, **_filters: Any) -> Body:
        """List the layers with their newest versions; all of them fit any runtime and architecture."""
        layers = [
            {"LayerName": name, "LayerArn": self._arn(name), "LatestMatchingVersion": versions[0]}
            for name in sorted(self._layers())
            if (versions := self._versions(name))
        ]
        return page("Layers", layers, marker, max_items)

    def list_versions(
        self, *, layer_name: str, marker: str | None = None, max_items: int | None = None, **_filters: Any
    ) -> Body:
        """List a layer's versions, newest first; an unknown layer has no versions."""
        return page("LayerVersions", self._versions(_short(layer_name)), marker, max_items)

    def get_version(self, *, layer_name: str, version_number: int) -> Body:
        """Return a version, with the address of its code."""
        name = _short(layer_name)
        codes = self._layers().get(name, ())
        code = codes[version_number - 1] if 1 <= version_number <= len(codes) else None
        if code is None or not self._is_kept(code):
            raise _absent()
        content = {
            "Location": code_location(code.digest), "CodeSha256": code.package_sha256, "CodeSize": code.package_bytes,
        }  # fmt: skip
        return {"Content": content, "LayerArn": self._arn(name), **self._describe_version(name, version_number, code)}

    def get_version_by_arn(self, *, arn: str) -> Body:
        """Return the version that an ARN with its number names."""
        name, _, number = arn.rpartition(":")
        return self.get_version(layer_name=name, version_number=int(number))

    def get_policy(self, *, layer_name: str, version_number: int) -> Body:
        """Raise: layers have no policies here."""
        self.get_version(layer_name=layer_name, version_number=version_number)
        raise ResourceNotFoundError("No policy is associated with the given resource.")

    def _layers(self) -> Mapping[str, tuple[Code, ...]]:
        return {_short(arn): codes for arn, codes in self.catalogue.account.layers.items()}

    def _versions(self, name: str) -> Sequence[Body]:
        numbered = list(enumerate(self._layers().get(name, ()), start=1))
        return [self._describe_version(name, number, code) for number, code in numbered[::-1] if self._is_kept(code)]

    def _describe_version(self, name: str, number: int, code: Code) -> Body:
        made = dt.datetime.fromtimestamp(self.catalogue.code.folder(code.digest).stat().st_mtime, dt.UTC)
        created = f"{made:%Y-%m-%dT%H:%M:%S.000+0000}"
        arn = f"{self._arn(name)}:{number}"
        return {"LayerVersionArn": arn, "Version": number, "Description": "", "CreatedDate": created}

    def _is_kept(self, code: Code) -> bool:
        return self.catalogue.code.folder(code.digest).is_dir()

    def _arn(self, name: str) -> str:
        scope = self.catalogue.arn_scope
        return f"arn:aws:lambda:{scope.region}:{scope.account_id}:layer:{name}"


def _short(name: str) -> str:
    """Return a layer's name, also of its ARN."""
    match = re.fullmatch(r"arn:[^:]*:lambda:[^:]*:[^:]*:layer:([^:]+)", name)
    return match[1] if match else name


def _absent() -> ResourceNotFoundError:
    return ResourceNotFoundError("The resource you requested does not exist.")
