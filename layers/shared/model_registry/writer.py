"""Writing the registry: publish and delete versions, and move aliases. Never imported by the function.

Every operation is a sequence of single-object writes in an order that leaves the old state or the new wherever it is
cut off, and that converges when it is run again:

- publish: the pickle claims the number, its serving form follows, the manifest makes the version exist.
- delete: a tombstone that keeps new aliases away, then the check of the old ones, then the manifest, then the rest.
- assign, roll back: see ``alias_writer``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from model_registry import names
from model_registry.alias_writer import AliasWriter
from model_registry.candidate import Candidate, Inspection, Inspector
from model_registry.documents import dump_object
from model_registry.errors import (
    ObjectNotFoundError,
    PreconditionFailedError,
    VersionInUseError,
    VersionNotFoundError,
)
from model_registry.manifest import Artifact, Manifest, Probe
from model_registry.stores.base import ObjectStore


@dataclass(frozen=True)
class Publication:
    """A published version; ``created`` is False where the newest version was this very model already."""

    manifest: Manifest
    created: bool


class RegistryWriter(AliasWriter):
    """Versions and aliases of one model, for writing.

    Parameters
    ----------
    store, model, clock, who, new_id
        As for ``AliasWriter``.
    inspect : Inspector
        Loads a candidate's pickle in a safe place.
    """

    def __init__(
        self,
        store: ObjectStore,
        model: str = names.DEFAULT_MODEL,
        *,
        clock: Callable[[], datetime],
        who: str,
        new_id: Callable[[], str],
        inspect: Inspector,
    ) -> None:
        super().__init__(store, model, clock=clock, who=who, new_id=new_id)
        self._inspect = inspect

    def publish(self, candidate: Candidate) -> Publication:
        """Publish a candidate as the next version, or return the newest version if it is this very model.

        Raises
        ------
        CandidateRefusedError
            If the pickle is no model that could be served; nothing was written.
        """
        inspection = self._inspect(candidate.pickle, candidate.probe_records)
        files = self._version_files()
        published = [number for number in files if self._is_published(files[number])]
        if published:
            newest = self.reader.get_manifest(max(published))
            if _is_same_model(newest, self._manifest(newest.version, candidate, inspection)):
                return Publication(newest, created=False)
        last = max(files, default=0)
        # A number without a manifest is somebody's publish, cut off or under way; if it is ours, we end it.
        is_open = last in files and not files[last] & {"manifest.json", "deleted.json"}
        for version in itertools.count(last if is_open else last + 1):
            if not self._claim(version, candidate.pickle, inspection.serving_form):
                continue
            manifest = self._manifest(version, candidate, inspection)
            try:
                self._store.put(names.manifest_key(self.model, version), manifest.to_json(), if_absent=True)
            except PreconditionFailedError:
                winner = self.reader.get_manifest(version)
                if _is_same_model(winner, manifest):
                    return Publication(winner, created=False)
                continue
            return Publication(manifest, created=True)
        raise AssertionError("unreachable")

    def delete_version(self, version: int) -> None:
        """Delete a version that no alias uses. Its number is never used again.

        Raises
        ------
        VersionInUseError
            If an alias uses it.
        VersionNotFoundError
            If there is no such version.
        """
        files = self._version_files().get(version, set())
        if not files - {"deleted.json"}:
            raise VersionNotFoundError(self.model, version)
        tombstone = names.tombstone_key(self.model, version)
        mark = {"format": 1, "version": version, "deleted_at": self._now(), "deleted_by": self._who}
        self._store.put(tombstone, dump_object(mark))
        using = [
            alias for alias in self.reader.list_aliases() if version in self.reader.get_alias(alias).alias.versions
        ]
        if using:
            self._store.delete(tombstone)
            raise VersionInUseError(self.model, version, using)
        self._store.delete(names.manifest_key(self.model, version))
        self._store.delete(names.serving_form_key(self.model, version))
        self._store.delete(names.pickle_key(self.model, version))

    def _claim(self, version: int, pickle: bytes, serving_form: bytes | None) -> bool:
        """Return whether this number holds our files, having written them if the number was free."""
        if not self._put_or_find(names.pickle_key(self.model, version), pickle):
            return False
        return serving_form is None or self._put_or_find(names.serving_form_key(self.model, version), serving_form)

    def _put_or_find(self, key: str, body: bytes) -> bool:
        try:
            self._store.put(key, body, if_absent=True)
        except PreconditionFailedError:
            try:
                return self._store.get(key).body == body
            except ObjectNotFoundError:
                return False
        return True

    def _manifest(self, version: int, candidate: Candidate, inspection: Inspection) -> Manifest:
        probes = zip(candidate.probe_records, inspection.probe_probabilities, strict=True)
        return Manifest(
            model=self.model,
            version=version,
            artifact=Artifact.of(candidate.pickle),
            environment=inspection.environment,
            input_schema=candidate.input_schema,
            classes=inspection.classes,
            threshold=candidate.threshold,
            metrics=candidate.metrics,
            data=candidate.data,
            probes=tuple(Probe(record, probability) for record, probability in probes),
            git_commit=candidate.git_commit,
            description=candidate.description,
            created_at=self._now(),
            created_by=self._who,
            serving_form=Artifact.of(inspection.serving_form) if inspection.serving_form else None,
            reasons=candidate.reasons,
        )


def _is_same_model(one: Manifest, other: Manifest) -> bool:
    return _identity(one) == _identity(other)


def _identity(manifest: Manifest) -> tuple[object, ...]:
    """Return what makes two versions answer differently: not who published them, nor how good they are said to be."""
    return manifest.artifact, manifest.serving_form, manifest.threshold, manifest.input_schema, manifest.reasons
