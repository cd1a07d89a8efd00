"""Counts of predictions by what became of their loans: of one day and version, and their sums. Pure.

All counts are whole numbers, probabilities too (in billionths), so that tallies can be added in any order and any
grouping with the same result to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model_monitor.joined.maturity import LATE, UNKNOWN
from model_monitor.joined.pair_tally import PairTally, count
from model_watch.counts import Counts, Ints, zeros
from model_watch.tally import PROBABILITY_UNIT, SCORE_BINS, ScoreCounts, score_bin


@dataclass(frozen=True, eq=False)
class OutcomeTally(Counts):
    """Loans that one version scored on one day, by their outcome; or the sum of several such tallies.

    Attributes
    ----------
    records : int
        Loans; of a loan that was scored several times in a vintage, the first time counts.
    unhashed : int
        Records besides that have no loan id, or no hash of it, so that they can't be joined with outcomes.
    mature : int
        Loans whose outcome window has passed. All counts below are of these alone.
    unknown : int
        Loans whose window has passed and of which no statement says whether they were late in it; all of a day of which
        too few are known.
    on_time, late : ndarray of shape (SCORE_BINS,)
        Loans with a known outcome, by score bin.
    probability_sum : ndarray of shape (SCORE_BINS,)
        The sum of their probabilities of being late, by score bin, in ``PROBABILITY_UNIT``.
    decisions : ndarray of shape (2, 2)
        The same loans by: flagged, late.
    pairs : mapping of int to PairTally
        Those of them that a shadow version scored too, by that version.
    """

    records: int = 0
    unhashed: int = 0
    mature: int = 0
    unknown: int = 0
    on_time: Ints = field(default_factory=zeros(SCORE_BINS))
    late: Ints = field(default_factory=zeros(SCORE_BINS))
    probability_sum: Ints = field(default_factory=zeros(SCORE_BINS))
    decisions: Ints = field(default_factory=zeros(2, 2))
    pairs: Mapping[int, PairTally] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """The number of mature loans whose outcome is known."""
        return self.mature - self.unknown

    @property
    def n_late(self) -> int:
        """The number of mature loans that were late."""
        return int(self.late.sum())

    @property
    def expected_late(self) -> float:
        """The sum of the probabilities of being late of the loans with a known outcome."""
        return int(self.probability_sum.sum()) * PROBABILITY_UNIT

    def immature(self) -> OutcomeTally:
        """Return the tally as it is before the window of its loans has passed: nothing is known, not even "late"."""
        return OutcomeTally(records=self.records, unhashed=self.unhashed)

    def unreported(self) -> OutcomeTally:
        """Return the tally as it is while too few outcomes are known: none is."""
        return replace(self.immature(), mature=self.mature, unknown=self.mature)


def tally_outcomes(
    late_probabilities: NDArray[np.float64],
    is_flagged: NDArray[np.bool_],
    outcomes: NDArray[np.int8],
    *,
    unhashed: int = 0,
    pairs: Mapping[int, PairTally] | None = None,
) -> OutcomeTally:
    """Count the loans of one day and version as if their window had passed.

    Parameters
    ----------
    late_probabilities, is_flagged : ndarray of shape (n_loans,)
        Each loan's probability of being late, and whether it was flagged.
    outcomes : ndarray of shape (n_loans,)
        ``LATE``, ``ON_TIME`` or ``UNKNOWN``.
    unhashed : int
        Records besides that can't be joined.
    pairs : mapping of int to PairTally, optional
        By shadow version; see ``tally_pairs``.
    """
    is_known = outcomes != UNKNOWN
    is_late = outcomes[is_known] == LATE
    late_probabilities = late_probabilities[is_known]
    bins, scores = score_bin(late_probabilities), ScoreCounts.of(late_probabilities)
    return OutcomeTally(
        records=len(outcomes),
        unhashed=unhashed,
        mature=len(outcomes),
        unknown=len(outcomes) - len(is_late),
        on_time=count(bins[~is_late], SCORE_BINS),
        late=count(bins[is_late], SCORE_BINS),
        probability_sum=scores.probability_sum,
        decisions=count(2 * is_flagged[is_known] + is_late, 2, 2),
        pairs=pairs or {},
    )
