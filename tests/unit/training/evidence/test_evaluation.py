"""The metrics at a threshold are those of counting by hand; the intervals are those of drawing rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from model_watch.outcome_figures import roc_auc
from training.evidence.evaluation import evaluate
from training.evidence.intervals import bootstrap, percentile_interval


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    probabilities = np.round(random.beta(1, 40, 4000), 3)  # with ties
    return (random.random(4000) < probabilities).astype(np.int64), probabilities


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
    auc = bootstrap(target, probabilities, lambda counts: {"auc": roc_auc(counts)}, rounds=200)["auc"]
    assert (auc.value, auc.low, auc.high) == (1.0, 1.0, 1.0)
