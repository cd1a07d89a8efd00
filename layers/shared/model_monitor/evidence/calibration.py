"""Tests whether a version's probabilities are right: their level, and how far they are apart. Pure.

Each late loan multiplies the wealth of somebody who bets on more late loans than tolerated, and each loan on time
divides it a little: by the likelihood of the outcome if the odds are ``alternative`` times the predicted ones, over its
likelihood if they are at the edge of what is tolerated. At the edge and within it such a bet is fair or worse, loan by
loan, so that it doesn't matter how loans are grouped; and it suits rare events, as a loan on time costs it hardly
anything.

A slope says how outcomes depend on the predicted log-odds. Bets on it must not depend on the level: each day's number
of late loans is taken as it is, and the bet is on which of the day's loans they are. Their likelihood, given their
number, is that of a conditional logistic regression (Cox, 1972).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from model_monitor.settings import MonitorSettings, Tolerated
from model_watch.outcome_figures import Floats, log_odds

# What bets say of the odds (or of the slope), as multiples of the edge of what is tolerated: first further down from
# the lower edge, then further up from the upper one. And how the money is divided among these bets.
_LEVELS_BELOW: Final = np.array([0.8, 0.62, 0.4])
_LEVELS_ABOVE: Final = np.array([1.3, 1.8, 3.0])
_LEVEL_PRIOR: Final = np.array([0.35, 0.45, 0.2])
_SLOPES_BELOW: Final = np.array([0.75, 0.5, 0.25])
_SLOPES_ABOVE: Final = np.array([1.3, 1.6, 2.2])
_SLOPE_PRIOR: Final = np.array([0.4, 0.4, 0.2])
# Of all the money, the part of the bets on the level: that is what drifts first. Half of it on either side.
_LEVEL_PART: Final = 0.8

PRIOR: Final[Floats] = np.concatenate(
    [part / 2 * prior for part, prior in ((_LEVEL_PART, _LEVEL_PRIOR), (1 - _LEVEL_PART, _SLOPE_PRIOR)) for _ in "↓↑"]
)
# A step changes the logarithm of the level by 1 at most. Probabilities of 0 and 1 are 28 apart, times the slope.
_NEWTON_STEPS: Final = 150
_CONVERGED: Final = 1e-7
# Of the number of a day's late loans: from here on its approximation is good to some percent, and right on average.
_LEAST_VARIANCE: Final = 0.5


def log_factors(late: Floats, loans: Floats, probabilities: Floats, settings: MonitorSettings) -> Floats:
    """Return by which factor each day multiplies each bet's wealth, as logarithms.

    Parameters
    ----------
    late, loans : ndarray of shape (n_days, n_bins)
        Loans that were late, and all loans with a known outcome.
    probabilities : ndarray of shape (n_days, n_bins) or (n_bins,)
        The mean probability of being late that these loans were given; anything from 0 to 1 where there are none.
    settings : MonitorSettings
        What is tolerated.

    Returns
    -------
    ndarray of shape (n_days, n_bets)
        The bets are those of ``PRIOR``.
    """
    x = log_odds(probabilities)
    return np.concatenate([_level(late, loans, x, settings.level), _slope(late, loans, x, settings.slope)], axis=1)


def _level(late: Floats, loans: Floats, x: Floats, tolerated: Tolerated) -> Floats:
    edges, alternatives = _bets(tolerated, _LEVELS_BELOW, _LEVELS_ABOVE)
    n_late = late.sum(axis=1)
    # Of a loan, the likelihood of either outcome has the denominator 1 + odds.
    denominators = {
        odds: np.sum(loans * np.logaddexp(0.0, x + np.log(odds)), axis=1) for odds in {*edges, *alternatives}
    }
    columns = [
        n_late * np.log(alternative / edge) - denominators[alternative] + denominators[edge]
        for edge, alternative in zip(edges, alternatives, strict=True)
    ]
    return np.stack(columns, axis=1)


def _slope(late: Floats, loans: Floats, x: Floats, tolerated: Tolerated) -> Floats:
    edges, alternatives = _bets(tolerated, _SLOPES_BELOW, _SLOPES_ABOVE)
    n_late, n_loans = late.sum(axis=1), loans.sum(axis=1)
    says = (n_late > 0) & (n_late < n_loans)
    late, loans, x = late[says], loans[says], x if x.ndim == 1 else x[says]
    likelihoods = {slope: _log_conditional_likelihood(late, loans, x, slope) for slope in {*edges, *alternatives}}
    factors = np.zeros((len(says), len(edges)))
    for bet, (edge, alternative) in enumerate(zip(edges, alternatives, strict=True)):
        gains = likelihoods[alternative] - likelihoods[edge]
        # The rule depends on the number of late loans and the scores alone, so that a bet that isn't made is fair, too.
        factors[says, bet] = np.where(np.isfinite(gains), gains, 0.0)
    return factors


def _bets(tolerated: Tolerated, below: Floats, above: Floats) -> tuple[list[float], list[float]]:
    """Return the edge that each bet is against, and what it says instead."""
    edges = [tolerated.low] * len(below) + [tolerated.high] * len(above)
    return edges, (np.array(edges) * np.concatenate([below, above])).tolist()


def _log_conditional_likelihood(late: Floats, loans: Floats, x: Floats, slope: float) -> Floats:
    """Return the log-likelihood of which loans of a day are late, given how many are.

    It is the likelihood at the level at which as many late loans are expected, over the probability of that number by
    the saddlepoint approximation of second order (Daniels, 1954). It is NaN where that isn't good: where the scores
    are so far apart that this number nearly says which loans are late.
    """
    n_late = late.sum(axis=1)
    tilt = np.exp(slope * x)
    level = n_late / np.sum(loans * tilt, axis=1)
    for _ in range(_NEWTON_STEPS):
        odds = level[:, None] * tilt
        fitted = odds / (1 + odds)
        variances = loans * fitted / (1 + odds)
        variance = variances.sum(axis=1)
        step = (n_late - np.sum(loans * fitted, axis=1)) / np.maximum(variance, 1e-12)
        # Errors count squared: a day's likelihood is the same beside whatever other days.
        if np.max(np.abs(step), initial=0.0) < _CONVERGED:
            break
        level = level * np.exp(np.clip(step, -1.0, 1.0))
    # The third and fourth cumulant of the number of late loans.
    third = np.sum(variances * (1 - 2 * fitted), axis=1)
    fourth = np.sum(variances * (1 - 6 * fitted * (1 - fitted)), axis=1)
    is_good = (variance >= _LEAST_VARIANCE) & (np.abs(step) < _CONVERGED)
    variance = np.where(is_good, variance, 1.0)
    correction = np.where(is_good, fourth / (8 * variance**2) - 5 * third**2 / (24 * variance**3), 0.0)
    likelihood = slope * np.sum(late * x, axis=1) + np.log(level) * n_late - np.sum(loans * np.log1p(odds), axis=1)
    return np.where(is_good, likelihood + 0.5 * np.log(variance) - np.log1p(correction), np.nan)
