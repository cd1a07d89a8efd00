"""The metrics are those of scikit-learn, or of counting by hand; the intervals are those of drawing rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score, roc_curve

from training.evidence import tally
from training.evidence.evaluation import evaluate
from training.evidence.intervals import bootstrap, over_expected, percentile_interval, wilson


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    probabilities = np.round(random.beta(1, 40, 4000), 3)  # with ties
    return (random.random(4000) < probabilities).astype(np.int64), probabilities


loans = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.2, 0.5, 0.99])), min_size=2, max_size=60
).filter(lambda rows: len({late for late, _ in rows}) == 2)


@given(loans)
def test_metrics_of_counts_are_those_of_rows(rows: list[tuple[int, float]]) -> None:
    target, probabilities = np.array([late for late, _ in rows]), np.array([p for _, p in rows])
    counts = tally.tally(target, probabilities)
    false_alarms, hits, _ = roc_curve(target, probabilities)
    clipped = tally.clipped(probabilities)
    assert tally.roc_auc(counts) == pytest.approx(roc_auc_score(target, probabilities))
    assert tally.average_precision(counts) == pytest.approx(average_precision_score(target, probabilities))
    assert tally.kolmogorov_smirnov(counts) == pytest.approx(np.max(np.abs(hits - false_alarms)))
    assert tally.brier(counts) == pytest.approx(brier_score_loss(target, probabilities))
    assert tally.log_loss(counts) == pytest.approx(log_loss(target, clipped))
    if probabilities.sum():
        assert tally.observed_over_expected(counts) == pytest.approx(target.sum() / probabilities.sum())


def test_the_calibration_line_is_that_of_a_logistic_regression_on_the_log_odds(scored) -> None:
    target, probabilities = scored
    probabilities = np.clip(probabilities, 0.001, 0.999)
    log_odds = np.log(probabilities / (1 - probabilities))[:, None]
    expected = LogisticRegression(C=np.inf, tol=1e-10).fit(log_odds, target)
    line = tally.calibration_line(tally.tally(target, probabilities))
    assert line == pytest.approx((expected.intercept_[0], expected.coef_[0, 0]), abs=1e-4)
    assert tally.calibration_line(tally.tally(target, probabilities), (0.0, 1.0)) == pytest.approx(line)


def test_one_probability_has_no_calibration_line() -> None:
    assert np.isnan(tally.calibration_line(tally.tally(np.array([0, 1, 0]), np.full(3, 0.2)))[1])


def test_separated_outcomes_have_no_calibration_line() -> None:
    assert np.isnan(tally.calibration_line(tally.tally(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])))[1])


def test_a_forest_on_the_loans_that_it_was_trained_on_has_a_line() -> None:
    # Its probabilities reach from 0 to 1, so that steps in log-odds overshoot.
    probabilities = np.repeat([0.0, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0], [1428, 48, 2, 2, 7, 10, 3])
    target = np.repeat([1, 0, 1], [1, 1477, 22])
    intercept, slope = tally.calibration_line(tally.tally(target, probabilities))
    assert (intercept, slope) == pytest.approx((-0.1873, 1.1349), abs=1e-4)


def test_an_overconfident_model_has_a_slope_below_one(scored) -> None:
    target, probabilities = scored
    odds = (np.clip(probabilities, 0.001, 0.999) / (1 - np.clip(probabilities, 0.001, 0.999))) ** 2
    line = tally.calibration_line(tally.tally(target, probabilities.clip(0.001, 0.999)))
    squared = tally.calibration_line(tally.tally(target, odds / (1 + odds)))
    assert squared[1] == pytest.approx(line[1] / 2, rel=0.05)


def test_the_interval_is_that_of_drawing_rows_and_scoring_each_draw(scored) -> None:
    target, probabilities = scored
    random = np.random.default_rng(1)
    draws = [random.integers(len(target), size=len(target)) for _ in range(300)]
    expected = np.quantile([roc_auc_score(target[rows], probabilities[rows]) for rows in draws], [0.025, 0.975])
    auc = evaluate(target, probabilities, 0.05)["roc_auc"]
    assert (auc["low"], auc["high"]) == pytest.approx(tuple(expected), abs=0.01)


def test_intervals_are_the_same_twice_and_hold_their_values(scored) -> None:
    metrics = evaluate(*scored, 0.05)  # type: ignore[call-arg]
    assert metrics == evaluate(*scored, 0.05)  # type: ignore[call-arg]
    for name, figure in metrics.items():
        if name != "interval":
            assert figure["low"] <= figure["value"] <= figure["high"], name
    json.dumps(metrics, allow_nan=False)


def test_the_figures_at_the_threshold_are_counted_from_it_on() -> None:
    metrics = evaluate(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.2, 0.9]), 0.2)
    values = [metrics[name]["value"] for name in ("flagged_share", "recall", "precision")]
    assert values == [0.75, 1.0, pytest.approx(2 / 3)]
    assert metrics["observed_over_expected"]["value"] == pytest.approx(2 / 1.4)
    assert (metrics["roc_auc"]["value"], metrics["gini"]["value"]) == (0.875, 0.75)


def test_a_threshold_that_flags_nothing_has_no_precision() -> None:
    metrics = evaluate(np.array([0, 1]), np.array([0.1, 0.2]), 0.5)
    assert metrics["precision"] == {"value": None, "low": None, "high": None}


def test_a_figure_that_no_draw_gives_has_no_interval() -> None:
    interval = percentile_interval(0.5, np.array([np.nan, np.nan]))
    assert interval.to_dict() == {"value": 0.5, "low": None, "high": None}


def test_draws_of_one_outcome_are_left_out() -> None:
    target, probabilities = np.array([1, 0, 0, 0]), np.array([0.4, 0.1, 0.2, 0.3])
    auc = bootstrap(target, probabilities, lambda counts: {"auc": tally.roc_auc(counts)}, rounds=200)["auc"]
    assert (auc.value, auc.low, auc.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("late", "of", "low", "high"),
    # Newcombe 1998, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_wilsons_interval(late: int, of: int, low: float, high: float) -> None:
    interval = wilson(late, of)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@given(st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_of_whole_counts_is_scipys(trials: int, share: float, level: float) -> None:
    successes = int(share * trials)
    expected = binomtest(successes, trials).proportion_ci(level, "wilson")
    interval = wilson(successes, trials, level)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_of_nothing_is_unknown() -> None:
    interval = wilson(0, 0)
    assert (np.isnan(interval.value), interval.low, interval.high) == (True, 0.0, 1.0)


@pytest.mark.parametrize(("late", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)])
def test_late_over_expected_has_garwoods_interval(late: int, low: float, high: float) -> None:
    interval = over_expected(late, 2.0)
    assert (interval.value, interval.low * 2, interval.high * 2) == pytest.approx((late / 2, low, high), abs=1e-4)
    assert np.isnan(over_expected(late, 0.0).value)
