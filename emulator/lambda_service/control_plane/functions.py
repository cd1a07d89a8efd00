"""Operations on functions: their code, their configuration, the account's figures."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.lambda_service.control_plane.account import Code, FunctionRecord, Layer, VersionRecord, without
from emulator.lambda_service.control_plane.attributes.tags import check_tags
from emulator.lambda_service.control_plane.catalogue import Catalogue, check_revision
from emulator.lambda_service.control_plane.code_store import CodeError, CodeStore, code_location
from emulator.lambda_service.control_plane.configuration import changed_settings, created_settings, listed
from emulator.lambda_service.control_plane.pages import Body, page
from emulator.lambda_service.control_plane.versions import VersionOperations
from emulator.lambda_service.control_plane.zip_files import MAX_UNZIPPED_BYTES, TOO_LARGE, unpack
from emulator.lambda_service.errors import InvalidParameterError, ResourceConflictError, ResourceNotFoundError
from emulator.lambda_service.function_version import LATEST

MAX_ZIPPED_BYTES = 52_428_800
_MAX_ACCOUNT_BYTES = 80_530_636_800
_MAX_LAYERS = 5


@dataclass(frozen=True, slots=True)
class FunctionOperations:
    """`GetFunction`, `UpdateFunctionCode` and their siblings."""

    catalogue: Catalogue
    versions: VersionOperations
    """For `UpdateFunctionCode`, which can publish a version."""

    def list(
        self, *, function_version: str | None = None, marker: str | None = None, max_items: int | None = None
    ) -> Body:
        """List functions by name; with ``ALL``, each with all of its versions."""
        bodies = []
        for _, function in sorted(self.catalogue.account.functions.items()):
            if function_version == "ALL":
                bodies += self.catalogue.describe_versions(function)
            else:
                bodies.append(listed(self.catalogue.describe(function, function.latest, None)))
        return page("Functions", bodies, marker, max_items)

    def get(self, *, function_name: str, qualifier: str | None = None) -> Body:
        """Return configuration, the place of the code, and reserved concurrency."""
        function, qualifier = self.catalogue.get_function(function_name, qualifier)
        record = self.catalogue.get_version(function, qualifier)
        body = {
            "Configuration": self.catalogue.describe(function, record, qualifier),
            "Code": {"RepositoryType": "S3", "Location": code_location(record.code.digest)},
        }
        if function.tags:
            body["Tags"] = dict(function.tags)
        if function.reserved is not None:
            body["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return body

    def get_configuration(self, *, function_name: str, qualifier: str | None = None) -> Body:
        """Return the configuration of ``$LATEST``, a version, or an alias's main version."""
        function, qualifier = self.catalogue.get_function(function_name, qualifier)
        return self.catalogue.describe(function, self.catalogue.get_version(function, qualifier), qualifier)

    def create(
        self,
        *,
        function_name: str,
        code_folder: Path,
        changes: Mapping[str, Any],
        publish: bool = False,
        package_type: str = "Zip",
        tags: Mapping[str, str] | None = None,
        code_sha256: str | None = None,
        code_size: int | None = None,
    ) -> Body:
        """Create a function; `changes` is its configuration in AWS's names, the code is as in `update_code`."""
        if package_type != "Zip":
            raise InvalidParameterError("The emulator runs Zip functions only, no container images.")
        name, _ = self.catalogue.arn_scope.parse(function_name)
        check_tags(tags or {})
        settings = created_settings(name, without(changes, "Layers"))
        with self.catalogue.storing_code():
            code = store_code(self.catalogue.code, code_folder, code_sha256, code_size)
            with self.catalogue.lock:
                account = self.catalogue.account
                if name in account.functions:
                    raise ResourceConflictError(f"Function already exist: {name}")
                layers = self._layers(changes.get("Layers"), code, ())
                revision, now = self.catalogue.new_revision(), self.catalogue.timestamp()
                latest = VersionRecord(LATEST, code, layers, settings, revision, now)
                first = account.retired.get(name, 1)
                function = FunctionRecord(name, latest, next_version=first, tags=dict(tags or {}))
                self.catalogue.save(function)
                self.catalogue.changes.begin(name, LATEST, is_new=True)
                if publish:
                    return self.versions.publish_latest(function, is_requested=True)
                return self.catalogue.describe(function, latest, None)

    def update_code(
        self,
        *,
        function_name: str,
        code_folder: Path,
        publish: bool = False,
        revision_id: str | None = None,
        dry_run: bool = False,
        code_sha256: str | None = None,
        code_size: int | None = None,
    ) -> Body:
        """Replace the code of ``$LATEST``, which must still have `revision_id`, by a copy of a folder.

        `code_sha256`, in base64, and `code_size` are those of the zip file that it came as.
        """
        function, _ = self.catalogue.get_function(function_name)
        check_revision(revision_id, function.latest.revision_id)
        with self.catalogue.updating(function.name):
            code = store_code(self.catalogue.code, code_folder, code_sha256, code_size)
            check_unzipped(code, function.latest.layers)
            with self.catalogue.lock:
                function, _ = self.catalogue.get_function(function.name)
                check_revision(revision_id, function.latest.revision_id)
                latest = self._touched(function.latest, code=code)
                if dry_run:
                    return self.catalogue.describe(function, latest, None)
                function = dataclasses.replace(function, latest=latest)
                self.catalogue.save(function)
                self.catalogue.changes.begin(function.name, LATEST)
                if publish:
                    # Under the same lock, so that it is this code that is published.
                    return self.versions.publish_latest(function, is_requested=True)
                return self.catalogue.describe(function, latest, None)

    def update_configuration(
        self, *, function_name: str, changes: Mapping[str, Any], revision_id: str | None = None
    ) -> Body:
        """Change ``$LATEST``'s configuration; `changes` is in AWS's names, and all else stays."""
        with self.catalogue.lock:
            function, _ = self.catalogue.get_function(function_name)
            self.catalogue.check_updatable(function.name)
            check_revision(revision_id, function.latest.revision_id)
            settings = changed_settings(function.latest.settings, changes)
            layers = self._layers(changes.get("Layers"), function.latest.code, function.latest.layers)
            latest = self._touched(function.latest, settings=settings, layers=layers)
            self.catalogue.save(dataclasses.replace(function, latest=latest))
            self.catalogue.changes.begin(function.name, LATEST)
            return self.catalogue.describe(function, latest, None)

    def delete(self, *, function_name: str, qualifier: str | None = None) -> None:
        """Delete a function with its versions, aliases and settings, or one version of it."""
        with self.catalogue.lock:
            function, qualifier = self.catalogue.get_function(function_name, qualifier)
            if qualifier is None:
                self.catalogue.remove(function)
            elif qualifier == LATEST:
                raise InvalidParameterError("$LATEST version cannot be deleted without deleting the function.")
            elif qualifier in function.aliases:
                raise InvalidParameterError("Aliases cannot be deleted with this operation: use DeleteAlias.")
            else:
                self._delete_version(function, qualifier)

    def get_account_settings(self) -> Body:
        """Return AWS's limits and how much of them is used."""
        account = self.catalogue.account
        return {
            "AccountLimit": {
                "TotalCodeSize": _MAX_ACCOUNT_BYTES,
                "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
                "CodeSizeZipped": MAX_ZIPPED_BYTES,
                "ConcurrentExecutions": self.catalogue.concurrency,
                "UnreservedConcurrentExecutions": self.catalogue.unreserved_concurrency(),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(code.package_bytes for code in account.codes().values()),
                "FunctionCount": len(account.functions),
            },
        }

    def _delete_version(self, function: FunctionRecord, version: str) -> None:
        # Fidelity: a version that doesn't exist counts as deleted.
        users = [alias.name for alias in function.aliases.values() if version in alias.versions]
        if users:
            raise ResourceConflictError(f"Version {version} is referenced by the alias {', '.join(users)}.")
        self.catalogue.save(function.without_qualifier(version))

    def _layers(self, arns: Sequence[str] | None, code: Code, before: tuple[Layer, ...]) -> tuple[Layer, ...]:
        """Return the layers of these ARNs, which must fit together with the code; None leaves them as they were."""
        layers = before if arns is None else tuple(map(self._layer, arns))
        check_layers(layers)
        check_unzipped(code, layers)
        return layers

    def _layer(self, arn: Any) -> Layer:
        name, _, number = str(arn).rpartition(":")
        codes = self.catalogue.account.layers.get(name, ())
        if not number.isdigit() or not 1 <= int(number) <= len(codes):
            raise ResourceNotFoundError(f"Layer version {arn} does not exist.")
        code = codes[int(number) - 1]
        if not self.catalogue.code.holds(code.digest, code.size_bytes):
            raise ResourceNotFoundError(
                f"Layer version {arn} isn't used by any version, so its code was removed: name another one."
            )
        return Layer(str(arn), code)

    def _touched(self, record: VersionRecord, **changes: Any) -> VersionRecord:
        return dataclasses.replace(
            record, **changes, revision_id=self.catalogue.new_revision(), last_modified=self.catalogue.timestamp()
        )


def store_code(store: CodeStore, folder: Path, sha256: str | None = None, size_bytes: int | None = None) -> Code:
    """Copy a folder into the store; `sha256` and `size_bytes` are those of its zip file, if it came as one."""
    try:
        code = store.put(folder)
    except CodeError as error:
        raise InvalidParameterError(f"The code can't be used: {error}") from error
    size_bytes = code.package_bytes if size_bytes is None else size_bytes
    return dataclasses.replace(code, package_sha256=sha256 or code.package_sha256, package_bytes=size_bytes)


def store_package(store: CodeStore, source: Path) -> Code:
    """Copy what a template names as code into the store: a folder, or a zip file's content."""
    if not source.is_file():
        return store_code(store, source)
    with tempfile.TemporaryDirectory(prefix="emulator-zip-") as folder:
        try:
            with source.open("rb") as archive:
                unpack(archive, Path(folder))
                sha256, size_bytes = hashlib.file_digest(archive, "sha256").digest(), archive.tell()
        except OSError as error:
            raise InvalidParameterError(f"{source} can't be read: {error.strerror or error}") from error
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{source}: {error.message}") from error
        return store_code(store, Path(folder), base64.b64encode(sha256).decode("ascii"), size_bytes)


def check_unzipped(code: Code, layers: Sequence[Layer]) -> None:
    """Raise `InvalidParameterError` if code and layers are larger than Lambda's limit."""
    if code.size_bytes + sum(layer.code.size_bytes for layer in layers if layer.code is not None) > MAX_UNZIPPED_BYTES:
        raise InvalidParameterError(TOO_LARGE)


def check_layers(layers: Sequence[Layer]) -> None:
    """Raise `InvalidParameterError` unless a function may have these layers together."""
    if len(layers) > _MAX_LAYERS:
        raise InvalidParameterError(f"Layers consumed by a function cannot exceed {_MAX_LAYERS}")
    names = [layer.arn.rpartition(":")[0] for layer in layers]
    if len(set(names)) < len(names):
        raise InvalidParameterError("Two different versions of the same layer are not allowed to be referenced.")
