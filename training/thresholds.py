"""Chooses the decision threshold by the share of loans that the team can call, by what mistakes cost, or as stated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.manifest import Threshold

# The share of the loans that the servicing team can call, unless stated. A business decision.
FLAGGED_SHARE = 0.10


@dataclass(frozen=True)
class FlagShare:
    """Flag the share of the loans that can be called, above 0 and below 1."""

    share: float = FLAGGED_SHARE

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"the share of the loans that can be called is {self.share:g}, not between 0 and 1")

    def threshold(self, probabilities: NDArray[np.float64], whose: str) -> Threshold:
        """Return the threshold for some loans' probabilities; ``whose`` says which loans, ordered by which of them."""
        return Threshold(
            threshold_for_share(probabilities[np.isfinite(probabilities)], self.share),
            f"The {self.share * 100:.4g}% of the {whose} are at or above it.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        return {"flag_share": self.share}


@dataclass(frozen=True)
class Costs:
    """Flag where a call costs less than what it is expected to save.

    A call is taken to save the whole cost of a missed late payer, so state what it saves on average. The threshold is
    right where the probabilities are calibrated, whatever share of the training loans was late. ``missed_late`` is the
    cost of a late payer who wasn't called; ``call`` is in the same unit and smaller.
    """

    missed_late: float
    call: float

    def __post_init__(self) -> None:
        if not 0 < self.call < self.missed_late < float("inf"):
            raise ValueError(
                f"a call costs {self.call:g} and a missed late payer {self.missed_late:g}: both must be above 0, and "
                "the call must cost less"
            )

    def threshold(self, _probabilities: object = None, _whose: str = "") -> Threshold:
        """Return the threshold: the probability at which a call pays for itself."""
        return Threshold(
            self.call / self.missed_late,
            f"A call costs {self.call:g} and saves {self.missed_late:g} if the loan would be late: from "
            f"{self.call / self.missed_late:.4g} on it pays for itself.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        return {"cost_missed_late": self.missed_late, "cost_call": self.call}


@dataclass(frozen=True)
class Stated:
    """Flag from a stated probability on; ``how`` says who stated it."""

    value: float
    how: str = "Stated at publication."

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise ValueError(f"the threshold {self.value:g} isn't a probability")

    def threshold(self, _probabilities: object = None, _whose: str = "") -> Threshold:
        """Return the threshold as it was stated."""
        return Threshold(self.value, self.how)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        return {"stated": self.value}


ThresholdRule = FlagShare | Costs | Stated


def rule_of(
    flag_share: float | None, cost_missed_late: float | None, cost_call: float | None, threshold: float | None = None
) -> ThresholdRule | None:
    """Return the rule that a command's options state, or None; ``ValueError`` if they contradict or make no sense."""
    costs = (cost_missed_late, cost_call)
    stated = {"costs": None if costs == (None, None) else costs, "--flag-share": flag_share, "--threshold": threshold}
    names = [name for name, value in stated.items() if value is not None]
    if len(names) > 1:
        raise ValueError(f"state {' or '.join(names)}, not both: each gives a threshold of its own")
    if flag_share is not None:
        return FlagShare(flag_share)
    if threshold is not None:
        return Stated(threshold)
    if not names:
        return None
    if cost_missed_late is None or cost_call is None:
        raise ValueError("--cost-missed-late and --cost-call go together: the threshold follows from their ratio")
    return Costs(missed_late=cost_missed_late, call=cost_call)


def threshold_for_share(probabilities: NDArray[np.float64], share: float) -> float:
    """Return the threshold that a share of the loans, from 0 to 1, reaches, as nearly as ties allow.

    It is one of the probabilities. A forest gives few distinct ones, so the nearest possible share may differ.
    """
    values, counts = np.unique(probabilities, return_counts=True)
    at_or_above = counts[::-1].cumsum()[::-1] / len(probabilities)
    return float(values[np.argmin(np.abs(at_or_above - share))])
