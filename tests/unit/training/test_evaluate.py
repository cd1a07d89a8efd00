"""The metrics are those of scikit-learn; the interval is that of drawing rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.evaluate import bootstrap_roc_auc, evaluate


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    probabilities = np.round(random.beta(1, 40, 4000), 3)  # with ties
    return (random.random(4000) < probabilities).astype(np.int64), probabilities


def test_the_interval_is_that_of_drawing_rows_and_scoring_each_draw(scored) -> None:
    target, probabilities = scored
    random = np.random.default_rng(1)
    draws = [random.integers(len(target), size=len(target)) for _ in range(1000)]
    expected = np.quantile([roc_auc_score(target[rows], probabilities[rows]) for rows in draws], [0.025, 0.975])
    assert bootstrap_roc_auc(target, probabilities) == pytest.approx(tuple(expected), abs=0.01)


def test_the_interval_is_the_same_twice_and_holds_the_value(scored) -> None:
    low, high = bootstrap_roc_auc(*scored)
    assert (low, high) == bootstrap_roc_auc(*scored)
    assert low < roc_auc_score(*scored) < high


def test_the_figures_at_the_threshold_are_counted_from_it_on() -> None:
    metrics = evaluate(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.2, 0.9]), 0.2)
    assert (metrics["flagged_share"], metrics["recall"], metrics["precision"]) == (0.75, 1.0, pytest.approx(2 / 3))
    assert metrics["observed_over_expected"] == pytest.approx(2 / 1.4)
    assert metrics["roc_auc"]["value"] == 0.875


def test_a_threshold_that_flags_nothing_has_no_precision() -> None:
    assert evaluate(np.array([0, 1]), np.array([0.1, 0.2]), 0.5)["precision"] is None
