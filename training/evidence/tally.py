"""Counts loans by their probability, as often as a bootstrap draws them, and the metrics that training alone needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model_watch.outcome_figures import Floats, Tally

Labels = NDArray[np.int64]


class ScoredLoans:
    """Loans with their outcomes (1 for late) and probabilities, prepared so that many draws are counted fast."""

    def __init__(self, target: Labels, probabilities: Floats) -> None:
        self._probabilities, group = np.unique(probabilities, return_inverse=True)
        # Loans on time are counted in the first half of the cells, late ones in the second.
        self._cell = group + len(self._probabilities) * np.asarray(target, dtype=np.int64)

    def tally(self, rows: NDArray[np.int64] | None = None) -> Tally:
        """Count these rows, as often as each is named; by default all rows once."""
        n_groups = len(self._probabilities)
        cells = self._cell if rows is None else self._cell[rows]
        counts = np.bincount(cells, minlength=2 * n_groups).astype(np.float64)
        return Tally(self._probabilities, counts[n_groups:], counts[:n_groups])


def tally(target: Labels, probabilities: Floats) -> Tally:
    """Count all loans; the arrays are those of ``ScoredLoans``."""
    return ScoredLoans(target, probabilities).tally()


def average_precision(counts: Tally) -> float:
    """Return the area under the precision-recall curve as a sum of steps: each precision times the recall gained."""
    late = counts.late[::-1]
    flagged = np.cumsum(counts.loans[::-1])
    # A draw can leave the highest probabilities without loans: nothing is flagged there yet.
    precision = np.divide(np.cumsum(late), flagged, out=np.zeros_like(flagged), where=flagged > 0)
    return float(np.dot(late, precision) / late.sum())


def kolmogorov_smirnov(counts: Tally) -> float:
    """Return the largest distance between the distributions of the probabilities of late and of on-time loans."""
    late = np.cumsum(counts.late) / counts.late.sum()
    on_time = np.cumsum(counts.on_time) / counts.on_time.sum()
    return float(np.max(np.abs(on_time - late)))
