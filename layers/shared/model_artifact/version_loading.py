"""Loads a version in steps, beside whoever needs it: requests go on while a pickle is read and opened."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import TYPE_CHECKING, Any

from model_registry import threads

if TYPE_CHECKING:
    from model_artifact.loading import LoadedModel


_NAME = "loads a version"


class Loading:
    """A version on its way.

    ``read`` returns the verified version, or the pickle of one for which ``open_pickle`` starts a process. All of it
    runs beside the caller but that start: the kernel ends the process with the thread that started it (prctl(2):
    PR_SET_PDEATHSIG). ``start`` is for a thread that stays.
    """

    def __init__(
        self,
        read: Callable[[], LoadedModel] | Callable[[], bytes],
        open_pickle: Callable[[bytes], LoadedModel] | None = None,
        *,
        is_beside: bool = False,
    ) -> None:
        self._is_beside = is_beside
        self._open_pickle = open_pickle
        self._reading: Future[Any] = threads.begin(read, _NAME) if is_beside else threads.settled(read)
        self._model: LoadedModel | None = None
        self._proving: Future[None] | None = None

    def is_ready(self, within_s: float = 0.0) -> bool:
        """Return whether ``wait`` would return or raise at once, after waiting at most so many seconds."""
        until_s = time.monotonic() + within_s
        if not _is_done(self._reading, within_s):
            return False
        within_s = max(until_s - time.monotonic(), 0.0)
        process = self._opened().pipeline if self._open_pickle and self._reading.exception() is None else None
        if self._proving is not None:
            return _is_done(self._proving, within_s)
        return process is None or process.is_ready(within_s)

    def start(self) -> Callable[[], object] | None:
        """Start the process of a pickle, once it is read, and return what waits for its end; None for arrays.

        The process ends with the thread that calls this first.
        """
        if self._open_pickle is None:
            return None
        pipeline = self._opened().pipeline
        return None if pipeline is None else pipeline.wait_for_end

    def wait(self) -> LoadedModel:
        """Return the version once its probe records have their probabilities; else raise an ``ArtifactError``."""
        model = self._opened()
        if self._proving is not None:
            self._proving.result()
        elif self._open_pickle:
            _prove(model)
        return model

    def abandon(self) -> None:
        """End the process, if there is one: nobody needs the version any more."""
        if self._model is not None and self._model.pipeline is not None:
            self._model.pipeline.close()

    def _opened(self) -> LoadedModel:
        if self._model is None:
            content = self._reading.result()
            self._model = content if self._open_pickle is None else self._open_pickle(content)
            if self._open_pickle and self._is_beside:
                self._proving = threads.begin(partial(_prove, self._model), _NAME)
        return self._model


def _is_done(step: Future[Any], within_s: float) -> bool:
    return step in wait([step], within_s).done


def _prove(model: LoadedModel) -> None:
    """Compare what the process of a pickle gave the probe records with the manifest."""
    assert model.pipeline is not None
    model.check_probes(model.pipeline.wait()["probe_probabilities"])
