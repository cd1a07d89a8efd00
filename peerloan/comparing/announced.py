"""Measures the window that a rollout's plan announces, on loans that both versions scored. Pure."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_rollout.window import LEVEL, AnnouncedWindow
from model_watch.intervals import wilson


def announced_window(
    main: ArrayLike, candidate: ArrayLike, *, main_threshold: float, candidate_threshold: float, level: float = LEVEL
) -> AnnouncedWindow:
    """Return the window of a candidate, from both versions' late probabilities of the same loans.

    Parameters
    ----------
    main, candidate : array of shape (n_loans,)
        The late probabilities of the version in charge and of the candidate, in the same order.
    main_threshold, candidate_threshold : float
        From these probabilities on, each version calls a loan late.
    level : float
        The confidence of the intervals: of means by the normal distribution, of the share of flips by Wilson (1927).

    Raises
    ------
    ValueError
        If the arrays have other lengths, or fewer than two loans.
    """
    first, second = np.asarray(main, dtype=np.float64), np.asarray(candidate, dtype=np.float64)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} probabilities aren't of the same loans")
    if len(first) < 2:
        raise ValueError("a window needs two loans or more")
    differences = second - first
    flag_changes = (second >= candidate_threshold).astype(np.float64) - (first >= main_threshold)
    mean, half = _mean_and_half_width(differences, level)
    flagged, flagged_half = _mean_and_half_width(flag_changes, level)
    flipped = wilson(int(np.abs(flag_changes).sum()), len(first), level)
    return AnnouncedWindow(
        loans=len(first),
        mean_difference=mean,
        low=max(mean - half, -1.0),
        high=min(mean + half, 1.0),
        flip_share=flipped.value,
        flip_low=flipped.low,
        flip_high=flipped.high,
        flag_low=max(flagged - flagged_half, -1.0),
        flag_high=min(flagged + flagged_half, 1.0),
        level=level,
        tail_difference=_tail(np.abs(differences)),
        tail_score=max(_tail(first), _tail(second)),
    )


def _tail(values: NDArray[np.float64]) -> float:
    """Return the value that one in a thousand exceeds."""
    return float(np.sort(values)[-1 - len(values) // 1000])


def _mean_and_half_width(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    spread = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()), NormalDist().inv_cdf((1 + level) / 2) * spread
