"""Generates a year of sample loans, quarter by quarter, in which the world changes under a model's feet.

::

    before 1    two quarters to train and to test a model on: the older rate cards
    1           a new rate card; nothing else
    2           the late rate falls by 40 %, for all loans alike
    3           other loans are late: debts decide, and no longer the grade; the late rate stays
    4           as the third

Each loan has an id. What becomes of the loans is known later, as a table of outcomes. The same seed gives the same
year.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import log
from typing import Any, Final

import numpy as np
import pandas as pd

from model_artifact.schema import LOAN_ID, TARGET
from training.loans.sample_data import DEFAULT_SEED, Split, generate_quarter, read_parameters

QUARTERS: Final = (1, 2, 3, 4)
# The quarters before the year: one to train on, and a later one to test on.
TRAINED_ON: Final = -1
TESTED_ON: Final = 0
LOANS: Final = 40_000

# The rates of the new card are higher, and so is the risk that they pay for.
_RISK_OF_NEW_CARD = log(1.05)
# In odds, so that the late rate falls by 40 %.
_FALL_OF_LATE_RATE = log(0.6)
# The logit from the third quarter on: debts decide, and what made a loan risky before says nothing, or the opposite.
_OTHER_LOANS: Final[Mapping[str, float]] = {
    "sub": 0.0,
    "sub_sq": 0.0,
    "log_inc": -0.1,
    "loan": 0.0,
    "loan_gt10": 0.0,
    "loan_gt20": 0.0,
    "dti": 0.45,
    "dti_lt5": 0.0,
    "revol": 2.2,
    "revol_lt20": 0.0,
    "delinq": 0.15,
}
_REVERSED = ("purpose=", "home=")
# With it the late rate is that of the second quarter.
_OTHER_INTERCEPT = -6.25
# A late loan is noticed so many days after the quarter's last loan was scored.
_DAYS_UNTIL_NOTICED = (15, 45, 75)


@dataclass(frozen=True)
class SampleQuarter:
    """One quarter: ``loans`` have the columns ``loan_id``, the ten of a loan, and ``is_late``."""

    number: int
    loans: pd.DataFrame

    def outcomes(self, scored_until: date, known_on: date) -> pd.DataFrame:
        """Return what became of the loans: ``loan_id``, ``is_late`` and ``observed_on``.

        Parameters
        ----------
        scored_until : date
            The day on which the last loan was scored.
        known_on : date
            The day from which on a loan that wasn't late counts as paid on time.
        """
        is_late = self.loans[TARGET].to_numpy(dtype=bool)
        noticed = itertools.cycle([scored_until + timedelta(days=days) for days in _DAYS_UNTIL_NOTICED])
        observed_on = [next(noticed) if late else known_on for late in is_late.tolist()]
        table = self.loans[[LOAN_ID, TARGET]].assign(observed_on=observed_on)
        # In an order of its own: nobody reports loans in the order in which they were scored.
        return table.sort_values(["observed_on", LOAN_ID], ignore_index=True)


def generate_sample_quarter(number: int, n_loans: int = LOANS, seed: int = DEFAULT_SEED) -> SampleQuarter:
    """Generate one quarter.

    Parameters
    ----------
    number : int
        ``TRAINED_ON``, ``TESTED_ON``, or one of ``QUARTERS``; each has loans of its own.
    n_loans : int
        How many.
    seed : int
        Another seed gives another year.
    """
    if number not in (TRAINED_ON, TESTED_ON, *QUARTERS):
        raise ValueError(f"the sample's quarters are {TRAINED_ON} to {QUARTERS[-1]}, not {number}")
    split: Split = "test" if number in QUARTERS else "train"
    parameters = {**read_parameters(), **_changes(number), f"n_{split}": n_loans}
    frame = generate_quarter(parameters, split, np.random.default_rng([seed, number - TRAINED_ON]))
    frame.insert(0, LOAN_ID, [f"{_name(number)}-{loan:06d}" for loan in range(n_loans)])
    return SampleQuarter(number, frame)


def _name(number: int) -> str:
    return f"quarter-{number}" if number in QUARTERS else f"before-{number - TRAINED_ON}"


def _changes(number: int) -> dict[str, Any]:
    """Return the parameters that differ from the fitted ones. Here a loan's age never matters."""
    log_odds = {1: _RISK_OF_NEW_CARD, 2: _RISK_OF_NEW_CARD + _FALL_OF_LATE_RATE}.get(number, 0.0)
    changes: dict[str, Any] = {"test_logodds_offset": log_odds, "seasoning_logodds_offset_by_file_decile": [0.0]}
    if number >= 3:
        logit = read_parameters()["logit"]
        reversed_terms = {name: -value for name, value in logit["coef"].items() if name.startswith(_REVERSED)}
        coef = {**logit["coef"], **reversed_terms, **_OTHER_LOANS}
        changes["logit"] = {**logit, "intercept": _OTHER_INTERCEPT, "coef": coef}
    return changes
