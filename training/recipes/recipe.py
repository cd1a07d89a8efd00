"""What a model's module gives to ``run``: how it is fitted, and what a fit says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from training.data import Quarter
from training.progress import Progress


class Fit(NamedTuple):
    """A fitted model.

    Attributes
    ----------
    pipeline : Pipeline
        The model.
    unseen : ndarray of shape (n_rows,)
        For each training row the probability of being late from a fit that did not see it; NaN where there is none.
    description : str
        What it is, for people.
    evidence : mapping
        What the fit found out on the way, for the training record's metrics; JSON.
    """

    pipeline: Pipeline
    unseen: NDArray[np.float64]
    description: str
    evidence: Mapping[str, Any]


class FitFunction(Protocol):
    """Fits a model on a quarter."""

    def __call__(self, quarter: Quarter, n_estimators: int, *, seed: int, progress: Progress) -> Fit: ...


@dataclass(frozen=True)
class Recipe:
    """One of the models that can be trained.

    ``unseen`` and ``unseen_in_words`` say what kind of fits gave the probabilities of rows that they did not see.
    """

    name: str
    default_trees: int
    default_seed: int
    unseen: str
    unseen_in_words: str
    fit: FitFunction = field(repr=False)
