"""Tests whether a version still ranks late loans above loans on time as its manifest says. Pure.

The placement of a late loan is the share of the same day's loans on time that have a lower probability; ties count one
half. Its mean is the ROC-AUC. Each late loan multiplies the wealth of a bet against "the ROC-AUC is at least R" by

    1 + bet * (R - placement)

which is at most 1 on average if that holds. The late loans of one day are compared with the same loans on time, so that
their placements go up and down together: for k late loans and n on time, a day's factor is reduced by
exp(-(k bet)^2 / 8n), which makes the day's bet fair whatever the distributions are (Hoeffding, 1963, for the mean over
the loans on time). Late loans are rare, so that this costs hardly anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from model_watch.outcome_figures import Floats

# Parts of the wealth that a placement of 1 would lose, and how the money is divided among these bets.
_BETS: Final = np.array([0.9, 0.6, 0.35, 0.2, 0.1])
PRIOR: Final[Floats] = np.array([0.15, 0.25, 0.25, 0.2, 0.15])
# Figures of loans that the model was trained on promise too much.
IN_SAMPLE: Final = "in_sample"


def promised(metrics: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """Return the ends of a figure's interval that a manifest's ``metrics`` promise; None if they promise none.

    Of several data files the one with the most rows counts, as its interval is the narrowest.
    """
    promises = []
    for data, figures in metrics.items():
        if data == IN_SAMPLE or not isinstance(figures, Mapping) or not isinstance(figures.get(name), Mapping):
            continue
        ends = figures[name].get("low"), figures[name].get("high")
        rows = figures.get("rows", 0)
        if all(isinstance(number, int | float) for number in (*ends, rows)):
            promises.append((rows, float(ends[0]), float(ends[1])))
    return max(promises)[1:] if promises else None


def log_factors(late: Floats, on_time: Floats, auc: float) -> Floats:
    """Return by which factor each day multiplies each bet's wealth, as logarithms.

    Parameters
    ----------
    late, on_time : ndarray of shape (n_days, n_bins)
        Loans by score bin, the bins in rising order.
    auc : float
        The least ROC-AUC that is tolerated, above 0 and below 1.

    Returns
    -------
    ndarray of shape (n_days, n_bets)
        The bets are those of ``PRIOR``. A day without late loans, or without loans on time, says nothing.
    """
    n_late, n_on_time = late.sum(axis=1), on_time.sum(axis=1)
    below = np.cumsum(on_time, axis=1) - on_time / 2
    placements = below / np.maximum(n_on_time, 1)[:, None]
    factors = np.zeros((len(late), len(_BETS)))
    for column, bet in enumerate(_BETS / (1 - auc)):
        gains = np.sum(late * np.log1p(bet * (auc - placements)), axis=1)
        factors[:, column] = gains - (bet * n_late) ** 2 / (8 * np.maximum(n_on_time, 1))
    factors[n_on_time == 0] = 0.0
    return factors
