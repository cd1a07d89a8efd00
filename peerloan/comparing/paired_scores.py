"""The scores of two versions for the same loans, and the figures of their difference. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_rollout.window import AnnouncedWindow
from peerloan.comparing.announced import announced_window

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Sums of a hundred trees differ in the last bits between two compilations of one model.
SAME_WITHIN = 1e-9


@dataclass(frozen=True)
class ScoredVersion:
    """A version's late probabilities; ``threshold`` is the probability from which on it calls a loan late."""

    version: int
    form: str
    threshold: float
    probabilities: Floats

    @property
    def is_late(self) -> Flags:
        """Whether it calls each loan late."""
        return np.asarray(self.probabilities >= self.threshold)

    def to_document(self) -> dict[str, Any]:
        """Return its figures as plain values."""
        return {
            "version": self.version,
            "form": self.form,
            "threshold": self.threshold,
            "mean": float(self.probabilities.mean()),
            "quantiles": quantiles_of(self.probabilities),
            "flagged_share": float(self.is_late.mean()),
        }


@dataclass(frozen=True)
class PairedScores:
    """Two versions' scores of the same loans, in the same order.

    Attributes
    ----------
    main, candidate : ScoredVersion
        The version in charge, and the one that may replace it.
    source : str
        Where the loans are from.
    outcomes : ndarray of shape (n_loans,), or None
        1 for late, 0 for on time, NaN where it isn't known; None if no outcome is.
    rejected : int
        How many loans were left out because the API would refuse them.
    """

    main: ScoredVersion
    candidate: ScoredVersion
    source: str
    outcomes: Floats | None = None
    rejected: int = 0

    def __len__(self) -> int:
        return len(self.main.probabilities)

    @property
    def differences(self) -> Floats:
        """The candidate's probabilities minus the main version's."""
        return np.asarray(self.candidate.probabilities - self.main.probabilities)

    @property
    def to_late(self) -> Flags:
        """Which loans only the candidate calls late."""
        return np.asarray(self.candidate.is_late & ~self.main.is_late)

    @property
    def to_on_time(self) -> Flags:
        """Which loans only the main version calls late."""
        return np.asarray(self.main.is_late & ~self.candidate.is_late)

    @property
    def differing_share(self) -> float:
        """The share of loans whose probability differs by more than rounding."""
        return float((np.abs(self.differences) > SAME_WITHIN).mean())

    def window(self) -> AnnouncedWindow:
        """Return what the plan of a rollout announces; raises ``ValueError`` for fewer than two loans."""
        return announced_window(
            self.main.probabilities,
            self.candidate.probabilities,
            main_threshold=self.main.threshold,
            candidate_threshold=self.candidate.threshold,
        )


def quantiles_of(values: Floats) -> dict[str, float]:
    """Return the quantiles by name, such as ``5%``."""
    return dict(zip(map(quantile_name, QUANTILES), np.quantile(values, QUANTILES).tolist(), strict=True))


def quantile_name(quantile: float) -> str:
    """Return a quantile's name in tables."""
    return f"{quantile * 100:g}%"
