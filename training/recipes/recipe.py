"""The interface between ``run`` and a recipe: the function that fits a model, its result, and its progress reports."""

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
        For each training row the probability of being late from a fit that did not see it; NaN if every fit saw it.
    description : str
        A sentence that describes the model.
    evidence : mapping
        The fit's own entries in the training record's metrics, as JSON values.
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
        The model's name on the command line.
    default_trees, default_seed : int
        The defaults of ``fit``'s ``n_estimators`` and ``seed``.
    unseen, unseen_in_words : str
        The origin of the probabilities in ``Fit.unseen``: as a name in the metrics, and in words.
    fit : FitFunction
        Fits the model.
    """

    name: str
    default_trees: int
    default_seed: int
    unseen: str
    unseen_in_words: str
    fit: FitFunction = field(repr=False)
