"""Tests of means and shares whose verdict holds however often somebody looks: pure functions of the observations.

A test at a fixed sample size is wrong more often than it says if somebody looks every minute and stops at the first
alarm. These tests are *anytime-valid*: if the null hypothesis holds, the e-value exceeds 20 at any time at all in at
most one of 20 rollouts (Ville's inequality). So an e-value is compared with 1 / error rate, after every batch.

The e-value is the wealth of somebody who bets against the null hypothesis "the mean is at most ``bound``". A bet is the
part of the wealth that is staked on each observation. The stake is multiplied by ``(x - lowest) / (bound - lowest)``,
which is at most 1 on average under the null hypothesis. The wealth is divided among a few fixed bets at the start:

    wealth = sum over bets of  prior * product over x of  (1 - bet + bet * (x - lowest) / (bound - lowest))

The logarithm of each product is a sum over the observations. So evidence of two batches is added, in any order.

A version may be good for days and then begin to fail. A wealth that the good days have used up would need as many bad
ones. So a tenth of the money isn't staked at the start: each minute begins with a part of it, 1 / (k (k + 1)) of the
tenth in minute k, and bets on that minute and all later ones only. Each of these bets is a fair one, and all the money
that is ever paid in is 1. So the sum of their wealths is an e-value, too.

Sources: Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting", JRSS B 86(1), for
means; their bets adapt to what was seen, whereas a fixed mixture doesn't depend on the order. Lindon and Malek (2022),
"Anytime-valid inference for multinomial count data", NeurIPS 35, for the share of two versions. Shin, Ramdas and
Rinaldo (2023), "E-detectors: a nonparametric framework for sequential change detection", NEJSDS, for later money.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Parts of the wealth that are staked on each observation. Large bets find a large effect in a few observations. Small
# ones find a small effect, and suit a bound near ``lowest``, where one observation may multiply the stake by hundreds.
BETS: Final[Floats] = np.array([0.98, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015, 0.008, 0.004])
# More than half on the largest bet: a version that always fails must be found in about nine requests, each of which can
# at most double the wealth. It costs all other effects a factor of about two.
PRIOR: Final[Floats] = np.array([0.62, 0.09, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02])
_LOG_PRIOR: Final[Floats] = np.log(PRIOR)
# The part of the money that isn't staked at the start, but a little of it in each minute.
LATER: Final = 0.1

# Beta prior of the sample ratio: as if this many requests had been seen in the expected ratio.
_RATIO_PRIOR: Final = 100.0
# Beyond this an e-value says nothing more, and JSON has no infinity.
_MOST_LOG_E: Final = math.log(1e12)


def log_factors(values: ArrayLike, bound: float, lowest: float = 0.0) -> Floats:
    """Return by which factor each observation multiplies each bet's wealth, as logarithms.

    Parameters
    ----------
    values : array_like of shape (..., n)
        Observations, each at least ``lowest``.
    bound : float
        The null hypothesis says that the mean, given all earlier observations, is at most this.
    lowest : float
        The least value that an observation can have; less than ``bound``.

    Returns
    -------
    ndarray of shape (..., n, n_bets)
        Logarithms; finite.

    Raises
    ------
    ValueError
        If ``bound`` isn't above ``lowest``, or a value is below ``lowest`` or not a number.
    """
    if not bound > lowest:
        raise ValueError(f"The bound {bound} isn't above the lowest value, {lowest}.")
    multiples = (np.asarray(values, dtype=np.float64)[..., np.newaxis] - lowest) / (bound - lowest)
    # Differences of shares that were rounded may lie a little below.
    if not np.all(multiples >= -1e-9):
        raise ValueError(f"An observation is below {lowest} or not a number.")
    return np.log1p(BETS * (np.maximum(multiples, 0.0) - 1.0))


def log_e_value(wealths: ArrayLike) -> Floats:
    """Return the logarithm of the e-value: of the wealth that all bets have together.

    Parameters
    ----------
    wealths : array_like of shape (..., n_bets)
        Sums of what ``log_factors`` returned.

    Returns
    -------
    ndarray of shape (...)
    """
    terms = np.asarray(wealths, dtype=np.float64) + _LOG_PRIOR
    largest = terms.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(terms - largest).sum(axis=-1)) + largest[..., 0], dtype=np.float64)


def log_renewed_e_value(wealths: Floats, minutes: NDArray[np.int64]) -> float:
    """Return the logarithm of the e-value of somebody who stakes new money in each minute.

    Parameters
    ----------
    wealths : ndarray of shape (n, n_bets)
        The sum of what ``log_factors`` returned for each minute's observations; at least one minute.
    minutes : ndarray of shape (n,)
        Their numbers, which rise, from 0. Minutes without observations may be left out.
    """
    since = np.cumsum(wealths[::-1], axis=0)[::-1]
    # What hasn't been paid in by the end of minute k is 1 / (k + 1) of the later money.
    unpaid = np.concatenate([[1.0], 1.0 / (minutes + 1)])
    paid = LATER * (unpaid[:-1] - unpaid[1:])
    paid[0] += 1 - LATER
    with np.errstate(divide="ignore"):
        terms = log_e_value(since) + np.log(paid)
    return float(np.logaddexp.reduce(terms))


def e_value(log_e: float) -> float:
    """Return the e-value of a logarithm, at most 1e12."""
    return math.exp(min(log_e, _MOST_LOG_E))


def log_ratio_e_value(successes: int, trials: int, share: float) -> float:
    """Return the logarithm of an e-value against "each trial is a success with probability ``share``".

    The alternative is a Beta distribution of the probability around ``share`` (Lindon and Malek, 2022).
    Independent groups of trials with other shares are combined by adding their logarithms.

    Parameters
    ----------
    successes, trials : int
        0 <= successes <= trials.
    share : float
        Between 0 and 1, both excluded.
    """
    if not 0 < share < 1:
        raise ValueError(f"The share {share} isn't between 0 and 1.")
    hits, misses = _RATIO_PRIOR * share, _RATIO_PRIOR * (1 - share)
    mixture = _log_beta(hits + successes, misses + trials - successes) - _log_beta(hits, misses)
    return mixture - successes * math.log(share) - (trials - successes) * math.log1p(-share)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
