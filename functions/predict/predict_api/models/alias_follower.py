"""Follows the alias: the versions that it points to answer requests ("are in charge").

Invariants (tests/unit/predict_api/models/test_alias_follower.py):

- The alias pointed to each version in charge at some instant within the TTL before the request, or during the request.
- A version that the alias has left answers no request that begins more than the TTL later, as long as the bucket
  answers and the new version can be loaded. Otherwise the versions last in charge stay in charge.
- While a version is in charge, no request waits for the bucket longer than ``TOTAL_S``, or than its own time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from model_registry.alias import Alias
from model_registry.reader import AliasSnapshot, RegistryReader
from model_registry.routing import resolve_version
from model_registry.stores.deadline import Deadline, reads_until
from predict_api.http.errors import NoVerifiedModelError
from predict_api.models.back_off import BackOff, Failures, after_failure
from predict_api.models.clock import Clock, Instant, elapsed_s, known_elapsed_s
from predict_api.models.model_cache import ModelCache, ModelObserver
from predict_api.models.serving_model import ServingModel

# While a version is in charge, the bucket may take this long: for looking the alias up, and with all downloads.
LOOK_UP_S = 1.5
TOTAL_S = 3.0
# While no version is in charge. Lambda's limit for an init phase is 10 seconds.
FIRST_LOOK_UP_S = 4.0
FIRST_TOTAL_S = 9.0


@dataclass(frozen=True)
class ActiveVersions:
    """The versions in charge: one revision of the alias, and those of its versions that are loaded and verified.

    Attributes
    ----------
    alias : Alias
        The revision.
    models : mapping of int to ServingModel
        At least one version, the alias's main version first. It can be missing only at an environment's start.
    """

    alias: Alias
    models: Mapping[int, ServingModel]

    def model_for(self, routing_key: str) -> ServingModel:
        """Return the model that answers for a routing key.

        If the version for this key could not be loaded, the other version answers: a bad candidate must not lower the
        availability of the version beside it.
        """
        model = self.models.get(resolve_version(self.alias, routing_key))
        return next(iter(self.models.values())) if model is None else model

    def weight_of(self, version: int) -> float:
        """Return the share of requests that the alias gives to one of its versions."""
        weights = self.alias.routing_config.additional_version_weights
        return weights.get(version, 1 - sum(weights.values()))


class AliasFollower:
    """Reads the alias, at most once in a TTL, and puts its versions in charge.

    Parameters
    ----------
    reader : RegistryReader
        Reads the alias from the bucket.
    alias : str
        The alias's name.
    cache : ModelCache
        Loads and keeps the versions.
    ttl_s : float
        How many seconds the alias counts as current after it was read.
    clock : Clock
        The time.
    back_off : BackOff
        The waits after a look-up failed.
    observer : ModelObserver
        Told of each failure.
    """

    def __init__(
        self,
        reader: RegistryReader,
        alias: str,
        cache: ModelCache,
        *,
        ttl_s: float,
        clock: Clock,
        back_off: BackOff,
        observer: ModelObserver,
    ) -> None:
        self._reader = reader
        self._alias = alias
        self._cache = cache
        self._ttl_s = ttl_s
        self._clock = clock
        self._back_off = back_off
        self._observer = observer
        self._snapshot: AliasSnapshot | None = None
        self._last_checked: Instant | None = None
        self._is_stale = True
        self._failures: Failures | None = None
        self._deployment: ActiveVersions | None = None

    def follow(self, remaining_s: float = math.inf) -> ActiveVersions:
        """Return the versions in charge now, after looking the alias up if that is due.

        Parameters
        ----------
        remaining_s : float
            The time that the caller has left, in seconds. If the bucket uses it up, the versions last in charge stay.

        Raises
        ------
        NoVerifiedModelError
            If no version was ever loaded and verified.
        """
        now = self._clock.now()
        look_up_s, total_s = (FIRST_LOOK_UP_S, FIRST_TOTAL_S) if self._deployment is None else (LOOK_UP_S, TOTAL_S)
        with self._reads_within(now, min(total_s, remaining_s)):
            if self._is_due(now):
                with self._reads_within(now, look_up_s):
                    self._look_up(now)
            self._adopt()
        if self._deployment is None:
            raise NoVerifiedModelError(self.retry_in_s())
        return self._deployment

    def mark_stale(self) -> None:
        """Make the next request look the alias up; called after a snapshot was restored."""
        self._is_stale = True
        self._failures = None
        self._cache.forget_failures()

    def restore(self) -> None:
        """Look the alias up after a snapshot was restored, if the bucket answers."""
        self.mark_stale()
        with suppress(NoVerifiedModelError):
            self.follow()

    @property
    def is_stale(self) -> bool:
        """Whether the alias wasn't read since the environment started, or since it was restored from a snapshot."""
        return self._is_stale

    def retry_in_s(self) -> float:
        """Return the seconds until the next try, after something couldn't be read or loaded."""
        now = self._clock.now()
        if self._failures is not None:
            return self._failures.remaining_s(now)
        versions = () if self._snapshot is None else self._snapshot.alias.versions
        return min((self._cache.retry_in_s(version) for version in versions), default=0.0)

    def staleness_s(self) -> float | None:
        """Return the seconds since the alias was last read successfully; None if it never was."""
        return None if self._last_checked is None else known_elapsed_s(self._last_checked, self._clock.now())

    @contextmanager
    def _reads_within(self, since: Instant, seconds: float) -> Iterator[None]:
        with reads_until(Deadline(since.monotonic_s + seconds, lambda: self._clock.now().monotonic_s)):
            yield

    def _is_due(self, now: Instant) -> bool:
        if self._failures is not None:
            return self._failures.remaining_s(now) <= 0
        if self._is_stale or self._last_checked is None:
            return True
        return elapsed_s(self._last_checked, now) >= self._ttl_s

    def _look_up(self, started: Instant) -> None:
        try:
            if self._snapshot is None:
                self._snapshot = self._reader.get_alias(self._alias)
            else:
                changed = self._reader.get_alias_if_changed(self._alias, self._snapshot.etag)
                self._snapshot = changed or self._snapshot
        except Exception as error:  # noqa: BLE001 - the last good version stays in charge
            self._failures = after_failure(self._failures, self._clock.now(), self._back_off)
            self._observer.alias_look_up_failed(error, self._failures.count, self._failures.wait_s)
            return
        # Invariant: the moment before the look-up. What was read is at least as new as that.
        self._last_checked = started
        self._is_stale = False
        self._failures = None

    def _adopt(self) -> None:
        """Put the alias's versions in charge, once the main one is loaded.

        The additional version alone is put in charge only while no version is. Later, a canary of 1 % would get all
        requests because the main version is bad, although the last good version is still loaded.
        """
        if self._snapshot is None or self._is_adopted(self._snapshot.alias):
            return
        alias = self._snapshot.alias
        in_charge = () if self._deployment is None else tuple(self._deployment.models)
        models = {}
        for version in alias.versions:
            model = self._cache.find(version, in_charge=(*in_charge, *alias.versions))
            if model is not None:
                models[version] = model
        if alias.version in models or (models and self._deployment is None):
            self._deployment = ActiveVersions(alias=alias, models=models)

    def _is_adopted(self, alias: Alias) -> bool:
        deployment = self._deployment
        return deployment is not None and deployment.alias is alias and len(deployment.models) == len(alias.versions)
