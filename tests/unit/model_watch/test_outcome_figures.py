"""The metrics of counted loans are those that scikit-learn gives for their rows."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score, roc_curve

from model_watch import outcome_figures as figures
from training.evidence import tally


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
    clipped = figures.clipped(probabilities)
    assert figures.roc_auc(counts) == pytest.approx(roc_auc_score(target, probabilities))
    assert tally.average_precision(counts) == pytest.approx(average_precision_score(target, probabilities))
    assert tally.kolmogorov_smirnov(counts) == pytest.approx(np.max(np.abs(hits - false_alarms)))
    assert figures.brier(counts) == pytest.approx(brier_score_loss(target, probabilities))
    assert figures.log_loss(counts) == pytest.approx(log_loss(target, clipped))
    if probabilities.sum():
        assert figures.observed_over_expected(counts) == pytest.approx(target.sum() / probabilities.sum())


def test_the_calibration_line_is_that_of_a_logistic_regression_on_the_log_odds(scored) -> None:
    target, probabilities = scored
    probabilities = np.clip(probabilities, 0.001, 0.999)
    log_odds = np.log(probabilities / (1 - probabilities))[:, None]
    expected = LogisticRegression(C=np.inf, tol=1e-10).fit(log_odds, target)
    line = figures.calibration_line(tally.tally(target, probabilities))
    assert line == pytest.approx((expected.intercept_[0], expected.coef_[0, 0]), abs=1e-4)
    assert figures.calibration_line(tally.tally(target, probabilities), (0.0, 1.0)) == pytest.approx(line)


def test_one_probability_has_no_calibration_line() -> None:
    assert np.isnan(figures.calibration_line(tally.tally(np.array([0, 1, 0]), np.full(3, 0.2)))[1])


def test_separated_outcomes_have_no_calibration_line() -> None:
    assert np.isnan(figures.calibration_line(tally.tally(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])))[1])


def test_a_forest_on_the_loans_that_it_was_trained_on_has_a_line() -> None:
    # Its probabilities reach from 0 to 1, so that steps in log-odds overshoot.
    probabilities = np.repeat([0.0, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0], [1428, 48, 2, 2, 7, 10, 3])
    target = np.repeat([1, 0, 1], [1, 1477, 22])
    intercept, slope = figures.calibration_line(tally.tally(target, probabilities))
    assert (intercept, slope) == pytest.approx((-0.1873, 1.1349), abs=1e-4)


def test_an_overconfident_model_has_a_slope_below_one(scored) -> None:
    target, probabilities = scored
    odds = (np.clip(probabilities, 0.001, 0.999) / (1 - np.clip(probabilities, 0.001, 0.999))) ** 2
    line = figures.calibration_line(tally.tally(target, probabilities.clip(0.001, 0.999)))
    squared = figures.calibration_line(tally.tally(target, odds / (1 + odds)))
    assert squared[1] == pytest.approx(line[1] / 2, rel=0.05)


_SUM = """
import numpy as np
from model_watch.outcome_figures import sum_of_products
random = np.random.default_rng(0)
sums = [sum_of_products(random.integers(0, 30, n).astype(float), random.random(n)) for n in range(3, 300)]
print([value.hex() for value in sums])
"""


def test_the_processor_does_not_choose_the_last_digit() -> None:
    # OpenBLAS, which NumPy asks for dot products on x86-64, has other instructions for each kind of processor.
    printed = [
        subprocess.run(
            [sys.executable, "-c", _SUM],
            env={**os.environ, "OPENBLAS_CORETYPE": kind, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for kind in ("Prescott", "Haswell")
    ]
    assert printed[0] == printed[1]
