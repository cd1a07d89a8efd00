"""Sweeps one column of a loan over many values, and checks that the probability moves the right way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from model_artifact.pipeline import late_probabilities
from model_artifact.schema import EMP_LENGTHS, GRADES
from model_watch.outcome_figures import Floats

# How the risk moves with a column by lending sense: 1 if it rises with the column, -1 if it falls. The other columns
# have no order, or no direction that goes without saying.
LENDING_SENSE: Mapping[str, int] = {
    "int_rate": 1,
    "grade": 1,
    "annual_inc": -1,
    "delinq_2yrs": 1,
    "dti": 1,
    "revol_util": 1,
    "emp_length": -1,
}

# The columns in which the data agree with it, so that following it costs nothing: the gate requires these.
DIRECTIONS: Mapping[str, int] = {
    name: LENDING_SENSE[name] for name in ("int_rate", "grade", "annual_inc", "delinq_2yrs")
}

LOANS = 200
SEED = 0

# Sums over a hundred trees differ by less than this through rounding.
TOLERANCE = 1e-12

_VALUES = 50
_LABELS = {"grade": GRADES, "emp_length": EMP_LENGTHS}


@dataclass(frozen=True)
class Sweep:
    """The result of giving each of some ``loans`` so many ``values`` of one column.

    ``direction`` is 1 if the probability should never fall as the column rises, -1 if it should never rise.
    ``loans_against`` is the number of loans that had a step the wrong way, and ``largest_step_against`` the largest
    such step, in probability.
    """

    column: str
    direction: int
    values: int
    loans: int
    loans_against: int
    largest_step_against: float

    @property
    def is_monotone(self) -> bool:
        """Whether no loan had a step the wrong way."""
        return self.loans_against == 0

    @property
    def is_required(self) -> bool:
        """Whether the gate on monotonicity requires the direction."""
        return self.column in DIRECTIONS

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        return {
            "direction": "up" if self.direction > 0 else "down",
            "is_required": self.is_required,
            "values": self.values,
            "loans": self.loans,
            "loans_against": self.loans_against,
            "largest_step_against": self.largest_step_against,
        }


def sweep_all(
    pipeline: Any,
    features: pd.DataFrame,
    directions: Mapping[str, int] = DIRECTIONS,
    *,
    loans: int = LOANS,
    seed: int = SEED,
) -> tuple[Sweep, ...]:
    """Sweep each column of ``directions`` for some loans drawn from ``features``, over the values that occur there."""
    drawn = features.sample(min(loans, len(features)), random_state=seed)
    return tuple(
        _sweep(pipeline, drawn, column, direction, _values(features, column))
        for column, direction in directions.items()
    )


def curves(pipeline: Any, loans: pd.DataFrame, column: str, values: Sequence[Any]) -> Floats:
    """Return the probabilities of shape (n_loans, n_values) as a column of each loan takes the values."""
    repeated = loans.loc[loans.index.repeat(len(values))].reset_index(drop=True)
    repeated[column] = list(values) * len(loans)
    return late_probabilities(pipeline, repeated).reshape(len(loans), len(values))


def _sweep(pipeline: Any, drawn: pd.DataFrame, column: str, direction: int, values: np.ndarray) -> Sweep:
    against = np.maximum(-direction * np.diff(curves(pipeline, drawn, column, values.tolist()), axis=1), 0.0)
    against[against <= TOLERANCE] = 0.0
    return Sweep(
        column=column,
        direction=direction,
        values=len(values),
        loans=len(drawn),
        loans_against=int((against > 0).any(axis=1).sum()),
        largest_step_against=float(against.max(initial=0.0)),
    )


def _values(features: pd.DataFrame, column: str) -> np.ndarray:
    """Return the values to try, ascending: all labels in order, all values of a column with few, else quantiles."""
    if column in _LABELS:
        return np.array(_LABELS[column], dtype=object)
    values = np.unique(features[column].dropna())
    if len(values) <= _VALUES:
        return values
    return np.unique(np.quantile(values, np.linspace(0, 1, _VALUES), method="nearest"))
