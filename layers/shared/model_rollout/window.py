"""The window that a rollout's plan announces: how far the candidate's answers may differ on the same live loans.

A new model is meant to differ from the version in charge. So the plan says how much it differed on held-out loans, and
guards ask whether it differs as much on live ones. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

# Live loans are others than the held-out ones, so the window should seldom be narrower than the luck of the draw.
LEVEL = 0.99


@dataclass(frozen=True)
class AnnouncedWindow:
    """The expected difference of a candidate from the version in charge, candidate minus main, on the same loans.

    Attributes
    ----------
    loans : int
        How many loans both scored.
    mean_difference, low, high : float
        The mean difference of the late probabilities, -1 to 1, and its interval.
    flip_share, flip_low, flip_high : float
        The share of loans that get another decision, 0 to 1, and its interval.
    level : float
        The confidence of both intervals.
    tail_difference, tail_score : float
        Only one loan in a thousand differs by more, or has a higher probability of either version.
    """

    loans: int
    mean_difference: float
    low: float
    high: float
    flip_share: float
    flip_low: float
    flip_high: float
    level: float = LEVEL
    tail_difference: float = 0.0
    tail_score: float = 0.0

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AnnouncedWindow:
        """Read what ``to_document`` returned; raise ``TypeError`` if a member is missing or unknown."""
        return cls(**document)


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
    z = NormalDist().inv_cdf((1 + level) / 2)
    mean, half = _mean_and_half_width(differences, z)
    flip_low, flip_high = _wilson(flips, len(main), z)
    return AnnouncedWindow(
        loans=len(main),
        mean_difference=mean,
        low=max(mean - half, -1.0),
        high=min(mean + half, 1.0),
        flip_share=flips / len(main),
        flip_low=flip_low,
        flip_high=flip_high,
        level=level,
        tail_difference=_tail(list(map(abs, differences))),
        tail_score=max(_tail(main), _tail(candidate)),
    )


def _tail(values: Sequence[float]) -> float:
    """Return the value that one in a thousand exceeds."""
    return sorted(values)[-1 - len(values) // 1000]


def _mean_and_half_width(differences: Sequence[float], z: float) -> tuple[float, float]:
    mean = math.fsum(differences) / len(differences)
    variance = math.fsum((difference - mean) ** 2 for difference in differences) / (len(differences) - 1)
    return mean, z * math.sqrt(variance / len(differences))


def _wilson(successes: int, trials: int, z: float) -> tuple[float, float]:
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Without flips, or with flips only, that end is exact; rounding would put it beside the share.
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == trials else middle + half)
