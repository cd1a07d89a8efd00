"""The model versions in memory, and for each version that couldn't be loaded the time of its next try."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from model_artifact.errors import ModelProcessError
from model_artifact.loading import LoadedModel
from model_registry.errors import StoreUnavailableError
from model_registry.reader import RegistryReader
from predict_api.models.back_off import BackOff, Failures
from predict_api.models.clock import Clock, Instant


class VersionLoading(Protocol):
    """A version on its way; see ``version_loading.Loading``."""

    def is_ready(self, within_s: float = 0.0) -> bool:
        """Return whether ``wait`` would return or raise at once, after waiting so many seconds for each step."""

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
_LONGEST_WAIT_S = 15.0


class ModelObserver(Protocol):
    """Is told about each load and each failure."""

    def model_loaded(self, model: LoadedModel, duration_s: float) -> None:
        """A version was loaded and verified."""

    def model_refused(self, version: int, error: Exception, failures: Failures) -> None:
        """A version couldn't be loaded, or failed its verification."""

    def alias_look_up_failed(self, error: Exception, failures: Failures) -> None:
        """The alias couldn't be read."""


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
    _loading: dict[int, tuple[Instant, VersionLoading]] = field(default_factory=dict, init=False)

    @property
    def versions(self) -> list[int]:
        """The versions in memory, the most recently used one last."""
        return list(self._models)

    def find(self, version: int, *, in_charge: Collection[int], is_urgent: bool) -> LoadedModel | None:
        """Return a version, loaded first if it isn't in memory; None if it can't be loaded now.

        ``in_charge`` are the versions that answer requests at the moment; they are never dropped. ``is_urgent`` says
        whether to wait for a pickle or large arrays, which may take seconds. Otherwise the version is None until it
        has been read and opened beside the requests.
        """
        if version in self._models:
            self._models.move_to_end(version)
            return self._models[version]
        if self.retry_in_s(version) > 0:
            return None
        started, loading = self._loading.pop(version, (self.clock(), None))
        try:
            loading = loading or self.load(self.reader, version, is_urgent=is_urgent)
            if not loading.is_ready(_LONGEST_WAIT_S if is_urgent else 0.0):
                if is_urgent:
                    raise ModelProcessError(f"The version wasn't loaded within {_LONGEST_WAIT_S:g} s.")
                self._loading[version] = (started, loading)
                for other in list(self._loading)[: -self.capacity]:
                    self._loading.pop(other)[1].abandon()
                return None
            model = loading.wait()
        except Exception as error:  # noqa: BLE001 - the last good version stays
            if loading is not None:
                loading.abandon()
            self.refuse(version, error)
            return None
        self._failures.pop(version, None)
        self._models[version] = model
        # Only after a successful load: otherwise a failure would drop the version to roll back to.
        self._make_room({*in_charge, version})
        self.observer.model_loaded(model, self.clock().monotonic_s - started.monotonic_s)
        return model

    def retry_in_s(self, version: int) -> float:
        """Return the seconds until a version that failed is tried again; 0 if it may be tried now."""
        failures = self._failures.get(version)
        return 0.0 if failures is None else failures.remaining_s(self.clock())

    def forget_failures(self) -> None:
        """Allow every version to be tried again at once."""
        self._failures.clear()

    def has_failed(self, version: int) -> bool:
        """Return whether a version couldn't be loaded when it was last tried."""
        return version in self._failures

    def refuse(self, version: int, error: Exception) -> None:
        """Drop a version that failed, and don't try it again before its back-off ends."""
        self._models.pop(version, None)
        is_outage = isinstance(error, StoreUnavailableError)
        back_off = self.outage_back_off if is_outage else self.refusal_back_off
        failures = self._failures[version] = back_off.after_failure(self._failures.get(version), self.clock())
        self.observer.model_refused(version, error, failures)

    def _make_room(self, needed: Collection[int]) -> None:
        """Drop versions that aren't needed, the least recently used first, until the rest fits the capacity."""
        for version in list(self._models):
            if len(self._models) <= self.capacity:
                return
            if version not in needed:
                del self._models[version]
