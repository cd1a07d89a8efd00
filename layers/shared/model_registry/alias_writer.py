"""Moves aliases: assigns them and rolls them back.

An update is three single-object writes: the current revision's history entry, then the alias document by
compare-and-swap, then the new revision's history entry. The alias moves at the second write. An update that is cut off
anywhere leaves the old state or the new one. The next update writes a missing history entry, so the history stays
complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from typing import Any

from model_registry import names
from model_registry.alias import Alias, AliasConflictError, RoutingConfig, Shadow, next_rollout
from model_registry.errors import (
    AliasNotFoundError,
    ArtifactMismatchError,
    InvalidAliasError,
    InvalidManifestError,
    NoEarlierVersionError,
    ObjectNotFoundError,
    PreconditionFailedError,
    VersionDamagedError,
    VersionNotFoundError,
)
from model_registry.reader import AliasSnapshot, RegistryReader, is_published
from model_registry.stores.base import ObjectStore

_NO_ADDITIONAL = RoutingConfig()
# How the reason of a roll-back begins: later roll-backs read from it which version was left.
_ROLLED_BACK = re.compile("roll back from version ([0-9]+)")


@dataclass(eq=False)
class AliasWriter:
    """Aliases of one model, for writing.

    ``clock`` returns now, with a time zone. ``who`` is writing, for the history. ``new_id`` returns a new unique
    string, which identifies an update.
    """

    store: ObjectStore
    model: str = names.DEFAULT_MODEL
    _: KW_ONLY
    clock: Callable[[], datetime]
    who: str
    new_id: Callable[[], str]

    def __post_init__(self) -> None:
        self.reader = RegistryReader(self.store, self.model)

    def assign(
        self,
        alias: str,
        version: int,
        *,
        routing_config: RoutingConfig = _NO_ADDITIONAL,
        expected_revision: int | None = None,
        reason: str = "",
        shadow: Shadow | None = None,
        rollout: str | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> Alias:
        """Point an alias, which may be a new one, at a version, and return its new revision.

        What isn't given isn't kept: an update without ``shadow`` ends the alias's shadow.

        Parameters
        ----------
        alias : str
            The alias's name.
        version : int
            The version that gets the traffic.
        routing_config : RoutingConfig
            The share of an additional version.
        expected_revision : int, optional
            The revision that this update was decided on, 0 for a new alias; by default the one read now.
        reason : str
            Why, for the history.
        shadow : Shadow, optional
            A version to score beside the ones that answer.
        rollout : str, optional
            The name of the split between two versions. Updates with one name keep each key's point, whatever the
            weights and versions are in between. By default ``next_rollout`` names it.
        evidence : mapping, optional
            What the update was decided on, as JSON, for the history.

        Raises
        ------
        AliasConflictError
            If somebody else moved the alias first.
        VersionNotFoundError
            If a version doesn't exist.
        ArtifactMismatchError, VersionDamagedError
            If a version that is new to the alias is damaged.
        InvalidAliasError
            If the weights or the shadow break the rules, the evidence isn't JSON, or the alias document in the bucket
            can't be used.
        InvalidNameError
            If the alias's or the rollout's name isn't allowed.
        """
        names.check_alias_name(alias)
        routing_config.check(version)
        if shadow is not None:
            shadow.check(version)
        if rollout is not None:
            names.check_rollout_name(rollout)
        current = self._find_alias(alias)
        revision = current.alias.revision if current else 0
        if current and expected_revision is not None and expected_revision != revision:
            raise AliasConflictError(alias, expected_revision, current.alias)
        if not current and expected_revision:
            raise AliasNotFoundError(self.model, alias)
        # If the alias document was lost, the numbers continue after the history's last, so that each is used once.
        number = 1 + (revision or max(self.reader.list_revisions(alias), default=0))
        versions = (version, *routing_config.additional_version_weights)
        update = Alias(
            alias=alias,
            revision=number,
            version=version,
            routing_config=routing_config,
            rollout=rollout or next_rollout(current.alias if current else None, alias, number, versions),
            updated_at=self._now(),
            updated_by=self.who,
            reason=reason,
            update_id=self.new_id(),
            shadow=shadow,
            evidence=evidence,
        ).as_stored()
        files = self._require_published(update.versions_in_use)
        self._require_whole(_newly_used(update, current), files)
        if current:
            self._write_history(current.alias)
        self._swap(update, current)
        self._write_history(update)
        self._undo_if_deleted(update, current)
        return update

    def roll_back(self, alias: str, *, expected_revision: int | None = None, reason: str = "") -> Alias:
        """Point an alias back at the version in charge before.

        While two versions share the traffic, the main one gets all of it. Otherwise the history is searched backwards
        for another main version that still exists and isn't damaged. A version that was rolled back from is passed
        over until it is assigned again, so a second roll-back goes one version further back. The reason in the history
        names the version that was left and the damaged ones that were skipped. A shadow ends in both cases. Raises
        ``NoEarlierVersionError`` if no such version exists, and the errors of ``assign``.
        """
        current = self.reader.get_alias(alias).alias
        revision = current.revision if expected_revision is None else expected_revision
        sharing = [
            version for version, weight in current.routing_config.additional_version_weights.items() if weight > 0
        ]
        if sharing:
            reason = reason or f"end the canary of version {sharing[0]}"
            return self.assign(alias, current.version, expected_revision=revision, reason=reason)
        reason = f"roll back from version {current.version}" + (f": {reason}" if reason else "")
        published = self.reader.list_versions()
        passed_over = {current.version, *_version_left(current)}
        damaged: list[int] = []
        # Newest first, one by one: a roll-back must be quick, and usually needs the newest alone.
        for number in reversed(self.reader.list_revisions(alias)):
            past = self._find_revision(alias, number)
            if not past:
                continue
            if past.version not in passed_over and past.version in published:
                try:
                    return self.assign(alias, past.version, expected_revision=revision, reason=reason + _note(damaged))
                except (ArtifactMismatchError, InvalidManifestError, VersionDamagedError):
                    damaged.append(past.version)
            passed_over |= {past.version, *_version_left(past)}
        raise NoEarlierVersionError(
            f"The history of alias {alias!r} has no earlier version that can serve and wasn't rolled back from"
            f"{_note(damaged)}. Choose one: peerloan alias set {alias} --version N."
        )

    def _find_alias(self, alias: str) -> AliasSnapshot | None:
        try:
            return self.reader.get_alias(alias)
        except AliasNotFoundError:
            return None

    def _require_published(self, versions: tuple[int, ...]) -> dict[int, set[str]]:
        files = self.reader.list_version_files()
        for version in versions:
            if not is_published(files.get(version, set())):
                raise VersionNotFoundError(self.model, version)
        return files

    def _require_whole(self, versions: set[int], files: Mapping[int, set[str]]) -> None:
        # A new environment has no last good version to fall back on, so no damaged version may be put in charge.
        for version in versions:
            manifest = self.reader.get_manifest(version)
            needed = {names.PICKLE, names.SERVING_FORM} if manifest.serving_form else {names.PICKLE}
            try:
                # By the listing: reading a missing file is refused as forbidden where the role may not list the bucket.
                for file in sorted(needed - files[version]):
                    raise VersionDamagedError(self.model, version, names.version_key(self.model, version, file))
                self.reader.get_artifact(manifest)
                if manifest.serving_form:
                    self.reader.get_serving_form(manifest)
            except VersionDamagedError:
                # A deletion that began meanwhile removes files too; then the version doesn't exist.
                self._require_published((version,))
                raise

    def _swap(self, update: Alias, current: AliasSnapshot | None) -> None:
        key = names.alias_key(self.model, update.alias)
        try:
            self.store.put(key, update.to_json(), if_absent=not current, if_match=current.etag if current else None)
        except PreconditionFailedError:
            winner = self.reader.get_alias(update.alias).alias
            raise AliasConflictError(update.alias, update.revision - 1, winner) from None

    def _write_history(self, alias: Alias) -> None:
        key = names.history_key(self.model, alias.alias, alias.revision)
        try:
            self.store.put(key, alias.to_json(), if_absent=True)
        except PreconditionFailedError:
            if self.reader.get_revision(alias.alias, alias.revision).update_id != alias.update_id:
                raise InvalidAliasError(
                    f"The history has another update as revision {alias.revision} of alias {alias.alias!r}. "
                    "Somebody wrote to the bucket by hand: compare the alias document with its history."
                ) from None

    def _undo_if_deleted(self, update: Alias, current: AliasSnapshot | None) -> None:
        # A deletion may check the aliases before this update and remove the version after it. Its tombstone is there by
        # now, so this check sees it, and the alias points back rather than at nothing.
        try:
            self._require_published(update.versions_in_use)
        except VersionNotFoundError as error:
            if current:
                self.assign(
                    update.alias,
                    current.alias.version,
                    routing_config=current.alias.routing_config,
                    shadow=current.alias.shadow,
                    rollout=current.alias.rollout,
                    evidence=current.alias.evidence,
                    expected_revision=update.revision,
                    reason=f"version {error.version} was deleted meanwhile",
                )
            elif self.reader.get_alias(update.alias).alias.update_id == update.update_id:
                self.store.delete(names.alias_key(self.model, update.alias))
            raise

    def _find_revision(self, alias: str, revision: int) -> Alias | None:
        try:
            return self.reader.get_revision(alias, revision)
        except (InvalidAliasError, ObjectNotFoundError):
            return None

    def _now(self) -> str:
        return self.clock().astimezone(UTC).isoformat(timespec="microseconds")


def _newly_used(update: Alias, current: AliasSnapshot | None) -> set[int]:
    """Return the versions that the alias didn't use before, or only as its shadow."""
    if current is None:
        return set(update.versions_in_use)
    may_answer = set(update.versions) - set(current.alias.versions)
    return may_answer | set(update.versions_in_use) - set(current.alias.versions_in_use)


def _version_left(alias: Alias) -> set[int]:
    """Return the version that a roll-back left with this revision; empty for any other revision."""
    match = _ROLLED_BACK.match(alias.reason)
    return {int(match[1])} if match else set()


def _note(damaged: list[int]) -> str:
    return f" (damaged: version {', '.join(map(str, damaged))})" if damaged else ""
