"""The training loans' spread over a few bins a column, which a version's manifest keeps.

The function logs in which bins each record's values lie (``model_watch.profile``). Compared with this profile, the log
shows how requests differ from the training loans, and no borrower's value leaves the function.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_artifact.schema import FIELDS, Field
from model_registry.manifest import MAX_PROFILE_BINS, ColumnProfile, TrainingProfile
from training.candidate_folder import in_order
from training.evidence.bins import quantile_edges

SCORE = "score"


def training_profile(features: pd.DataFrame, scores: NDArray[np.float64] | None = None) -> TrainingProfile:
    """Return the profile of loans, column by column in the schema's order.

    Parameters
    ----------
    features : pandas.DataFrame of shape (n_rows, 10)
        The training loans, as the model was fitted on them.
    scores : ndarray of shape (n_loans,), optional
        The probabilities of loans that the model didn't see in training; NaN where there is none.
    """
    score = None if scores is None else _number_profile(SCORE, scores)
    return TrainingProfile(tuple(_column_profile(field, features[field.name]) for field in FIELDS), score)


def _column_profile(field: Field, column: pd.Series[Any]) -> ColumnProfile:
    if field.type == "number":
        return _number_profile(field.name, column.to_numpy(np.float64))
    present = column.dropna()
    by_label = Counter[str](present.tolist())
    # Of two labels that are as frequent, the first by name: the same loans give the same profile.
    most_frequent = sorted(by_label, key=lambda label: (-by_label[label], label))[:MAX_PROFILE_BINS]
    labels = in_order(most_frequent, field.order)
    counts = tuple(by_label[label] for label in labels)
    return ColumnProfile(field.name, None, labels, counts, len(column) - len(present))


def _number_profile(name: str, values: NDArray[np.float64]) -> ColumnProfile:
    present = values[~np.isnan(values)]
    edges, counts = _bins(present)
    return ColumnProfile(name, edges, None, counts, len(values) - len(present))


def _bins(values: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return about ten bins of equal size, as far as ties allow, from the least value to the greatest."""
    if not len(values):
        return (), ()
    inner = quantile_edges(values)
    counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1)
    return (float(values.min()), *inner.tolist(), float(values.max())), tuple(counts.tolist())
