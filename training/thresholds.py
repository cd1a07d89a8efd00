"""Chooses the decision threshold by the share of loans that the team can call, or by what mistakes cost."""

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
    """Flag the share of the loans that can be called.

    Attributes
    ----------
    share : float
        Above 0 and below 1.
    """

    share: float = FLAGGED_SHARE

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"the share of the loans that can be called is {self.share:g}, not between 0 and 1")

    def threshold(self, unseen: NDArray[np.float64], unseen_in_words: str) -> Threshold:
        """Return the threshold.

        Parameters
        ----------
        unseen : ndarray of shape (n_rows,)
            Probabilities of training loans from fits that did not see them; NaN for loans that every fit saw.
        unseen_in_words : str
            The kind of these probabilities, in words.
        """
        return Threshold(
            threshold_for_share(unseen[np.isfinite(unseen)], self.share),
            f"The {self.share * 100:.4g}% of the training loans with the highest {unseen_in_words} are at or above it.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        return {"flag_share": self.share}


@dataclass(frozen=True)
class Costs:
    """Flag where a call costs less than what it is expected to save.

    A call is taken to save the whole cost of a missed late payer, so state what it saves on average. The threshold is
    right where the probabilities are calibrated, whatever share of the training loans was late.

    Attributes
    ----------
    missed_late : float
        The cost of a late payer who wasn't called.
    call : float
        The cost of a call in the same unit; below ``missed_late``.
    """

    missed_late: float
    call: float

    def __post_init__(self) -> None:
        if not 0 < self.call < self.missed_late < float("inf"):
            raise ValueError(
                f"a call costs {self.call:g} and a missed late payer {self.missed_late:g}: both must be above 0, and "
                "the call must cost less"
            )

    def threshold(self, _unseen: NDArray[np.float64], _unseen_in_words: str) -> Threshold:
        """Return the threshold: the probability at which a call pays for itself."""
        return Threshold(
            self.call / self.missed_late,
            f"A call costs {self.call:g} and saves {self.missed_late:g} if the loan would be late: from "
            f"{self.call / self.missed_late:.4g} on it pays for itself.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        return {"cost_missed_late": self.missed_late, "cost_call": self.call}


ThresholdRule = FlagShare | Costs


def threshold_for_share(probabilities: NDArray[np.float64], share: float) -> float:
    """Return the threshold that a share of the loans reaches, as nearly as ties allow.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows,)
        Probabilities of rows that the model did not see in training.
    share : float
        Between 0 and 1.

    Returns
    -------
    float
        One of the probabilities. A forest gives few distinct ones, so the nearest possible share may differ.
    """
    values, counts = np.unique(probabilities, return_counts=True)
    at_or_above = counts[::-1].cumsum()[::-1] / len(probabilities)
    return float(values[np.argmin(np.abs(at_or_above - share))])
