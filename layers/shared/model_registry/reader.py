"""Reads versions and aliases, for the function and the command line. Never writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_registry import names
from model_registry.alias import Alias
from model_registry.documents import MAX_DOCUMENT_BYTES
from model_registry.errors import (
    AliasNotFoundError,
    ArtifactMismatchError,
    InvalidAliasError,
    InvalidManifestError,
    ObjectNotFoundError,
    ObjectTooLargeError,
    VersionDamagedError,
    VersionNotFoundError,
)
from model_registry.stores.base import MAX_OBJECT_BYTES, ObjectStore, StoredObject

if TYPE_CHECKING:
    from model_registry.manifest import Artifact, Manifest


@dataclass(frozen=True)
class AliasSnapshot:
    """An alias as it was read, and its entity tag, on which a later look-up or update is conditional."""

    alias: Alias
    etag: str


def is_published(files: Set[str]) -> bool:
    """Return whether a version with these files exists: it has a manifest and isn't marked as deleted."""
    return names.MANIFEST in files and names.TOMBSTONE not in files


class RegistryReader:
    """Versions and aliases of one model, whose name is the first part of every key in the bucket."""

    def __init__(self, store: ObjectStore, model: str = names.DEFAULT_MODEL) -> None:
        self._store = store
        self.model = names.check_model_name(model)

    def list_versions(self) -> list[int]:
        """Return the numbers of all published versions, ascending. Those that are being deleted are left out."""
        return sorted(version for version, files in self.list_version_files().items() if is_published(files))

    def list_version_files(self) -> dict[int, set[str]]:
        """Return the names of each version's files, published or not."""
        files: dict[int, set[str]] = defaultdict(set)
        for key in self._store.list_keys(names.versions_prefix(self.model)):
            parsed = names.parse_version_key(key)
            if parsed:
                files[parsed[0]].add(parsed[1])
        return dict(files)

    def get_manifest(self, version: int) -> Manifest:
        """Return a version's manifest.

        Raises ``VersionNotFoundError`` if the version doesn't exist, ``InvalidManifestError`` if it can't be used.
        """
        # Imported here: the command line reads aliases without manifests.
        from model_registry.manifest import Manifest

        try:
            stored = self._store.get(
                names.version_key(self.model, version, names.MANIFEST), limit_bytes=MAX_DOCUMENT_BYTES
            )
        except ObjectNotFoundError:
            raise VersionNotFoundError(self.model, version) from None
        except ObjectTooLargeError as error:
            raise InvalidManifestError(f"This manifest can't be used: {error}") from None
        return Manifest.from_json(stored.body)

    def get_artifact(self, manifest: Manifest) -> bytes:
        """Return the bytes of a version's pickle, after comparing size and sha256 with the manifest.

        Raises ``ArtifactMismatchError`` if they differ, and ``VersionDamagedError`` if the pickle is missing.
        """
        return self._get_file(manifest.version, names.PICKLE, manifest.artifact)

    def get_serving_form(self, manifest: Manifest) -> bytes:
        """Return a version's serving form, checked as ``get_artifact`` does; the manifest must describe one."""
        if manifest.serving_form is None:
            raise VersionNotFoundError(self.model, manifest.version)
        return self._get_file(manifest.version, names.SERVING_FORM, manifest.serving_form)

    def list_aliases(self) -> list[str]:
        """Return the names of all aliases."""
        parsed = map(names.parse_alias_key, self._store.list_keys(names.aliases_prefix(self.model)))
        return sorted(name for name in parsed if name is not None)

    def get_alias(self, alias: str) -> AliasSnapshot:
        """Return where an alias points now.

        Raises ``AliasNotFoundError`` if it was never set, ``InvalidAliasError`` if the document can't be used.
        """
        try:
            stored = self._store.get(self._alias_key(alias), limit_bytes=MAX_DOCUMENT_BYTES)
        except ObjectNotFoundError:
            raise AliasNotFoundError(self.model, alias) from None
        except ObjectTooLargeError as error:
            raise InvalidAliasError(f"This alias document can't be used: {error}") from None
        return self._snapshot(alias, stored)

    def get_alias_if_changed(self, alias: str, etag: str) -> AliasSnapshot | None:
        """Return where an alias points now, or None if it hasn't changed; raises as ``get_alias`` does."""
        try:
            stored = self._store.get_if_changed(self._alias_key(alias), etag, limit_bytes=MAX_DOCUMENT_BYTES)
        except ObjectNotFoundError:
            raise AliasNotFoundError(self.model, alias) from None
        except ObjectTooLargeError as error:
            raise InvalidAliasError(f"This alias document can't be used: {error}") from None
        return None if stored is None else self._snapshot(alias, stored)

    def history(self, alias: str) -> list[Alias]:
        """Return every revision of an alias, oldest first; the last one is where it points now."""
        current = self.get_alias(alias).alias
        # The alias document is written first and its history entry after it (AliasWriter.assign), so the entry of the
        # current revision may still be missing.
        past = [revision for revision in self.list_revisions(alias) if revision < current.revision]
        return [*(self.get_revision(alias, revision) for revision in past), current]

    def list_revisions(self, alias: str) -> list[int]:
        """Return the numbers of the revisions that have a history entry, ascending."""
        parsed = map(names.parse_history_key, self._store.list_keys(names.history_prefix(self.model, alias)))
        return sorted(revision for revision in parsed if revision is not None)

    def get_revision(self, alias: str, revision: int) -> Alias:
        """Return one entry of an alias's history; ``InvalidAliasError`` if it can't be used."""
        key = names.history_key(self.model, alias, revision)
        return Alias.from_json(self._store.get(key, limit_bytes=MAX_DOCUMENT_BYTES).body)

    def _get_file(self, version: int, file: str, expected: Artifact) -> bytes:
        key = names.version_key(self.model, version, file)
        try:
            body = self._store.get(key, limit_bytes=min(expected.size_bytes, MAX_OBJECT_BYTES)).body
        except ObjectNotFoundError:
            raise VersionDamagedError(self.model, version, key) from None
        except ObjectTooLargeError as error:
            if expected.size_bytes > MAX_OBJECT_BYTES:
                raise
            mismatch = (expected.size_bytes, error.size_bytes)
            raise ArtifactMismatchError(self.model, version, "size in bytes", *mismatch) from None
        actual = expected.of(body)
        if actual.size_bytes != expected.size_bytes:
            raise ArtifactMismatchError(self.model, version, "size in bytes", expected.size_bytes, actual.size_bytes)
        if actual.sha256 != expected.sha256:
            raise ArtifactMismatchError(self.model, version, "sha256", expected.sha256, actual.sha256)
        return body

    def _alias_key(self, alias: str) -> str:
        return names.alias_key(self.model, names.check_alias_name(alias))

    def _snapshot(self, alias: str, stored: StoredObject) -> AliasSnapshot:
        document = Alias.from_json(stored.body)
        if document.alias != alias:
            raise InvalidAliasError(f"The document of alias {alias!r} belongs to {document.alias!r}: restore it.")
        return AliasSnapshot(alias=document, etag=stored.etag)
