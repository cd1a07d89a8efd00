"""Writing the registry: publish and delete versions, and move aliases. Never imported by the function.

Every operation is a sequence of single-object writes in an order that leaves the old state or the new wherever it is
cut off, and that converges when it is run again:

- publish: the pickle claims the number, its serving form follows, the manifest makes the version exist.
- delete: a tombstone that keeps new aliases away, then the check of the old ones, then the manifest, then the rest.
- assign, roll back: see ``alias_writer``.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Unpack

from model_registry import names
from model_registry.alias_writer import AliasWriter, Writing
from model_registry.candidate import Candidate, Inspection, Inspector
from model_registry.documents import dump_object, parse_object, text
from model_registry.errors import (
    InvalidManifestError,
    ObjectNotFoundError,
    PreconditionFailedError,
    VersionInUseError,
    VersionNotFoundError,
)
from model_registry.manifest import Artifact, HoldoutParity, Manifest, Probe
from model_registry.reader import is_published
from model_registry.stores.base import ObjectStore

# No deletion takes as long: its mark was left there by one that was cut off.
_ABANDONED_AFTER = timedelta(minutes=10)


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
        inspect: Inspector,
        **writing: Unpack[Writing],
    ) -> None:
        super().__init__(store, model, **writing)
        self._inspect = inspect

    def publish(self, candidate: Candidate) -> Publication:
        """Publish a candidate as the next version, or return the newest version if it is this very model.

        Raises
        ------
        CandidateRefusedError
            If the pickle is no model that could be served; nothing was written.
        """
        inspection = _without_unproven_form(self._inspect(candidate.pickle, candidate.probe_records), candidate)
        files = self.reader.list_version_files()
        published = [number for number in files if is_published(files[number])]
        newest = self._find_manifest(max(published)) if published else None
        if newest and _is_same_model(newest, self._manifest(newest.version, candidate, inspection)):
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
        files = self.reader.list_version_files().get(version, set())
        if not files - {"deleted.json"}:
            raise VersionNotFoundError(self.model, version)
        is_ours = False
        try:
            self._require_unused(version)
            is_ours = self._mark(version)
            # Once more: an alias may have been moved here before it could see the mark.
            self._require_unused(version)
        except BaseException:
            # A mark of another deletion under way is what keeps aliases away from it: it is not ours to take.
            if is_ours or self._has_abandoned_mark(version):
                self._store.delete(names.tombstone_key(self.model, version))
            raise
        self._store.delete(names.manifest_key(self.model, version))
        self._store.delete(names.serving_form_key(self.model, version))
        self._store.delete(names.pickle_key(self.model, version))

    def _require_unused(self, version: int) -> None:
        aliases = self.reader.list_aliases()
        using = [name for name in aliases if version in self.reader.get_alias(name).alias.versions]
        if using:
            raise VersionInUseError(self.model, version, using)

    def _mark(self, version: int) -> bool:
        """Write the tombstone; return False if there is one, of a deletion under way or cut off."""
        mark = {"format": 1, "version": version, "deleted_at": self._now(), "deleted_by": self._who}
        try:
            self._store.put(names.tombstone_key(self.model, version), dump_object(mark), if_absent=True)
        except PreconditionFailedError:
            return False
        return True

    def _has_abandoned_mark(self, version: int) -> bool:
        try:
            mark = parse_object(self._store.get(names.tombstone_key(self.model, version)).body)
            return self._clock() - datetime.fromisoformat(text(mark, "deleted_at")) > _ABANDONED_AFTER
        except ObjectNotFoundError:
            return False
        except (ValueError, TypeError):
            return True

    def _find_manifest(self, version: int) -> Manifest | None:
        """Return a manifest, or None for one that can't be read: it must not keep others from being published."""
        try:
            return self.reader.get_manifest(version)
        except (InvalidManifestError, VersionNotFoundError):
            return None

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
            holdout_parity=_parity_of(inspection.serving_form, candidate),
        )


def _without_unproven_form(inspection: Inspection, candidate: Candidate) -> Inspection:
    """Leave a serving form out that differed from the pickle on the held-out loans, though it passed the inspection."""
    parity = candidate.holdout_parity
    if parity is None or parity.is_proven:
        return inspection
    why = f"not equal on {parity.data_name}: probabilities differ by up to {parity.largest_difference:.3g}"
    return replace(inspection, serving_form=None, why_no_serving_form=why)


def _parity_of(serving_form: bytes | None, candidate: Candidate) -> HoldoutParity | None:
    """Return the candidate's comparison if it is of these bytes, or says why there are none.

    Other libraries than the training's may compile another form, or none.
    """
    parity = candidate.holdout_parity
    if parity is None or not parity.is_proven:
        return parity
    return parity if serving_form and Artifact.of(serving_form).sha256 == parity.form_sha256 else None


def _is_same_model(one: Manifest, other: Manifest) -> bool:
    return _identity(one) == _identity(other)


def _identity(manifest: Manifest) -> tuple[object, ...]:
    """Return what makes two versions answer differently: not who published them, nor how good they are said to be."""
    return manifest.artifact, manifest.serving_form, manifest.threshold, manifest.input_schema, manifest.reasons
