"""The model versions in memory, and for each version that couldn't be loaded the time of its next try."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from model_artifact.errors import ModelProcessError
from model_artifact.loading import LoadedModel
from model_registry.errors import StoreUnavailableError
from model_registry.reader import RegistryReader
from predict_api.models.back_off import BackOff, Failures
from predict_api.models.clock import Clock, Instant, known_elapsed_s


class VersionLoading(Protocol):
    """A version on its way; see ``version_loading.Loading``."""

    def is_ready(self, within_s: float = 0.0) -> bool:
        """Return whether ``wait`` would return or raise at once, after waiting at most so many seconds."""

    def start(self) -> Callable[[], object] | None:
        """Start the process that a pickle needs, and return what waits for its end; None if it needs none."""

    def wait(self) -> LoadedModel:
        """Return the verified version, or raise an ``ArtifactError``."""

    def abandon(self) -> None:
        """End what still runs for it."""


class ModelLoader(Protocol):
    """Begins to load a version; see ``loading.begin_version``."""

    def __call__(self, reader: RegistryReader, version: int, *, is_urgent: bool) -> VersionLoading: ...


# Both versions of a canary and the previous one, so that neither a canary nor a roll-back has to load anything.
CAPACITY = 3
# While no version is in charge. Lambda ends the function after 29 s; an earlier version may have to answer then.
LONGEST_WAIT_S = 15.0
# Lambda stops an environment between its requests. After such a pause a request gives what is being loaded some time.
_PAUSE_S = 1.0
_WAIT_AFTER_PAUSE_S = 0.1


class ModelObserver(Protocol):
    """Is told about each load and each failure."""

    def model_loaded(self, model: LoadedModel, duration_s: float) -> None:
        """A version was loaded and verified."""

    def model_refused(self, version: int, error: Exception, failures: Failures) -> None:
        """A version couldn't be loaded, or failed its verification."""

    def alias_look_up_failed(self, error: Exception, failures: Failures) -> None:
        """The alias couldn't be read."""


@dataclass
class _OnItsWay:
    """A version that is being loaded: since when, and when a request last asked for it."""

    loading: VersionLoading
    started: Instant
    asked: Instant


@dataclass(eq=False)
class ModelCache:
    """Keeps at most ``capacity`` versions (at least 2), and drops the least recently used one first.

    ``outage_back_off`` has the waits after the bucket failed, ``refusal_back_off`` those after a version failed its
    verification. The second are longer: a version's bytes never change, so only a repair of the bucket can help.
    """

    reader: RegistryReader
    load: ModelLoader
    clock: Clock
    outage_back_off: BackOff
    refusal_back_off: BackOff
    observer: ModelObserver
    capacity: int = CAPACITY
    _models: OrderedDict[int, LoadedModel] = field(default_factory=OrderedDict, init=False)
    _failures: dict[int, Failures] = field(default_factory=dict, init=False)
    _refused: set[int] = field(default_factory=set, init=False)
    _loading: dict[int, _OnItsWay] = field(default_factory=dict, init=False)

    @property
    def versions(self) -> list[int]:
        """The versions in memory, the most recently used one last."""
        return list(self._models)

    def find(self, version: int, *, in_charge: Collection[int], wait_s: float = 0.0) -> LoadedModel | None:
        """Return a version, loaded first if it isn't in memory; None if it can't be loaded now.

        ``in_charge`` are the versions that answer requests at the moment; they are never dropped. ``wait_s`` says how
        long to wait for a pickle or large arrays. Where that isn't enough, or is 0, the version is None until it has
        been read and opened beside the requests; one that was waited for is refused after ``LONGEST_WAIT_S``.
        """
        model = self.find_in_memory(version)
        if model is not None:
            return model
        if self.retry_in_s(version) > 0:
            return None
        started = self.clock()
        loading = None
        try:
            on_its_way = self._loading.pop(version, None) or self._begin(version, started, is_urgent=wait_s > 0)
            loading, started = on_its_way.loading, on_its_way.started
            if not self._is_ready(on_its_way, wait_s):
                self._put_on_its_way(version, on_its_way)
                return None
            model = loading.wait()
        except Exception as error:  # noqa: BLE001 - the last good version stays
            if loading is not None:
                loading.abandon()
            self.refuse(version, error)
            return None
        self.add(model, started, in_charge=in_charge)
        return model

    def find_in_memory(self, version: int) -> LoadedModel | None:
        """Return a version if it is in memory, and count it as used."""
        model = self._models.get(version)
        if model is not None:
            self._models.move_to_end(version)
        return model

    def add(self, model: LoadedModel, started: Instant, *, in_charge: Collection[int]) -> None:
        """Keep a version that was loaded since ``started``; those in charge, and this one, aren't dropped for it."""
        version = model.manifest.version
        self._failures.pop(version, None)
        self._refused.discard(version)
        self._models[version] = model
        # Only after a successful load: otherwise a failure would drop the version to roll back to.
        self._make_room({*in_charge, version})
        self.observer.model_loaded(model, self.clock().monotonic_s - started.monotonic_s)

    def abandon_loading(self, needed: Collection[int]) -> None:
        """End the loading of all versions but those that are needed."""
        for version in self._loading.keys() - set(needed):
            self._loading.pop(version).loading.abandon()

    def retry_in_s(self, version: int) -> float:
        """Return the seconds until a version that failed is tried again; 0 if it may be tried now."""
        failures = self._failures.get(version)
        return 0.0 if failures is None else failures.remaining_s(self.clock())

    def forget_failures(self) -> None:
        """Allow every version to be tried again at once."""
        self._failures.clear()
        self._refused.clear()

    def has_failed(self, version: int) -> bool:
        """Return whether a version couldn't be loaded when it was last tried."""
        return version in self._failures

    def is_refused(self, version: int) -> bool:
        """Return whether a version failed by itself, not by the bucket's fault, and hasn't been loaded since."""
        return version in self._refused

    def refuse(self, version: int, error: Exception) -> None:
        """Drop a version that failed, and don't try it again before its back-off ends."""
        self._models.pop(version, None)
        is_outage = isinstance(error, StoreUnavailableError)
        if not is_outage:
            self._refused.add(version)
        back_off = self.outage_back_off if is_outage else self.refusal_back_off
        failures = self._failures[version] = back_off.after_failure(self._failures.get(version), self.clock())
        self.observer.model_refused(version, error, failures)

    def _begin(self, version: int, now: Instant, *, is_urgent: bool) -> _OnItsWay:
        return _OnItsWay(self.load(self.reader, version, is_urgent=is_urgent), now, now)

    def _is_ready(self, on_its_way: _OnItsWay, wait_s: float) -> bool:
        now = self.clock()
        was_paused = known_elapsed_s(on_its_way.asked, now) >= _PAUSE_S
        on_its_way.asked = now
        if on_its_way.loading.is_ready(wait_s or (_WAIT_AFTER_PAUSE_S if was_paused else 0.0)):
            return True
        if wait_s > 0 and known_elapsed_s(on_its_way.started, self.clock()) >= LONGEST_WAIT_S:
            raise ModelProcessError(f"The version wasn't loaded within {LONGEST_WAIT_S:g} s.")
        return False

    def _put_on_its_way(self, version: int, on_its_way: _OnItsWay) -> None:
        self._loading[version] = on_its_way
        for other in list(self._loading)[: -self.capacity]:
            self._loading.pop(other).loading.abandon()

    def _make_room(self, needed: Collection[int]) -> None:
        """Drop versions that aren't needed, the least recently used first, until the rest fits the capacity."""
        for version in list(self._models):
            if len(self._models) <= self.capacity:
                return
            if version not in needed:
                del self._models[version]
