"""What a version's probabilities promise before any outcome is known. Pure. It assumes that they are calibrated.

If each loan is late with the probability that it was given, a bin of scores has as many late loans as its probabilities
add up to. Of these expected loans the figures are those of counted ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_watch.outcome_figures import Tally, brier, roc_auc


@dataclass(frozen=True)
class ExpectedFigures:
    """The figures that a calibrated model would have on these loans; None where there are no loans."""

    late_rate: float | None
    auc: float | None
    brier: float | None

    def to_document(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return asdict(self)


def expected_figures(records: NDArray[np.int64], probability_sum: NDArray[np.float64]) -> ExpectedFigures:
    """Return what is expected of records that were scored.

    Parameters
    ----------
    records : ndarray of shape (n_bins,)
        Records by score bin, the bins in rising order.
    probability_sum : ndarray of shape (n_bins,)
        The sum of their probabilities of being late.
    """
    counts = expected_tally(records, probability_sum)
    if not len(counts.loans):
        return ExpectedFigures(None, None, None)
    late_rate = float(counts.late.sum() / counts.loans.sum())
    return ExpectedFigures(late_rate, roc_auc(counts) if counts.has_both else None, brier(counts))


def expected_tally(records: NDArray[np.int64], probability_sum: NDArray[np.float64]) -> Tally:
    """Return how many loans of each bin would be late or on time; the parameters are those of ``expected_figures``."""
    filled = np.flatnonzero(records)
    loans, late = records[filled].astype(np.float64), probability_sum[filled].astype(np.float64)
    # A sum of rounded probabilities may exceed the loans in the last digit.
    late = np.clip(late, 0.0, loans)
    return Tally(late / loans, late, loans - late)
