"""The training loans' spread over a few bins a column, which a version's manifest keeps.

The function logs in which bins each record's values lie (``model_watch.profile``). Compared with this profile, the log
shows how requests differ from the training loans, and no borrower's value leaves the function.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from model_artifact.schema import FIELDS, Field
from model_registry.manifest import MAX_PROFILE_BINS, ColumnProfile, TrainingProfile
from training.candidate_folder import in_order
from training.evidence.bins import quantile_edges


def training_profile(features: pd.DataFrame) -> TrainingProfile:
    """Return the profile of loans, column by column in the schema's order.

    Parameters
    ----------
    features : pandas.DataFrame of shape (n_rows, 10)
        The training loans, as the model was fitted on them.
    """
    return TrainingProfile(tuple(_column_profile(field, features[field.name]) for field in FIELDS))


def _column_profile(field: Field, column: pd.Series[Any]) -> ColumnProfile:
    present = column.dropna()
    missing = len(column) - len(present)
    if field.type == "number":
        edges, counts = _bins(present.to_numpy(np.float64))
        return ColumnProfile(field.name, edges, None, counts, missing)
    by_label = Counter[str](present.tolist())
    # Of two labels that are as frequent, the first by name: the same loans give the same profile.
    most_frequent = sorted(by_label, key=lambda label: (-by_label[label], label))[:MAX_PROFILE_BINS]
    labels = in_order(most_frequent, field.order)
    return ColumnProfile(field.name, None, labels, tuple(by_label[label] for label in labels), missing)


def _bins(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return about ten bins of equal size, as far as ties allow, from the least value to the greatest."""
    if not len(values):
        return (), ()
    inner = quantile_edges(values)
    counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1)
    return (float(values.min()), *inner.tolist(), float(values.max())), tuple(counts.tolist())
