"""Measures how much a column, or the score, changed between two quarters: see ``model_watch.stability``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from model_artifact.schema import FIELDS, Field
from model_watch.outcome_figures import Floats
from model_watch.stability import Stability, interval_names, stability
from training.evidence.bins import BINS, quantile_edges


def column_stability(before: pd.DataFrame, after: pd.DataFrame) -> tuple[Stability, ...]:
    """Return the stability of the ten columns between two quarters, the least stable first."""
    columns = [_column(field, before[field.name], after[field.name]) for field in FIELDS]
    return tuple(sorted(columns, key=lambda column: -column.psi))


def score_stability(score_bins: Mapping[str, Any], after: Floats) -> Stability:
    """Return the stability of the score from the bins in a training record to the next quarter's probabilities."""
    edges, before = (np.array(score_bins[name], dtype=np.float64) for name in ("edges", "loans"))
    return stability("score", interval_names(edges), before, _count(edges, after))


def _column(field: Field, before: pd.Series, after: pd.Series) -> Stability:
    quarters = [column.dropna() for column in (before, after)]
    if field.type == "number":
        edges = quantile_edges(quarters[0].to_numpy(dtype=np.float64), BINS)
        names = interval_names(edges)
        counts = [_count(edges, numbers.to_numpy(dtype=np.float64)) for numbers in quarters]
    else:
        names = sorted({*quarters[0], *quarters[1]})
        counts = [np.array(labels.value_counts().reindex(names, fill_value=0), dtype=np.float64) for labels in quarters]
    gaps = [float(column.isna().sum()) for column in (before, after)]
    return stability(field.name, [*names, "missing"], np.append(counts[0], gaps[0]), np.append(counts[1], gaps[1]))


def _count(edges: Floats, values: Floats) -> Floats:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).astype(np.float64)
