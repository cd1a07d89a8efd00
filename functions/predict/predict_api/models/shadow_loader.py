"""Loads the version that an alias names as its shadow, beside the requests: none of them waits for it.

The model cache keeps it like any other version, so that a shadow that is put in charge is loaded already. A shadow
never pushes a version in charge out of the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from model_artifact.loading import ARRAYS, LoadedModel
from model_registry import threads
from model_registry.alias import Shadow
from model_registry.reader import RegistryReader
from model_watch.prediction_log import ShadowOutcome
from predict_api.models.clock import Clock, Instant
from predict_api.models.model_cache import ModelCache, ModelLoader, VersionLoading

_NAME = "loads a shadow"
# A shadow on its way, or None for one that isn't loaded; and what waits for the end of its process.
_Begun = tuple[VersionLoading | None, Callable[[], object] | None]


@dataclass
class _Step:
    """A shadow on its way. The future has None for a version that is served from its pickle, if that isn't taken."""

    version: int
    takes_pickle: bool
    began: Instant
    beginning: Future[VersionLoading | None]

    def abandon(self) -> None:
        """End what runs for it, as soon as its thread has begun it."""
        self.beginning.add_done_callback(_abandon)


@dataclass(eq=False)
class ShadowLoader:
    """Finds an alias's shadow in the cache, and loads it where it isn't there.

    ``begin_call`` makes a call on a thread; see ``threads.begin_and_stay``.
    """

    reader: RegistryReader
    load: ModelLoader
    cache: ModelCache
    clock: Clock
    begin_call: Callable[[Callable[[], _Begun], str], Future[VersionLoading | None]] = threads.begin_and_stay
    _step: _Step | None = field(default=None, init=False)

    def find(self, shadow: Shadow, in_charge: Collection[int]) -> LoadedModel | ShadowOutcome:
        """Return the shadow's version, or why it can't score now: "not_loaded", "refused" or "over_budget".

        A version that is served from its pickle is over budget without one, and isn't loaded then. Call this at each
        request, so that the loading goes on. ``in_charge`` are the versions that answer requests; none of them is
        loaded here.
        """
        takes_pickle = shadow.budget_ms is not None
        model = self.cache.find_in_memory(shadow.version)
        # Whoever puts a version in charge loads it.
        is_loaded_here = model is None and shadow.version not in in_charge
        if not is_loaded_here or not self._is_loading(shadow.version, takes_pickle):
            self.stop()
        if model is not None:
            return model if takes_pickle or model.form == ARRAYS else "over_budget"
        outcome: LoadedModel | ShadowOutcome = "not_loaded"
        if is_loaded_here and self.cache.retry_in_s(shadow.version) <= 0:
            try:
                outcome = self._go_on(shadow.version, takes_pickle, in_charge)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, requests are answered without it
                self.stop()
                self.cache.refuse(shadow.version, error)
        return "refused" if outcome == "not_loaded" and self.cache.is_refused(shadow.version) else outcome

    def stop(self) -> None:
        """End the loading that is under way: the alias has no shadow any more, or another one."""
        step, self._step = self._step, None
        if step is not None:
            step.abandon()

    def _is_loading(self, version: int, takes_pickle: bool) -> bool:
        step = self._step
        return step is not None and (step.version, step.takes_pickle) == (version, takes_pickle)

    def _go_on(self, version: int, takes_pickle: bool, in_charge: Collection[int]) -> LoadedModel | ShadowOutcome:
        if self._step is None:
            beginning = self.begin_call(partial(self._begin, version, takes_pickle), _NAME)
            self._step = _Step(version, takes_pickle, self.clock(), beginning)
        if not self._step.beginning.done():
            return "not_loaded"
        loading = self._step.beginning.result()
        if loading is None:
            return "over_budget"
        if not loading.is_ready():
            return "not_loaded"
        model = loading.wait()
        began, self._step = self._step.began, None
        self.cache.add(model, began, in_charge=in_charge)
        return model

    def _begin(self, version: int, takes_pickle: bool) -> _Begun:
        """Begin to load a version on a thread, which stays as long as the process of a pickle that it starts."""
        if not takes_pickle and self.reader.get_manifest(version).serving_form is None:
            return None, None
        loading = self.load(self.reader, version, is_urgent=False)
        return loading, loading.start()


def _abandon(beginning: Future[VersionLoading | None]) -> None:
    if beginning.exception() is None:
        loading = beginning.result()
        if loading is not None:
            loading.abandon()
