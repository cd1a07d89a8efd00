"""Publishes and deletes versions. The function never imports it.

Every operation is a sequence of single-object writes. If it is cut off at any point, the old state or the new one is
left; running it again completes it:

- publish: the pickle claims the number, its serving form follows, the manifest makes the version exist.
- delete: a tombstone keeps new aliases away; then existing aliases are checked; then the manifest is removed, then the
  other files.
- assign, roll back: see ``alias_writer``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter

from model_registry import names
from model_registry.alias_writer import AliasWriter
from model_registry.candidate import Candidate, Inspection, Inspector
from model_registry.documents import MAX_DOCUMENT_BYTES, dump_object, parse_object
from model_registry.errors import (
    InvalidManifestError,
    ObjectNotFoundError,
    PreconditionFailedError,
    VersionInUseError,
    VersionNotFoundError,
)
from model_registry.manifest import Artifact, HoldoutParity, Manifest, Probe
from model_registry.reader import is_published

# A deletion takes far less. An older tombstone was left by a deletion that was cut off.
_ABANDONED_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class Publication:
    """A published version; ``created`` is False where the newest version already was this very model."""

    manifest: Manifest
    created: bool


@dataclass(eq=False)
class RegistryWriter(AliasWriter):
    """Versions and aliases of one model, for writing.

    ``inspect`` opens a candidate's pickle in a limited process. ``sign`` returns a manifest with the publisher's
    signature; it raises ``CandidateRefusedError`` for what may not be published without one.
    """

    inspect: Inspector = field(kw_only=True)
    sign: Callable[[Manifest], Manifest] = field(default=lambda manifest: manifest, kw_only=True)

    def publish(self, candidate: Candidate) -> Publication:
        """Publish a candidate as the next version, or return the newest version if it is this very model.

        Raises ``CandidateRefusedError`` if the pickle isn't a model that can serve; then nothing was written.
        """
        inspection = _without_unproven_form(self.inspect(candidate.pickle, candidate.probe_records), candidate)
        files = self.reader.list_version_files()
        published = [number for number in files if is_published(files[number])]
        newest = self._find_manifest(max(published)) if published else None
        # Made before anything is written: signing may refuse.
        manifest = self._manifest(newest.version if newest else 1, candidate, inspection)
        if newest and _is_same_model(newest, manifest):
            return Publication(newest, created=False)
        last = max(files, default=0)
        # A number without a manifest belongs to a publication that was cut off or is under way. If it has the same
        # files, this publication completes it.
        is_open = last in files and not files[last] & {names.MANIFEST, names.TOMBSTONE}
        for version in itertools.count(last if is_open else last + 1):
            if not self._claim(version, candidate.pickle, inspection.serving_form):
                continue
            manifest = self._manifest(version, candidate, inspection)
            try:
                self.store.put(self._key(version, names.MANIFEST), manifest.to_json(), if_absent=True)
            except PreconditionFailedError:
                winner = self.reader.get_manifest(version)
                if _is_same_model(winner, manifest):
                    return Publication(winner, created=False)
                continue
            return Publication(manifest, created=True)
        raise AssertionError("unreachable")

    def delete_version(self, version: int) -> None:
        """Delete a version, whose number is never used again.

        Raises ``VersionInUseError`` if an alias uses it, and ``VersionNotFoundError`` if it doesn't exist.
        """
        files = self.reader.list_version_files().get(version, set())
        if not files - {names.TOMBSTONE}:
            raise VersionNotFoundError(self.model, version)
        is_ours = False
        try:
            self._require_unused(version)
            is_ours = self._mark(version)
            # Checked again: an alias may have been moved here just before the mark was written.
            self._require_unused(version)
        except BaseException:
            # The mark of another deletion under way must stay: it keeps aliases away from the version.
            if is_ours or self._has_abandoned_mark(version):
                self.store.delete(self._key(version, names.TOMBSTONE))
            raise
        for file in (names.MANIFEST, names.SERVING_FORM, names.PICKLE):
            self.store.delete(self._key(version, file))

    def _require_unused(self, version: int) -> None:
        aliases = self.reader.list_aliases()
        using = [name for name in aliases if version in self.reader.get_alias(name).alias.versions_in_use]
        if using:
            raise VersionInUseError(self.model, version, using)

    def _mark(self, version: int) -> bool:
        """Write the tombstone; return False if another deletion, under way or cut off, has written one."""
        mark = {"format": 1, "version": version, "deleted_at": self._now(), "deleted_by": self.who}
        try:
            self.store.put(self._key(version, names.TOMBSTONE), dump_object(mark), if_absent=True)
        except PreconditionFailedError:
            return False
        return True

    def _has_abandoned_mark(self, version: int) -> bool:
        try:
            mark = parse_object(
                self.store.get(self._key(version, names.TOMBSTONE), limit_bytes=MAX_DOCUMENT_BYTES).body
            )
            return self.clock() - datetime.fromisoformat(mark["deleted_at"]) > _ABANDONED_AFTER
        except ObjectNotFoundError:
            return False
        except (ValueError, TypeError, KeyError):
            return True

    def _find_manifest(self, version: int) -> Manifest | None:
        """Return a manifest, or None if it can't be read: a damaged version mustn't stop others."""
        try:
            return self.reader.get_manifest(version)
        except (InvalidManifestError, VersionNotFoundError):
            return None

    def _claim(self, version: int, pickle: bytes, serving_form: bytes | None) -> bool:
        """Write the files under this number if it is free; return whether it holds exactly these files."""
        if not self._put_or_compare(self._key(version, names.PICKLE), pickle):
            return False
        return serving_form is None or self._put_or_compare(self._key(version, names.SERVING_FORM), serving_form)

    def _key(self, version: int, file: str) -> str:
        return names.version_key(self.model, version, file)

    def _put_or_compare(self, key: str, body: bytes) -> bool:
        try:
            self.store.put(key, body, if_absent=True)
        except PreconditionFailedError:
            try:
                return self.store.get(key).body == body
            except ObjectNotFoundError:
                return False
        return True

    def _manifest(self, version: int, candidate: Candidate, inspection: Inspection) -> Manifest:
        probes = zip(candidate.probe_records, inspection.probe_probabilities, strict=True)
        manifest = Manifest(
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
            created_by=self.who,
            serving_form=Artifact.of(inspection.serving_form) if inspection.serving_form else None,
            reasons=candidate.reasons,
            holdout_parity=_parity_of(inspection.serving_form, candidate),
            why_no_serving_form=None if inspection.serving_form else inspection.why_no_serving_form,
            profile=candidate.profile,
        )
        # As it will be read: a signature covers the values that a reader sees.
        return self.sign(Manifest.from_json(manifest.to_json()))


def _without_unproven_form(inspection: Inspection, candidate: Candidate) -> Inspection:
    """Leave out a serving form that differed from the pickle on the held-out loans."""
    parity = candidate.holdout_parity
    if parity is None or parity.is_proven:
        return inspection
    why = f"not equal on {parity.data_name}: probabilities differ by up to {parity.largest_difference:.3g}"
    return replace(inspection, serving_form=None, why_no_serving_form=why)


def _parity_of(serving_form: bytes | None, candidate: Candidate) -> HoldoutParity | None:
    """Return the candidate's comparison unless it was of another form.

    The libraries that publish may differ from those that trained, and compile another form or none.
    """
    parity = candidate.holdout_parity
    if parity is None or not parity.is_proven:
        return parity
    return parity if serving_form and Artifact.of(serving_form).sha256 == parity.form_sha256 else None


def _is_same_model(version: Manifest, other: Manifest) -> bool:
    """Return whether both versions would answer and be logged alike, signed with one key, whatever their metrics.

    A version whose figures were claimed isn't the same as one whose figures were measured.
    """
    parts = attrgetter("artifact", "serving_form", "threshold", "input_schema", "reasons", "profile")
    keys = [manifest.signature and manifest.signature.key_id for manifest in (version, other)]
    claims = [manifest.metrics.get("claimed") for manifest in (version, other)]
    return bool(parts(version) == parts(other)) and keys[0] == keys[1] and claims[0] == claims[1]
