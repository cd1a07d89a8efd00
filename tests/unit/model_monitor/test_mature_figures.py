"""Figures of mature loans are scikit-learn's, their intervals are those of drawing loans."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from model_monitor.joined.outcome_tally import OutcomeTally, tally_outcomes
from model_monitor.mature_figures import measure, scored_tally
from model_watch.outcome_figures import Tally, calibration_line, logistic
from training.evidence.evaluation import evaluate
from training.evidence.intervals import bootstrap
from training.evidence.tally import tally


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    probabilities = logistic(random.normal(-4.2, 0.9, 8_000))
    return (random.random(8_000) < probabilities).astype(np.int64), probabilities


def outcome_tally(target: np.ndarray, probabilities: np.ndarray) -> OutcomeTally:
    return tally_outcomes(probabilities, probabilities >= 0.05, target.astype(np.int8))


def test_figures_of_score_bins_are_those_of_rows(scored) -> None:
    target, probabilities = scored
    figures = measure(scored_tally(outcome_tally(target, probabilities)))
    assert (figures.loans, figures.late) == (8_000, target.sum())
    assert figures.expected_late == pytest.approx(probabilities.sum(), abs=1e-5)
    assert figures.auc.value == pytest.approx(roc_auc_score(target, probabilities), abs=1e-3)
    assert figures.brier.value == pytest.approx(brier_score_loss(target, probabilities), rel=1e-3)
    assert figures.log_loss.value == pytest.approx(log_loss(target, probabilities), rel=1e-3)


def test_the_intervals_are_those_of_drawing_loans(scored) -> None:
    target, probabilities = scored
    counts = tally(target, probabilities)
    figures, drawn = measure(counts), evaluate(target, probabilities, 0.05)
    line = bootstrap(target, probabilities, lambda draw: {"intercept": calibration_line(draw)[0]}, rounds=400)
    for interval, ends in (
        (figures.auc, drawn["roc_auc"]),
        (figures.brier, drawn["brier"]),
        (figures.log_loss, drawn["log_loss"]),
        (figures.slope, drawn["calibration_slope"]),
        (figures.observed_over_expected, drawn["observed_over_expected"]),
        (figures.intercept, line["intercept"].to_dict()),
    ):
        width = ends["high"] - ends["low"]
        assert (interval.low, interval.high) == pytest.approx((ends["low"], ends["high"]), abs=0.12 * width)


loans = st.lists(st.tuples(st.integers(0, 1), st.floats(0.001, 0.9)), min_size=2, max_size=60)


@given(loans)
def test_the_log_loss_is_uncertainty_less_discrimination_and_miscalibration(rows: list[tuple[int, float]]) -> None:
    figures = measure(tally(np.array([late for late, _ in rows]), np.array([p for _, p in rows])))
    json.dumps(figures.to_document(), allow_nan=False)
    parts = figures.decomposition
    if parts is not None:
        assert parts.uncertainty - parts.discrimination + parts.miscalibration == pytest.approx(figures.log_loss.value)
        assert min(parts.discrimination, parts.miscalibration) >= -1e-9


def test_recalibrating_takes_the_miscalibration_away(scored) -> None:
    target, probabilities = scored
    twice = logistic(0.7 + 1.5 * np.log(probabilities / (1 - probabilities)))
    wrong = measure(tally(target, twice))
    line = calibration_line(tally(target, twice))
    mended = measure(tally(target, logistic(line[0] + line[1] * np.log(twice / (1 - twice)))))
    assert wrong.decomposition.miscalibration > 0.001
    assert mended.decomposition.miscalibration == pytest.approx(0, abs=1e-9)
    assert mended.decomposition.discrimination == pytest.approx(wrong.decomposition.discrimination)


def test_without_loans_nothing_is_known() -> None:
    figures = measure(scored_tally(OutcomeTally()))
    assert (figures.loans, figures.late, figures.expected_late) == (0, 0, 0)
    assert figures.decomposition is None
    assert figures.to_document()["auc"] == {"value": None, "low": None, "high": None}
    json.dumps(figures.to_document(), allow_nan=False)


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_one_outcome_alone_has_no_auc_and_no_line(late: float) -> None:
    figures = measure(Tally(np.array([0.1, 0.2]), np.full(2, 3 * late), np.full(2, 3 * (1 - late))))
    assert math.isnan(figures.auc.value)
    assert figures.decomposition is None
    assert figures.brier.value == pytest.approx(((late - 0.1) ** 2 + (late - 0.2) ** 2) / 2)


def test_separated_outcomes_have_an_auc_without_interval() -> None:
    figures = measure(Tally(np.array([0.1, 0.2]), np.array([0.0, 4.0]), np.array([5.0, 0.0])))
    assert figures.auc.value == 1
    assert figures.to_document()["auc"] == {"value": 1.0, "low": None, "high": None}
