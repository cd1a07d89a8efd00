"""The window that a rollout's plan announces: how far the candidate's answers may differ on the same live loans.

A new model is meant to differ from the version in charge. So the plan says how much it differed on held-out loans, and
guards ask whether it differs as much on live ones. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
    flag_low, flag_high : float
        The interval of how many more of the loans the candidate flags, as a share, -1 to 1.
    level : float
        The confidence of the intervals.
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
    flag_low: float = 0.0
    flag_high: float = 0.0
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
