"""Importance is the ROC-AUC lost by shuffling a column's values; dependence is the mean over loans."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model_artifact.reasons.players import PRICING_FIELDS
from model_artifact.schema import FIELD_NAMES, GRADES
from model_kit import small_boosted, small_quarter
from training.evidence.influence import partial_dependence, permutation_importance


class OfRate:
    """A model of the interest rate alone."""

    feature_names_in_ = np.array(FIELD_NAMES, dtype=object)
    classes_ = np.array([0, 1])

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        late = frame["int_rate"].to_numpy(dtype=np.float64)
        return np.column_stack([1 - late, late])


@pytest.fixture(scope="module")
def quarter():
    return small_quarter(3000)


def test_a_column_that_the_model_ignores_loses_nothing(quarter) -> None:
    importances = permutation_importance(OfRate(), quarter.features, quarter.target)
    losses = {importance.columns: importance.loss for importance in importances}
    assert set(losses) == {(name,) for name in FIELD_NAMES} | {PRICING_FIELDS}
    for columns, loss in losses.items():
        assert (loss.value > 0.05) is ("int_rate" in columns)
        if "int_rate" not in columns:
            assert (loss.value, loss.low, loss.high) == (0.0, 0.0, 0.0)
        else:
            assert loss.low < loss.value < loss.high


def test_importance_is_the_same_twice_and_sorted(quarter) -> None:
    features, target = quarter.features.head(1000), quarter.target[:1000]
    first, second = (permutation_importance(small_boosted(), features, target) for _ in range(2))
    assert first == second
    losses = [importance.loss.value for importance in first]
    assert losses == sorted(losses, reverse=True)


def test_dependence_on_a_column_that_is_the_probability_is_the_column(quarter) -> None:
    by_name = {dependence.column: dependence for dependence in partial_dependence(OfRate(), quarter.features)}
    rate = by_name["int_rate"]
    assert rate.mean == pytest.approx(np.array(rate.values))
    assert np.ptp(by_name["dti"].mean) == pytest.approx(0.0, abs=1e-12)
    assert len(rate.ticks) == 9


def test_dependence_is_the_mean_over_loans_for_each_value(quarter) -> None:
    features = quarter.features.head(400)
    grade = next(
        dependence for dependence in partial_dependence(small_boosted(), features) if dependence.column == "grade"
    )
    assert grade.values == GRADES[: len(grade.values)]
    for value, mean, low, high in zip(grade.values, grade.mean, grade.low, grade.high, strict=True):
        expected = small_boosted().predict_proba(features.assign(grade=value))[:, 1]
        assert mean == pytest.approx(expected.mean())
        assert (low, high) == pytest.approx(tuple(np.quantile(expected, [0.1, 0.9])))


def test_what_is_missing_in_the_data_is_a_value_of_a_category(quarter) -> None:
    employment = next(
        dependence
        for dependence in partial_dependence(small_boosted(), quarter.features)
        if dependence.column == "emp_length"
    )
    assert employment.values[0] == "< 1 year"
    assert isinstance(employment.values[-1], float)
