"""Counts of loans that two versions scored in the same request, by what became of them: additive. Pure.

A cell is a pair of score bins::

    cell = bin of the version that answered * SCORE_BINS + bin of the shadow version
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_monitor.joined.maturity import LATE, UNKNOWN
from model_watch.counts import Counts, Ints, Signed, zeros
from model_watch.tally import SCORE_BINS, SCORE_EDGES, score_bin

LOSS_UNIT: Final = 1e-9
# A probability beyond the score bins' grid has the loss at its edge. That bounds the sum of squares, too.
LARGEST_LOG_ODDS: Final = float(SCORE_EDGES[-1])


@dataclass(frozen=True, eq=False)
class PairTally(Counts):
    """Loans that two versions scored in the same request, and whose outcome is known.

    Attributes
    ----------
    on_time, late : mapping of int to int
        Loans by cell, for the cells that have any.
    swaps : ndarray of shape (2, 2, 2)
        Loans by: flagged by the version that answered, flagged by the shadow, late.
    loss_difference, squared_loss_difference : int
        Sums over the loans of the shadow's log loss less that of the version that answered, and of its square, in
        ``LOSS_UNIT``.
    """

    on_time: Mapping[int, int] = field(default_factory=dict)
    late: Mapping[int, int] = field(default_factory=dict)
    swaps: Ints = field(default_factory=zeros(2, 2, 2))
    loss_difference: Signed = field(default=Signed(0))
    squared_loss_difference: int = 0

    @property
    def loans(self) -> int:
        """The number of loans."""
        return int(self.swaps.sum())

    @property
    def cells(self) -> Ints:
        """The cells that have a loan, in rising order."""
        return np.array(sorted({*self.on_time, *self.late}), dtype=np.int64)

    @property
    def counts(self) -> Ints:
        """The loans of each of these cells: on time, late."""
        cells = self.cells.tolist()
        counts = [[self.on_time.get(cell, 0), self.late.get(cell, 0)] for cell in cells]
        return np.array(counts, dtype=np.int64).reshape(-1, 2)


def tally_pairs(
    late_probabilities: tuple[NDArray[np.float64], NDArray[np.float64]],
    is_flagged: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    outcomes: NDArray[np.int8],
) -> PairTally:
    """Count the loans of one day that two versions scored in the same request.

    Parameters
    ----------
    late_probabilities, is_flagged : tuple of two ndarrays of shape (n_loans,)
        Each loan's probability of being late and whether it was flagged, by the version that answered and the shadow.
    outcomes : ndarray of shape (n_loans,)
        ``LATE``, ``ON_TIME`` or ``UNKNOWN``.
    """
    is_known = outcomes != UNKNOWN
    is_late = outcomes[is_known] == LATE
    answered, shadow = (late[is_known] for late in late_probabilities)
    cells = score_bin(answered) * SCORE_BINS + score_bin(shadow)
    flags = 2 * is_flagged[0][is_known].astype(np.int64) + is_flagged[1][is_known]
    differences = _log_losses(shadow, is_late) - _log_losses(answered, is_late)
    return PairTally(
        on_time=_occurrences(cells[~is_late]),
        late=_occurrences(cells[is_late]),
        swaps=count(2 * flags + is_late, 2, 2, 2),
        loss_difference=Signed(_sum_in_units(differences)),
        squared_loss_difference=_sum_in_units(differences**2),
    )


def count(places: NDArray[np.integer[Any]], *shape: int) -> Ints:
    """Return how often each place occurs; a place numbers the cells of an array of this shape, row by row."""
    return np.bincount(places, minlength=int(np.prod(shape))).astype(np.int64).reshape(shape)


def _occurrences(cells: NDArray[np.integer[Any]]) -> dict[int, int]:
    distinct, occurrences = np.unique(cells, return_counts=True)
    return dict(zip(distinct.tolist(), occurrences.tolist(), strict=True))


def _log_losses(late_probabilities: NDArray[np.float64], is_late: NDArray[np.bool_]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        log_odds = np.log(late_probabilities) - np.log1p(-late_probabilities)
    log_odds = np.clip(log_odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
    losses: NDArray[np.float64] = np.logaddexp(0.0, np.where(is_late, -log_odds, log_odds))
    return losses


def _sum_in_units(values: NDArray[np.float64]) -> int:
    # Each value is rounded by itself, so that no order of adding changes the sum.
    return int(np.rint(values / LOSS_UNIT).astype(np.int64).sum())
