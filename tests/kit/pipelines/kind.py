"""What a kind of pipeline is: how a data scientist makes and writes it, and what becomes of it when it is published."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fitted_pipelines import loans

# What a scorer is handed, and what it gives.
Prepare = Callable[[pd.DataFrame], Any]
Floats = NDArray[np.float64]


class End(StrEnum):
    """What becomes of a pipeline."""

    ARRAYS = "arrays"
    """It is compiled, and needs no signature."""
    PICKLE = "signed pickle"
    """It is accepted, and served by a process that holds it."""
    REFUSED = "refused"
    """It can't be served for what it is."""


def as_it_is(value: Any) -> Any:
    """Return the value."""
    return value


def fit_on_all(model: Any, features: Any, target: Any) -> Any:
    """Fit a model on all loans."""
    return model.fit(features, target)


def write_by_joblib(model: Any) -> bytes:
    """Return what ``joblib.dump`` writes, compressed."""
    file = io.BytesIO()
    joblib.dump(model, file, compress=3)
    return file.getvalue()


@dataclass(frozen=True)
class Kind:
    """One kind of pipeline.

    Parameters
    ----------
    name : str
        As in docs/models.md.
    what : str
        What it consists of, in a data scientist's words.
    make : callable
        Returns it unfitted.
    end : End
        What becomes of it.
    refusal : str
        For a refused kind: words of the message.
    prepare : callable
        Turns the ten columns into what the model is fitted on and scores.
    label : callable
        Turns the target's zeros and ones into what the model is fitted on.
    fit : callable
        Fits the model, and returns what is handed over.
    write : callable
        Returns the pickle.
    brings_code : bool
        Whether the pickle carries code of its own, so that it is published with ``--trust-pickle``.
    library : str
        The module that the model needs besides scikit-learn; empty for none.
    """

    name: str
    what: str
    make: Callable[[], Any]
    end: End = End.ARRAYS
    refusal: str = ""
    prepare: Prepare = as_it_is
    label: Callable[[NDArray[np.int64]], Any] = as_it_is
    fit: Callable[[Any, Any, Any], Any] = fit_on_all
    write: Callable[[Any], bytes] = write_by_joblib
    brings_code: bool = False
    library: str = field(default="sklearn", kw_only=True)

    def is_installed(self) -> bool:
        """Return whether its library is there."""
        return importlib.util.find_spec(self.library) is not None

    def fitted(self) -> Any:
        """Return it fitted on 1,500 made-up loans."""
        features, target = loans()
        with warnings.catch_warnings():
            # What a data scientist may see: no convergence in few rounds, parameters that will go.
            warnings.simplefilter("ignore")
            return self.fit(self.make(), self.prepare(features), self.label(target))

    def late_probabilities(self, model: Any, frame: pd.DataFrame) -> Floats:
        """Return what the fitted model itself says, without any of the project's code."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            probabilities = np.asarray(model.predict_proba(self.prepare(frame)))
        late: Floats = probabilities[:, [int(label) for label in model.classes_].index(1)].astype(np.float64)
        return late
