"""Reading the registry: what the function does, and the reading half of the command line. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from model_registry import names
from model_registry.alias import Alias
from model_registry.errors import (
    AliasNotFoundError,
    ArtifactMismatchError,
    InvalidAliasError,
    ObjectNotFoundError,
    VersionNotFoundError,
)
from model_registry.manifest import Artifact, Manifest
from model_registry.stores.base import ObjectStore, StoredObject


@dataclass(frozen=True)
class AliasSnapshot:
    """An alias as it was read, with the entity tag that a later look-up or update is conditional on."""

    alias: Alias
    etag: str


class RegistryReader:
    """Versions and aliases of one model.

    Parameters
    ----------
    store : ObjectStore
        The bucket.
    model : str
        The model's name, the first part of every key.
    """

    def __init__(self, store: ObjectStore, model: str = names.DEFAULT_MODEL) -> None:
        self._store = store
        self.model = names.check_model_name(model)

    def list_versions(self) -> list[int]:
        """Return the numbers of all published versions, ascending."""
        parsed = map(names.parse_version_key, self._store.list_keys(names.versions_prefix(self.model)))
        return sorted({entry[0] for entry in parsed if entry is not None and entry[1] == "manifest.json"})

    def get_manifest(self, version: int) -> Manifest:
        """Return a version's manifest.

        Raises
        ------
        VersionNotFoundError
            If there is no such version.
        InvalidManifestError
            If the document can't be used.
        """
        try:
            return Manifest.from_json(self._store.get(names.manifest_key(self.model, version)).body)
        except ObjectNotFoundError:
            raise VersionNotFoundError(self.model, version) from None

    def get_artifact(self, manifest: Manifest) -> bytes:
        """Return a version's pickle, checked by size and sha256 against the manifest, and not unpickled.

        Raises
        ------
        ArtifactMismatchError
            If these are not the bytes that the manifest describes.
        VersionNotFoundError
            If there is no pickle.
        """
        return self._get_file(manifest.version, names.pickle_key(self.model, manifest.version), manifest.artifact)

    def get_serving_form(self, manifest: Manifest) -> bytes:
        """Return a version's serving form, which its manifest must have, checked like the pickle; raises likewise."""
        if manifest.serving_form is None:
            raise VersionNotFoundError(self.model, manifest.version)
        key = names.serving_form_key(self.model, manifest.version)
        return self._get_file(manifest.version, key, manifest.serving_form)

    def list_aliases(self) -> list[str]:
        """Return the names of all aliases."""
        parsed = map(names.parse_alias_key, self._store.list_keys(names.aliases_prefix(self.model)))
        return sorted(name for name in parsed if name is not None)

    def get_alias(self, alias: str) -> AliasSnapshot:
        """Return where an alias points now.

        Raises
        ------
        AliasNotFoundError
            If it was never set.
        InvalidAliasError
            If the document can't be used.
        """
        try:
            return self._snapshot(alias, self._store.get(self._alias_key(alias)))
        except ObjectNotFoundError:
            raise AliasNotFoundError(self.model, alias) from None

    def get_alias_if_changed(self, alias: str, etag: str) -> AliasSnapshot | None:
        """Return where an alias points now, or None if it is as it was; raises as ``get_alias`` does."""
        try:
            stored = self._store.get_if_changed(self._alias_key(alias), etag)
        except ObjectNotFoundError:
            raise AliasNotFoundError(self.model, alias) from None
        return None if stored is None else self._snapshot(alias, stored)

    def history(self, alias: str) -> list[Alias]:
        """Return every revision of an alias, oldest first; the last one is where it points now."""
        current = self.get_alias(alias).alias
        prefix = names.history_prefix(self.model, alias)
        revisions = [Alias.from_json(self._store.get(key).body) for key in self._store.list_keys(prefix)]
        # The alias document is the truth and its revision's history entry follows it: see RegistryWriter.assign.
        past = [revision for revision in revisions if revision.revision < current.revision]
        return [*sorted(past, key=lambda revision: revision.revision), current]

    def _get_file(self, version: int, key: str, expected: Artifact) -> bytes:
        try:
            body = self._store.get(key).body
        except ObjectNotFoundError:
            raise VersionNotFoundError(self.model, version) from None
        actual = Artifact.of(body)
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
            raise InvalidAliasError(f"The document of alias {alias!r} is that of {document.alias!r}: restore it.")
        return AliasSnapshot(alias=document, etag=stored.etag)
