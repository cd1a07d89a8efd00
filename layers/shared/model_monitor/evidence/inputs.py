"""Tests whether requests differ more from the training loans than is tolerated. Pure.

A bin may hold some more than its share among the training loans (``settings.InputTolerance``). A bet is against "on
average, this bin's share of a day's records is tolerated". It multiplies the wealth by the likelihood of the day's
share if the odds of the bin are ``alternative`` times those at the bound, over its likelihood at the bound.

The records of a day often come together, such as those of one partner. So they count as no more than a few independent
ones, and one odd day multiplies the wealth by ``_MOST_A_DAY`` at most. A bet stays fair under either.

Each column has a test of its own, whose money is divided evenly among its bins; so have the share of flagged records
and that of records with warnings. The error rate is shared out evenly over these tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np

from model_monitor.evidence.daily import Evidence, evidence, in_order
from model_monitor.evidence.discrimination import promised
from model_monitor.input_shifts import TrainingInputs
from model_monitor.settings import InputTolerance, MonitorSettings
from model_watch.outcome_figures import Floats
from model_watch.tally import VersionTally

FLAGGED: Final = "flagged"
WARNED: Final = "warnings"
# What bets say of a bin's odds, as multiples of those at the bound, and how the money is divided among these bets.
_ODDS: Final = np.array([1.4, 2.5, 8.0])
_ODDS_PRIOR: Final = np.array([0.4, 0.35, 0.25])
_MOST_A_DAY: Final = 20.0


def input_evidence(
    traffic: Mapping[date, VersionTally],
    training: TrainingInputs,
    metrics: Mapping[str, Any],
    settings: MonitorSettings,
) -> tuple[Evidence, ...]:
    """Return the evidence of each column's test, of the score's, of that of warnings and of the flagged share's.

    Parameters
    ----------
    traffic : mapping of date to VersionTally
        What the version answered, by day; whole days only.
    training : TrainingInputs
        What it is compared with.
    metrics : mapping
        The manifest's, which promise a flagged share.
    settings : MonitorSettings
        What is tolerated.
    """
    days, tallies = in_order(traffic)
    tolerance = settings.inputs
    live = [training.live_counts(tally) for tally in tallies]
    factors = {}
    for number, column in enumerate(training.columns):
        if column.counts.sum():
            counts = np.array([day[number] for day in live]).reshape(len(days), len(column.bins))
            highest = [tolerance.highest(share) for share in column.counts / column.counts.sum()]
            factors[column.name] = share_factors(counts, counts.sum(axis=1), np.array(highest), tolerance)
    records, flagged, warned = (
        np.array([getattr(tally, name) for tally in tallies], dtype=np.float64)
        for name in ("records", "flagged", "warned")
    )
    factors[WARNED] = share_factors(warned[:, None], records, np.array([tolerance.highest(0.0)]), tolerance)
    flags = promised(metrics, "flagged_share")
    if flags is not None:
        factors[FLAGGED] = flag_factors(flagged, records, flags, tolerance)
    threshold = settings.threshold("look") * len(factors)
    return tuple(evidence(name, threshold, days, columns, prior(columns.shape[1])) for name, columns in factors.items())


def share_factors(counts: Floats, records: Floats, highest: Floats, tolerance: InputTolerance) -> Floats:
    """Return by which factor each day's shares multiply each bet's wealth, as logarithms.

    Parameters
    ----------
    counts : ndarray of shape (..., n_days, n_bins)
        The records in each bin.
    records : ndarray of shape (..., n_days)
        All records.
    highest : ndarray of shape (n_bins,)
        The highest share that is tolerated of each bin, above 0. From 1 on it can't be exceeded.
    tolerance : InputTolerance
        As how many independent records a day's records count.

    Returns
    -------
    ndarray of shape (..., n_days, n_bets)
        As many bets as ``prior`` divides the money among.
    """
    # A bin that can't be too full has bets that never win or lose.
    bounds = np.where(highest < 1, highest, 0.5)
    shares = counts / np.maximum(records, 1.0)[..., None]
    independent = np.minimum(records, tolerance.records_a_day)[..., None]
    columns = []
    for odds in _ODDS:
        alternatives = odds * bounds / (1 - bounds + odds * bounds)
        gains = shares * np.log(alternatives / bounds) + (1 - shares) * np.log((1 - alternatives) / (1 - bounds))
        columns.append(np.minimum(independent * gains, np.log(_MOST_A_DAY)) * (highest < 1))
    return np.concatenate(columns, axis=-1)


def flag_factors(flagged: Floats, records: Floats, promise: tuple[float, float], tolerance: InputTolerance) -> Floats:
    """Return by which factor the flagged records multiply each bet's wealth; see ``share_factors``.

    ``promise`` are the ends of the promised share's interval. Too few are a fault, too.
    """
    highest = np.array([1 - tolerance.lowest(promise[0]), tolerance.highest(promise[1])])
    return share_factors(np.stack([records - flagged, flagged], axis=-1), records, highest, tolerance)


def prior(n_bets: int) -> Floats:
    """Return how the money is divided: evenly among the bins, and within each among what a bet says."""
    bins = n_bets // len(_ODDS)
    return np.repeat(_ODDS_PRIOR / bins, bins)
