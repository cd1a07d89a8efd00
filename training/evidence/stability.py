"""Measures by the population stability index (PSI) how much a column, or the score, changed between quarters.

The customary limits (.1 and .25) ignore the number of loans. Here a PSI is compared with that of two samples from one
distribution, which is about chi-squared, scaled by both sizes (Yurdakul and Naranjo 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from model_artifact.schema import FIELDS, Field
from training.evidence.bins import BINS, quantile_edges
from training.evidence.intervals import LEVEL
from training.evidence.tally import Floats

# The customary limits: below the first nothing is done, above the second the model is reviewed.
SMALL_SHIFT = 0.10
LARGE_SHIFT = 0.25

# Bins with fewer expected loans than this in the smaller quarter are merged.
LEAST_EXPECTED = 5.0


@dataclass(frozen=True)
class Stability:
    """The stability of a column, or of the ``score``.

    ``psi`` is 0 for equal distributions. ``by_chance`` is the average PSI of two samples from one distribution;
    sampling alone exceeds ``limit`` in one case of twenty. ``before`` and ``after`` are the shares of the loans in each
    of the ``bins``.
    """

    name: str
    psi: float
    by_chance: float
    limit: float
    bins: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def verdict(self) -> str:
        """The conclusion, in two or three words."""
        if self.psi <= self.limit:
            return "within sampling"
        if self.psi < SMALL_SHIFT:
            return "real, small"
        return "moderate" if self.psi < LARGE_SHIFT else "large"


def column_stability(before: pd.DataFrame, after: pd.DataFrame) -> tuple[Stability, ...]:
    """Return the stability of the ten columns between two quarters, the least stable first."""
    columns = [_column(field, before[field.name], after[field.name]) for field in FIELDS]
    return tuple(sorted(columns, key=lambda column: -column.psi))


def score_stability(score_bins: Mapping[str, Any], after: Floats) -> Stability:
    """Return the stability of the score from the bins in a training record to the next quarter's probabilities."""
    edges, before = (np.array(score_bins[name], dtype=np.float64) for name in ("edges", "loans"))
    return stability("score", _interval_names(edges), before, _count(edges, after))


def stability(name: str, bins: Sequence[str], before: Floats, after: Floats) -> Stability:
    """Compare the two quarters' loans by bin. ``name`` is the column, or ``score``; ``bins`` are the bins' names."""
    names, before, after = _pooled(bins, before, after)
    n_before, n_after = before.sum(), after.sum()
    # Half a loan in an empty bin keeps the logarithm finite, and weighs less than one loan.
    share_before = np.maximum(before, 0.5) / n_before
    share_after = np.maximum(after, 0.5) / n_after
    scale = 1 / n_before + 1 / n_after
    degrees_of_freedom = max(len(names) - 1, 1)
    return Stability(
        name=name,
        psi=float(np.sum((share_after - share_before) * np.log(share_after / share_before))),
        by_chance=float((len(names) - 1) * scale),
        limit=float(chi2.ppf(LEVEL, degrees_of_freedom) * scale),
        bins=tuple(names),
        before=tuple((before / n_before).tolist()),
        after=tuple((after / n_after).tolist()),
    )


def _column(field: Field, before: pd.Series, after: pd.Series) -> Stability:
    quarters = [column.dropna() for column in (before, after)]
    if field.type == "number":
        edges = quantile_edges(quarters[0].to_numpy(dtype=np.float64), BINS)
        names = _interval_names(edges)
        counts = [_count(edges, numbers.to_numpy(dtype=np.float64)) for numbers in quarters]
    else:
        names = sorted({*quarters[0], *quarters[1]})
        counts = [np.array(labels.value_counts().reindex(names, fill_value=0), dtype=np.float64) for labels in quarters]
    gaps = [float(column.isna().sum()) for column in (before, after)]
    return stability(field.name, [*names, "missing"], np.append(counts[0], gaps[0]), np.append(counts[1], gaps[1]))


def _count(edges: Floats, values: Floats) -> Floats:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).astype(np.float64)


def _pooled(names: Sequence[str], before: Floats, after: Floats) -> tuple[list[str], Floats, Floats]:
    """Merge the bins that are too small into one, named after its parts; a bin without loans is left out."""
    expected = (before + after) / (before.sum() + after.sum()) * min(before.sum(), after.sum())
    is_small = expected < LEAST_EXPECTED
    is_merged = is_small if is_small.sum() > 1 else expected == 0
    large_names = list(compress(names, ~is_merged))
    if not expected[is_merged].any():
        return large_names, before[~is_merged], after[~is_merged]
    return (
        [*large_names, " / ".join(compress(names, is_merged & (expected > 0)))],
        np.append(before[~is_merged], before[is_merged].sum()),
        np.append(after[~is_merged], after[is_merged].sum()),
    )


def _interval_names(edges: Floats) -> list[str]:
    numbers = [f"{edge:.4g}" for edge in edges]
    if not numbers:
        return ["all"]
    inner = [f"{low} to {high}" for low, high in pairwise(numbers)]
    return [f"below {numbers[0]}", *inner, f"from {numbers[-1]}"]
