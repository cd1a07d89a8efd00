"""Follows the alias: the versions that it points to answer requests ("are in charge").

Invariants (tests/unit/predict_api/models/test_alias_follower.py):

- The alias pointed to each version in charge at some instant within the TTL before the request, or during the request.
- A version that the alias has left answers no request that begins more than the TTL later, as long as the bucket
  answers and the new version can be loaded; a pickle is opened beside the requests, and they get the earlier version
  until then. If it can't be loaded, the newest earlier revision that can be answers.
- While a version is in charge, no request waits for the bucket longer than ``TOTAL_S``, or than its own time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from model_artifact.loading import LoadedModel
from model_registry.alias import Alias
from model_registry.errors import StoreUnavailableError
from model_registry.reader import AliasSnapshot, RegistryReader
from model_registry.routing import resolve_version
from model_registry.stores.base import reads_until
from predict_api.http.errors import NoVerifiedModelError
from predict_api.models.back_off import BackOff, Failures
from predict_api.models.clock import Clock, Instant, elapsed_s, known_elapsed_s
from predict_api.models.model_cache import LONGEST_WAIT_S, ModelCache, ModelObserver

# While a version is in charge, the bucket may take this long: for looking the alias up, and with all downloads.
LOOK_UP_S = 1.5
TOTAL_S = 3.0
# While no version is in charge. Lambda's limit for an init phase is 10 seconds.
FIRST_LOOK_UP_S = 4.0
FIRST_TOTAL_S = 9.0
# How many earlier revisions are tried when the version that the alias names can't be loaded.
_EARLIER_REVISIONS = 5


@dataclass(frozen=True)
class ActiveVersions:
    """The versions in charge: one revision of the alias, and those of its versions that are loaded and verified.

    ``models`` are at least one version, the alias's main version first. That can be missing only at an environment's
    start.
    """

    alias: Alias
    models: Mapping[int, LoadedModel]

    def model_for(self, routing_key: str) -> LoadedModel:
        """Return the model that answers for a routing key."""
        return self.model_of(resolve_version(self.alias, routing_key))

    def model_of(self, routed_version: int) -> LoadedModel:
        """Return the model that answers for a version that the alias's weights chose.

        If that version could not be loaded, the other one answers: a bad candidate must not lower the availability of
        the version beside it.
        """
        model = self.models.get(routed_version)
        return next(iter(self.models.values())) if model is None else model

    def weight_of(self, version: int) -> float:
        """Return the share of requests that the alias gives to one of its versions."""
        weights = self.alias.routing_config.additional_version_weights
        return weights.get(version, 1 - sum(weights.values()))


@dataclass(eq=False)
class AliasFollower:
    """Reads the alias, at most once in ``ttl_s`` seconds, and puts its versions in charge.

    ``back_off`` has the waits after a look-up failed. ``observer`` is told of each failure.
    """

    reader: RegistryReader
    alias: str
    cache: ModelCache
    ttl_s: float
    clock: Clock
    back_off: BackOff
    observer: ModelObserver
    # Whether the alias wasn't read since the environment started, or since it was restored from a snapshot.
    is_stale: bool = field(default=True, init=False)
    _snapshot: AliasSnapshot | None = field(default=None, init=False)
    _last_checked: Instant | None = field(default=None, init=False)
    _failures: Failures | None = field(default=None, init=False)
    _active: ActiveVersions | None = field(default=None, init=False)
    _earlier: tuple[Alias, Sequence[Alias]] | None = field(default=None, init=False)
    # Whether some of these could not be read.
    _misses_revisions: bool = field(default=False, init=False)
    # The seconds for which this request still waits for versions, all of them together.
    _patience_s: float = field(default=0.0, init=False)

    def follow(self, remaining_s: float = math.inf) -> ActiveVersions:
        """Return the versions in charge now, after looking the alias up if that is due.

        No longer than the caller's ``remaining_s`` it waits for the bucket, or for versions while none is in charge. If
        the bucket uses them up, the versions last in charge stay. Raises
        ``NoVerifiedModelError`` if no version was ever loaded and verified.
        """
        now = self.clock()
        look_up_s, total_s = (FIRST_LOOK_UP_S, FIRST_TOTAL_S) if self._active is None else (LOOK_UP_S, TOTAL_S)
        with reads_until(now.monotonic_s + min(total_s, remaining_s), self._monotonic_s):
            if self._is_due(now):
                with reads_until(now.monotonic_s + look_up_s, self._monotonic_s):
                    self._look_up(now)
            # By the clock: reading may have used up most of it.
            waited_s = self._monotonic_s() - now.monotonic_s
            self._patience_s = max(min(LONGEST_WAIT_S, remaining_s - waited_s), 0.0) if self._active is None else 0.0
            self._adopt()
        if self._active is None:
            raise NoVerifiedModelError(self.retry_in_s())
        return self._active

    def refuse(self, version: int, error: Exception) -> None:
        """Take a version out of charge whose process ended or hung while it scored."""
        self.cache.refuse(version, error)
        if self._active is not None and version in self._active.models:
            remaining = {number: model for number, model in self._active.models.items() if number != version}
            has_main = self._active.alias.version in remaining
            self._active = ActiveVersions(self._active.alias, remaining) if has_main else None

    def mark_stale(self) -> None:
        """Make the next request look the alias up; called after a snapshot was restored."""
        self.is_stale = True
        self._failures = None
        self.cache.forget_failures()

    def restore(self) -> None:
        """Look the alias up after a snapshot was restored, if the bucket answers."""
        self.mark_stale()
        with suppress(NoVerifiedModelError):
            self.follow()

    def retry_in_s(self) -> float:
        """Return the seconds until the next try, after something couldn't be read or loaded."""
        now = self.clock()
        if self._failures is not None:
            return self._failures.remaining_s(now)
        versions = () if self._snapshot is None else self._snapshot.alias.versions
        return min((self.cache.retry_in_s(version) for version in versions), default=0.0)

    def staleness_s(self) -> float | None:
        """Return the seconds since the alias was last read successfully; None if it never was."""
        return None if self._last_checked is None else known_elapsed_s(self._last_checked, self.clock())

    def _monotonic_s(self) -> float:
        return self.clock().monotonic_s

    def _is_due(self, now: Instant) -> bool:
        if self._failures is not None:
            return self._failures.remaining_s(now) <= 0
        if self.is_stale or self._last_checked is None:
            return True
        return elapsed_s(self._last_checked, now) >= self.ttl_s

    def _look_up(self, started: Instant) -> None:
        try:
            if self._snapshot is None:
                self._snapshot = self.reader.get_alias(self.alias)
            else:
                changed = self.reader.get_alias_if_changed(self.alias, self._snapshot.etag)
                if changed is not None:
                    self._snapshot = changed
                    self.cache.abandon_loading(changed.alias.versions)
        except Exception as error:  # noqa: BLE001 - the last good version stays in charge
            self._failures = self.back_off.after_failure(self._failures, self.clock())
            self.observer.alias_look_up_failed(error, self._failures)
            return
        # Invariant: the moment before the look-up. What was read is at least as new as that.
        self._last_checked = started
        if self._misses_revisions:
            self._earlier, self._misses_revisions = None, False
        self.is_stale = False
        self._failures = None

    def _adopt(self) -> None:
        """Put the alias's versions in charge, once the main one is loaded.

        If it can't be loaded, the newest earlier revision whose main version can be is put in charge: an environment
        that was idle may hold a version that the alias left long ago.
        """
        if self._snapshot is None or self._is_adopted(self._snapshot.alias):
            return
        alias = self._snapshot.alias
        models = self._find_models(alias)
        if alias.version in models:
            self._active = ActiveVersions(alias=alias, models=models)
        if alias.version in models or not self.cache.has_failed(alias.version):
            return
        for earlier in self._earlier_revisions(alias):
            if self._active is not None and earlier.revision <= self._active.alias.revision:
                return
            found = self._find_models(earlier)
            if earlier.version in found:
                self._active = ActiveVersions(alias=earlier, models=found)
                return
        # The additional version alone answers only while no version does. Later, a canary of 1 % would get all requests
        # because the main version is bad, although the last good version is still loaded.
        if models and self._active is None:
            self._active = ActiveVersions(alias=alias, models=models)

    def _find_models(self, alias: Alias) -> dict[int, LoadedModel]:
        """Return those of a revision's versions that are loaded, the main one first."""
        in_charge = () if self._active is None else tuple(self._active.models)
        models = {}
        for version in alias.versions:
            began_s = self._monotonic_s()
            model = self.cache.find(version, in_charge=(*in_charge, *alias.versions), wait_s=self._patience_s)
            self._patience_s = max(self._patience_s - (self._monotonic_s() - began_s), 0.0)
            if model is not None:
                models[version] = model
        return models

    def _earlier_revisions(self, alias: Alias) -> Sequence[Alias]:
        """Return the revisions before this one, newest first, as far as they can be read."""
        if self._earlier is None or self._earlier[0] is not alias:
            revisions: list[Alias] = []
            try:
                for number in range(alias.revision - 1, max(alias.revision - 1 - _EARLIER_REVISIONS, 0), -1):
                    revisions.append(self.reader.get_revision(self.alias, number))
            except StoreUnavailableError:
                # A pickle may have used up the time for reads. They are read again at the next look-up, or at the next
                # request if none is answered.
                self._misses_revisions = True
                if self._active is None:
                    return revisions
            except Exception:  # noqa: BLE001, S110 - a damaged revision hides those before it
                pass
            self._earlier = (alias, revisions)
        return self._earlier[1]

    def _is_adopted(self, alias: Alias) -> bool:
        active = self._active
        return active is not None and active.alias is alias and len(active.models) == len(alias.versions)
