"""How much a distribution changed between two sets of counts: the population stability index (PSI). Pure.

The customary limits (.1 and .25) ignore the number of loans. Here a PSI is compared with that of two samples from one
distribution, which is about chi-squared, scaled by both sizes (Yurdakul and Naranjo 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, pairwise

import numpy as np

from model_watch.intervals import LEVEL, chi_squared_quantile
from model_watch.outcome_figures import Floats

# The customary limits: below the first nothing is done, above the second the model is reviewed.
SMALL_SHIFT = 0.10
LARGE_SHIFT = 0.25

# Bins with fewer expected loans than this in the smaller quarter are merged.
LEAST_EXPECTED = 5.0


@dataclass(frozen=True)
class Stability:
    """The stability of a column, or of the ``score``.

    ``psi`` is 0 for equal distributions. ``by_chance`` is the average PSI of two samples from one distribution;
    sampling alone exceeds ``limit`` in one case of twenty, or as rarely as asked for. ``before`` and ``after`` are the
    shares of the loans in each of the ``bins``.
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
        return size_of_shift(self.psi, self.limit)


def stability(name: str, bins: Sequence[str], before: Floats, after: Floats, *, level: float = LEVEL) -> Stability:
    """Compare loans by bin before and after.

    Parameters
    ----------
    name : str
        The column, or ``score``.
    bins : sequence of str
        The bins' names.
    before, after : ndarray of shape (n_bins,)
        How many loans each bin has.
    level : float
        How often sampling alone stays below ``limit``.
    """
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
        limit=float(chi_squared_quantile(level, degrees_of_freedom) * scale),
        bins=tuple(names),
        before=tuple((before / n_before).tolist()),
        after=tuple((after / n_after).tolist()),
    )


def size_of_shift(psi: float, limit: float) -> str:
    """Return in two or three words how large a shift is; ``limit`` is what sampling alone explains."""
    if psi <= limit:
        return "within sampling"
    if psi < SMALL_SHIFT:
        return "real, small"
    return "moderate" if psi < LARGE_SHIFT else "large"


def interval_names(edges: Floats) -> list[str]:
    """Return the names of the bins that rising inner edges make, the first and the last of them open."""
    numbers = [f"{edge:.4g}" for edge in edges]
    if not numbers:
        return ["all"]
    inner = [f"{low} to {high}" for low, high in pairwise(numbers)]
    return [f"below {numbers[0]}", *inner, f"from {numbers[-1]}"]


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
