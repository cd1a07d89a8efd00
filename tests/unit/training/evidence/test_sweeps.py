"""A sweep finds the loans that go the wrong way, and how far."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model_artifact.schema import EMP_LENGTHS, FIELD_NAMES
from model_kit import small_boosted, small_quarter
from training.evidence.sweeps import DIRECTIONS, LENDING_SENSE, sweep_all


class ByFormula:
    """A model whose probability is a formula of the columns."""

    feature_names_in_ = np.array(FIELD_NAMES, dtype=object)
    classes_ = np.array([0, 1])

    def __init__(self, formula) -> None:
        self._formula = formula

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        late = np.broadcast_to(np.asarray(self._formula(frame), dtype=np.float64), len(frame))
        return np.column_stack([1 - late, late])


def _by_column(formula, **options):
    return {sweep.column: sweep for sweep in sweep_all(ByFormula(formula), small_quarter().features, **options)}


def test_a_model_that_goes_the_right_way_is_monotone() -> None:
    sweeps = _by_column(lambda frame: 0.1 + frame["int_rate"] - frame["annual_inc"] * 1e-9)
    assert all(sweep.is_monotone and sweep.largest_step_against == 0.0 for sweep in sweeps.values())
    assert set(sweeps) == set(DIRECTIONS)


def test_the_wrong_direction_is_found_in_every_loan() -> None:
    sweep = _by_column(lambda frame: 0.5 - frame["int_rate"])["int_rate"]
    assert not sweep.is_monotone
    assert (sweep.loans, sweep.loans_against) == (200, 200)
    assert sweep.to_dict()["direction"] == "up"


def test_the_largest_step_against_is_the_largest_fall_between_two_values() -> None:
    sweep = _by_column(
        lambda frame: frame["grade"].map({"A": 0.1, "B": 0.2, "C": 0.15, "D": 0.3, "E": 0.29}).fillna(0.4)
    )
    assert sweep["grade"].largest_step_against == pytest.approx(0.05)
    assert sweep["annual_inc"].is_monotone


def test_loans_that_go_the_wrong_way_are_counted() -> None:
    renters = _by_column(
        lambda frame: np.where(frame["home_ownership"] == "RENT", frame["annual_inc"] * 1e-9, 0.1), loans=100
    )["annual_inc"]
    assert 0 < renters.loans_against < renters.loans == 100


def test_a_difference_in_the_last_bits_isnt_a_step() -> None:
    sweeps = _by_column(lambda frame: 0.1 - frame["int_rate"] * 1e-14)
    assert sweeps["int_rate"].is_monotone


def test_all_grades_and_counts_are_tried() -> None:
    sweeps = _by_column(lambda _frame: 0.1)
    counts = small_quarter().features["delinq_2yrs"].nunique()
    assert (sweeps["grade"].values, sweeps["delinq_2yrs"].values) == (7, counts)
    assert sweeps["annual_inc"].values == 50


def test_the_gate_requires_a_part_of_lending_sense_and_the_others_are_swept_on_demand() -> None:
    employed = {label: 0.1 + place / 100 for place, label in enumerate(EMP_LENGTHS)}
    sweeps = {
        sweep.column: sweep
        for sweep in sweep_all(
            ByFormula(lambda frame: frame["emp_length"].map(employed).fillna(0.1) + frame["dti"] * 1e-4),
            small_quarter().features,
            LENDING_SENSE,
        )
    }
    assert [name for name, sweep in sweeps.items() if sweep.is_required] == list(DIRECTIONS)
    assert [name for name, sweep in sweeps.items() if not sweep.is_monotone] == ["emp_length"]
    assert (sweeps["emp_length"].values, sweeps["emp_length"].loans_against) == (len(EMP_LENGTHS), 200)
    assert sweeps["emp_length"].to_dict()["is_required"] is False


def test_the_constrained_trees_are_monotone_and_the_sweep_is_the_same_twice() -> None:
    features = small_quarter().features
    first, second = (sweep_all(small_boosted(), features) for _ in range(2))
    assert first == second
    assert all(sweep.is_monotone for sweep in first)
