"""The population stability index (PSI): did the distribution of a column, or of the score, change between quarters?

The customary limits (.1 and .25) ignore the number of loans. Here a PSI is compared with that of two samples from one
distribution, which is about chi-squared, scaled by both sizes (Yurdakul and Naranjo 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import chi2

from model_artifact.schema import FIELDS
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
    """One column's stability.

    Attributes
    ----------
    name : str
        The column, or ``score``.
    psi : float
        The index; 0 for equal distributions.
    by_chance : float
        The average PSI of two samples from one distribution.
    limit : float
        The PSI that sampling alone exceeds in one case of twenty.
    bins : tuple of str
        Names of the bins.
    before, after : tuple of float
        The share of the loans in each bin.
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
    found = [
        _of_numbers(field.name, before[field.name], after[field.name])
        if field.type == "number"
        else _of_labels(field.name, before[field.name], after[field.name])
        for field in FIELDS
    ]
    return tuple(sorted(found, key=lambda column: -column.psi))


def score_stability(edges: Floats, before: Floats, after: Floats) -> Stability:
    """Return the stability of the score.

    Parameters
    ----------
    edges : ndarray of shape (n_bins - 1,)
        Of the bins of probability.
    before : ndarray of shape (n_bins,)
        Loans in each bin, scored by fits that did not see them.
    after : ndarray of shape (n_rows,)
        The next quarter's probabilities.
    """
    counts = np.bincount(np.searchsorted(edges, after, side="right"), minlength=len(edges) + 1).astype(np.float64)
    return stability("score", _interval_names(edges), before, counts)


def stability(name: str, bins: Sequence[str], before: Floats, after: Floats) -> Stability:
    """Compare two counts by bin.

    Parameters
    ----------
    name : str
        The column, or ``score``.
    bins : sequence of str
        The bins' names.
    before, after : ndarray of shape (n_bins,)
        Loans by bin.
    """
    names, before, after = _pooled(list(bins), before, after)
    n_before, n_after = before.sum(), after.sum()
    # Half a loan in an empty bin keeps the logarithm finite, and weighs less than one loan.
    share_before = np.maximum(before, 0.5) / n_before
    share_after = np.maximum(after, 0.5) / n_after
    scale = 1 / n_before + 1 / n_after
    freedom = max(len(names) - 1, 1)
    return Stability(
        name=name,
        psi=float(np.sum((share_after - share_before) * np.log(share_after / share_before))),
        by_chance=float((len(names) - 1) * scale),
        limit=float(chi2.ppf(LEVEL, freedom) * scale),
        bins=tuple(names),
        before=tuple((before / n_before).tolist()),
        after=tuple((after / n_after).tolist()),
    )


def _of_numbers(name: str, before: pd.Series, after: pd.Series) -> Stability:
    edges = quantile_edges(before.dropna().to_numpy(dtype=np.float64), BINS)
    counts = []
    for column in (before, after):
        known = column.dropna().to_numpy(dtype=np.float64)
        binned = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
        counts.append(np.append(binned, column.isna().sum()).astype(np.float64))
    return stability(name, [*_interval_names(edges), "missing"], *counts)


def _of_labels(name: str, before: pd.Series, after: pd.Series) -> Stability:
    labels = sorted({*before.dropna(), *after.dropna()})
    counts = [
        np.array([*(int((column == label).sum()) for label in labels), int(column.isna().sum())], dtype=np.float64)
        for column in (before, after)
    ]
    return stability(name, [*labels, "missing"], *counts)


def _pooled(names: list[str], before: Floats, after: Floats) -> tuple[list[str], Floats, Floats]:
    """Merge the bins that are too small into one, named after its parts."""
    n_before, n_after = before.sum(), after.sum()
    expected = (before + after) / (n_before + n_after) * min(n_before, n_after)
    is_small = expected < LEAST_EXPECTED
    if is_small.sum() < 2:
        kept = expected > 0
        return [name for name, keep in zip(names, kept, strict=True) if keep], before[kept], after[kept]
    there = [name for name, small, some in zip(names, is_small, expected, strict=True) if small and some]
    kept_names = [name for name, small in zip(names, is_small, strict=True) if not small]
    rest_before, rest_after = before[is_small].sum(), after[is_small].sum()
    if rest_before + rest_after == 0:
        return kept_names, before[~is_small], after[~is_small]
    return (
        [*kept_names, " / ".join(there)],
        np.append(before[~is_small], rest_before),
        np.append(after[~is_small], rest_after),
    )


def _interval_names(edges: Floats) -> list[str]:
    numbers = [f"{edge:.4g}" for edge in edges]
    if not numbers:
        return ["all"]
    inner = [f"{low} to {high}" for low, high in pairwise(numbers)]
    return [f"below {numbers[0]}", *inner, f"from {numbers[-1]}"]
