"""Measures the window that a rollout's plan announces, on loans that both versions scored. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from model_rollout.window import LEVEL, AnnouncedWindow
from training.evidence.intervals import wilson


def announced_window(
    main: Sequence[float],
    candidate: Sequence[float],
    *,
    main_threshold: float,
    candidate_threshold: float,
    level: float = LEVEL,
) -> AnnouncedWindow:
    """Return the window of a candidate, from both versions' late probabilities of the same loans.

    Parameters
    ----------
    main, candidate : sequence of float, of shape (n_loans,)
        The late probabilities of the version in charge and of the candidate, in the same order.
    main_threshold, candidate_threshold : float
        From these probabilities on, each version calls a loan late.
    level : float
        The confidence of the intervals: of the mean by the normal distribution, of the share by Wilson (1927).

    Raises
    ------
    ValueError
        If the sequences have other lengths, or fewer than two loans.
    """
    if len(main) != len(candidate):
        raise ValueError(f"{len(main)} and {len(candidate)} probabilities aren't of the same loans")
    if len(main) < 2:
        raise ValueError("a window needs two loans or more")
    differences = [second - first for first, second in zip(main, candidate, strict=True)]
    flips = sum(
        (first >= main_threshold) != (second >= candidate_threshold)
        for first, second in zip(main, candidate, strict=True)
    )
    mean, half = _mean_and_half_width(differences, level)
    flipped = wilson(flips, len(main), level)
    return AnnouncedWindow(
        loans=len(main),
        mean_difference=mean,
        low=max(mean - half, -1.0),
        high=min(mean + half, 1.0),
        flip_share=flipped.value,
        flip_low=flipped.low,
        flip_high=flipped.high,
        level=level,
        tail_difference=_tail(list(map(abs, differences))),
        tail_score=max(_tail(main), _tail(candidate)),
    )


def _tail(values: Sequence[float]) -> float:
    """Return the value that one in a thousand exceeds."""
    return sorted(values)[-1 - len(values) // 1000]


def _mean_and_half_width(differences: Sequence[float], level: float) -> tuple[float, float]:
    mean = math.fsum(differences) / len(differences)
    variance = math.fsum((difference - mean) ** 2 for difference in differences) / (len(differences) - 1)
    return mean, NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance / len(differences))
