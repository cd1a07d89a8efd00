"""Tests whether one of two versions has the lower log loss on the loans that both scored. Pure.

Each loan multiplies the wealth of a bet on the challenger by

    1 + bet * gain / LARGEST_DIFFERENCE

where the gain is the champion's loss less the challenger's. That is at most 1 on average unless the challenger is
better; a bet on the champion turns the sign. Gains must be bounded for such bets. So log-odds are the middles of score
bins (at most 0.025 off), and a challenger's log-odds that are further than ``LARGEST_DIFFERENCE`` from the champion's
count as so far from them.

Source: Choe and Ramdas (2024), "Comparing sequential forecasters", Operations Research 72(4).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import numpy as np

from model_monitor.evidence.daily import Evidence, evidence, in_order
from model_monitor.joined.pair_tally import PairTally
from model_monitor.settings import MonitorSettings
from model_watch.outcome_figures import Floats
from model_watch.sequential_tests import PRIOR, log_factors
from model_watch.tally import SCORE_BINS

LARGEST_DIFFERENCE: Final = 2.0


def log_loss_evidence(by_day: Mapping[date, PairTally], settings: MonitorSettings) -> tuple[Evidence, Evidence]:
    """Return the evidence that the challenger is better, and that it is worse; both share one error rate."""
    days, tallies = in_order(by_day)
    tests = []
    for name, sign in (("better", 1), ("worse", -1)):
        factors = np.array([_day_factors(pairs, sign) for pairs in tallies]).reshape(-1, len(PRIOR))
        threshold = 2 / settings.error_rate
        tests.append(evidence(name, threshold, days, factors, PRIOR, delay=settings.outcome_window_days))
    return tests[0], tests[1]


def gains(pairs: PairTally) -> Floats:
    """Return by how much the challenger's loss is lower than the champion's, for each of the ``cells``.

    Of shape (n_cells, 2): for a loan on time, and for a late one. They are from -``LARGEST_DIFFERENCE`` to
    ``LARGEST_DIFFERENCE``.
    """
    champion, challenger = ((places - (SCORE_BINS - 1) / 2) / 20 for places in np.divmod(pairs.cells, SCORE_BINS))
    challenger = np.clip(challenger, champion - LARGEST_DIFFERENCE, champion + LARGEST_DIFFERENCE)
    signs = np.array([1.0, -1.0])
    return np.asarray(np.logaddexp(0.0, champion[:, None] * signs) - np.logaddexp(0.0, challenger[:, None] * signs))


def _day_factors(pairs: PairTally, sign: int) -> Floats:
    by_cell = log_factors(sign * gains(pairs), bound=0.0, lowest=-LARGEST_DIFFERENCE)
    return np.asarray(np.sum(pairs.counts[..., np.newaxis] * by_cell, axis=(0, 1)), dtype=np.float64)
