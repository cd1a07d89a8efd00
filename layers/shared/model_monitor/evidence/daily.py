"""Evidence that grows day by day, and may be looked at each night: e-values with new money each day. Pure.

An e-value is the wealth of somebody who bets against "all is well", with fair bets (``model_watch.sequential_tests``).
Here the money is paid in bit by bit: half of it on the first day, and the same amount again spread evenly over each
year. What is paid in on a day bets on that day and all later ones, so that good days don't use up the money that finds
a model which turns bad later. What is paid in during a version's first year is 1 in all. So a test whose threshold is
1 / error rate alarms by mistake in that year with the error rate at most (Ville's inequality), and in each further year
with half of it.

Source: Shin, Ramdas and Rinaldo (2023), "E-detectors: a nonparametric framework for sequential change detection",
NEJSDS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_watch.outcome_figures import Floats
from model_watch.sequential_tests import e_value

# What is paid in on the first day, and over each year; together what is paid in during the first year.
FIRST_DAY: Final = 0.5
EACH_YEAR: Final = 0.5
_DAYS_A_YEAR: Final = 365


@dataclass(frozen=True)
class Evidence:
    """The evidence of one test.

    Attributes
    ----------
    name : str
        What is tested.
    e_value : float
        The highest e-value of any day: somebody who looks each night has seen it.
    threshold : float
        From this e-value on the test rejects "all is well".
    rejected_on : date or None
        The first day on which it did. A prediction counts on the day on which it is mature.
    since : date or None
        The day of the predictions from which on they most likely speak against "all is well".
    """

    name: str
    e_value: float
    threshold: float
    rejected_on: date | None
    since: date | None

    @property
    def is_rejected(self) -> bool:
        """Whether the test has rejected "all is well"."""
        return self.rejected_on is not None

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "e_value": self.e_value,
            "threshold": self.threshold,
            "rejected_on": self.rejected_on and self.rejected_on.isoformat(),
            "since": self.since and self.since.isoformat(),
        }


def evidence(
    name: str, threshold: float, days: NDArray[np.int64], log_factors: Floats, prior: Floats, delay: int = 0
) -> Evidence:
    """Return the evidence of a test from what each day makes of its bets.

    Parameters
    ----------
    name, threshold
        See ``Evidence``.
    days, log_factors, prior
        See ``log_e_by_day``; of one version.
    delay : int
        After how many days a day's evidence is known.
    """
    log_e = log_e_by_day(log_factors, prior, days)
    highest = e_value(float(log_e.max())) if len(log_e) else 1.0
    above = np.flatnonzero(log_e >= math.log(threshold))
    if not len(above):
        return Evidence(name, highest, threshold, None, None)
    rejected = int(above[0])
    # The day whose money has won most. The first day has the most money, so that luck hardly makes it a later one.
    wealths = np.cumsum(log_factors[rejected::-1], axis=0)[::-1] + np.log(_paid(days[: rejected + 1]))[:, np.newaxis]
    began = int(np.argmax(np.logaddexp.reduce(wealths + np.log(prior), axis=1)))
    return Evidence(
        name, highest, threshold, date.fromordinal(int(days[rejected]) + delay), date.fromordinal(int(days[began]))
    )


def log_e_by_day(log_factors: Floats, prior: Floats, days: NDArray[np.int64]) -> Floats:
    """Return the logarithm of the e-value after each day.

    Parameters
    ----------
    log_factors : ndarray of shape (..., n_days, n_bets)
        By which factor a day multiplies each bet's wealth, as logarithms; fair or worse if all is well.
    prior : ndarray of shape (n_bets,)
        How the money is divided among the bets; 1 together.
    days : ndarray of shape (n_days,)
        Ordinals of the days, rising. Days without evidence may be left out.

    Returns
    -------
    ndarray of shape (..., n_days)
    """
    paid = np.log(_paid(days))
    log_prior = np.log(prior)
    log_e = np.empty(log_factors.shape[:-1])
    wealth = np.full(log_factors.shape[:-2] + log_factors.shape[-1:], -np.inf)
    for day in range(len(days)):
        wealth = np.logaddexp(wealth, paid[day]) + log_factors[..., day, :]
        log_e[..., day] = np.logaddexp.reduce(wealth + log_prior, axis=-1)
    return log_e


def _paid(days: NDArray[np.int64]) -> Floats:
    """Return what is paid in on each day; days in between are paid for on the next day that has evidence."""
    since = np.diff(days, prepend=days[:1])
    paid = since * (EACH_YEAR / _DAYS_A_YEAR)
    paid[:1] = FIRST_DAY
    return np.asarray(paid, dtype=np.float64)


def in_order(by_day: Mapping[date, Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Return the ordinals of days, rising, and what belongs to each."""
    days = sorted(by_day)
    return np.array([day.toordinal() for day in days], dtype=np.int64), [by_day[day] for day in days]
