"""The interface between ``run`` and a recipe: the function that fits a model, its result, and its progress reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

DEFAULT_SEED = 42

# Takes how many parts of a step are done, and how many there are.
Progress = Callable[[int, int], None]


def silent(*_report: object) -> None:
    """Ignore a report of progress."""


class Alternative(NamedTuple):
    """A fitted contender that moves as lending sense says in ``columns``, in which the chosen model doesn't."""

    contender: str
    pipeline: Pipeline
    columns: tuple[str, ...]


class Fit(NamedTuple):
    """A fitted model.

    Attributes
    ----------
    out_of_sample : ndarray of shape (n_rows,)
        For each training row the probability of being late from a fit that did not see it; NaN if every fit saw it.
    description : str
        A sentence that describes the model.
    evidence : mapping
        The fit's own entries in the training record's metrics, as JSON values.
    alternative : Alternative or None
        Another model, which the record offers with its price; None where there is nothing to offer.
    """

    pipeline: Pipeline
    out_of_sample: NDArray[np.float64]
    description: str
    evidence: Mapping[str, Any]
    alternative: Alternative | None = None


@dataclass(frozen=True)
class Recipe:
    """A model that can be trained.

    Attributes
    ----------
    name : str
        The model's name on the command line.
    default_trees : int
        The default of ``fit``'s number of trees.
    out_of_sample, out_of_sample_in_words : str
        The origin of the probabilities in ``Fit.out_of_sample``: as a name in the metrics, and in words.
    fit : callable
        Fits the model to a quarter, with a number of trees, a seed and a report of progress. ``contender`` names one
        of ``contenders``.
    contenders : tuple of str
        The models that it chooses among.
    """

    name: str
    default_trees: int
    out_of_sample: str
    out_of_sample_in_words: str
    fit: Callable[..., Fit] = field(repr=False)
    contenders: tuple[str, ...] = ()
