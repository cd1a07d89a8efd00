"""Loads a version in steps, beside whoever needs it: requests go on while a pickle is read and opened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_artifact.loading import LoadedModel


class _Step:
    """A part of the loading. Beside its caller it runs on a thread of its own."""

    def __init__(self, run: Callable[[], Any], *, is_beside: bool) -> None:
        self.error: Exception | None = None
        self._content: Any = None
        self._is_done = threading.Event()
        if is_beside:
            threading.Thread(target=self._keep, args=(run,), name="loads a version", daemon=True).start()
        else:
            self._keep(run)

    def _keep(self, run: Callable[[], Any]) -> None:
        try:
            self._content = run()
        except Exception as error:  # noqa: BLE001 - raised where the content is asked for
            self.error = error
        self._is_done.set()

    def is_done(self, within_s: float) -> bool:
        return self._is_done.wait(within_s)

    def content(self) -> Any:
        self._is_done.wait()
        if self.error is not None:
            raise self.error
        return self._content


class Loading:
    """A version on its way.

    ``read`` returns the verified version, or the pickle of one for which ``open_pickle`` starts a process. All of it
    runs beside the caller but that start: the kernel ends the process with the thread that started it (prctl(2):
    PR_SET_PDEATHSIG).
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
        self._reading = _Step(read, is_beside=is_beside)
        self._model: LoadedModel | None = None
        self._proving: _Step | None = None

    def is_ready(self, within_s: float = 0.0) -> bool:
        """Return whether ``wait`` would return or raise at once, after waiting at most so many seconds."""
        until_s = time.monotonic() + within_s
        if not self._reading.is_done(within_s):
            return False
        within_s = max(until_s - time.monotonic(), 0.0)
        process = self._opened().pipeline if self._open_pickle and self._reading.error is None else None
        if self._proving is not None:
            return self._proving.is_done(within_s)
        return process is None or process.is_ready(within_s)

    def wait(self) -> LoadedModel:
        """Return the version once its probe records have their probabilities; else raise an ``ArtifactError``."""
        model = self._opened()
        if self._proving is not None:
            self._proving.content()
        elif self._open_pickle:
            _prove(model)
        return model

    def abandon(self) -> None:
        """End the process, if there is one: nobody needs the version any more."""
        if self._model is not None and self._model.pipeline is not None:
            self._model.pipeline.close()

    def _opened(self) -> LoadedModel:
        if self._model is None:
            content = self._reading.content()
            self._model = content if self._open_pickle is None else self._open_pickle(content)
            if self._open_pickle and self._is_beside:
                self._proving = _Step(partial(_prove, self._model), is_beside=True)
        return self._model


def _prove(model: LoadedModel) -> None:
    """Compare what the process of a pickle gave the probe records with the manifest."""
    assert model.pipeline is not None
    model.check_probes(model.pipeline.wait()["probe_probabilities"])
