"""What every recipe gives to ``run``: how a model is fitted, what the fit gives back, and how it reports progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from training.data import Quarter

# Takes how many parts of a step are done, and how many there are.
Progress = Callable[[int, int], None]


def silent(*_report: object) -> None:
    """Ignore a report of progress."""


class Fit(NamedTuple):
    """A fitted model.

    Attributes
    ----------
    pipeline : Pipeline
        The model.
    unseen : ndarray of shape (n_rows,)
        For each training row the probability of being late from a fit that did not see it; NaN where there is none.
    description : str
        What the model is, for people.
    evidence : mapping
        What the fit adds to the training record's metrics; JSON.
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
    """A model that can be trained.

    Attributes
    ----------
    name : str
        As on the command line.
    default_trees, default_seed : int
        What ``fit`` takes unless something else is stated.
    unseen, unseen_in_words : str
        How the probabilities of ``Fit.unseen`` came about: their name in the metrics, and in a sentence.
    fit : FitFunction
        Does the work.
    """

    name: str
    default_trees: int
    default_seed: int
    unseen: str
    unseen_in_words: str
    fit: FitFunction = field(repr=False)
