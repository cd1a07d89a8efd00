"""A paired comparison is that of scoring each draw twice, and is narrower than two intervals side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from training.evidence.comparison import compare


@pytest.fixture(scope="module")
def rivals() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    log_odds = random.normal(-3, 1, 3000)
    target = (random.random(3000) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)
    worse = log_odds + random.normal(0, 1, 3000)
    return target, 1 / (1 + np.exp(-log_odds)), np.round(1 / (1 + np.exp(-worse)), 2).clip(0.01, 0.99)


def test_the_differences_are_those_of_the_metrics(rivals) -> None:
    target, better, worse = rivals
    comparison = compare(target, better, worse)
    assert comparison.roc_auc.value == pytest.approx(roc_auc_score(target, better) - roc_auc_score(target, worse))
    assert comparison.log_loss.value == pytest.approx(log_loss(target, better) - log_loss(target, worse))
    assert comparison.roc_auc.low > 0 > comparison.log_loss.high
    assert (comparison.loans, comparison.late) == (3000, target.sum())


def test_the_interval_is_that_of_drawing_the_same_rows_for_both(rivals) -> None:
    target, better, worse = rivals
    random = np.random.default_rng(1)
    draws = [random.integers(3000, size=3000) for _ in range(300)]
    expected = np.quantile(
        [roc_auc_score(target[rows], better[rows]) - roc_auc_score(target[rows], worse[rows]) for rows in draws],
        [0.025, 0.975],
    )
    interval = compare(target, better, worse).roc_auc
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), abs=0.01)


def test_a_model_is_no_better_than_itself(rivals) -> None:
    target, better, _ = rivals
    interval = compare(target, better, better).roc_auc
    assert (interval.value, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_turning_the_sides_around_turns_the_signs_around(rivals) -> None:
    target, better, worse = rivals
    gain, loss = compare(target, better, worse).roc_auc, compare(target, worse, better).roc_auc
    assert (gain.value, gain.low, gain.high) == pytest.approx((-loss.value, -loss.high, -loss.low))


def test_a_higher_level_is_a_wider_interval(rivals) -> None:
    wide, narrow = compare(*rivals, level=0.99).roc_auc, compare(*rivals).roc_auc
    assert wide.low < narrow.low < narrow.high < wide.high


def test_it_is_kept_as_json(rivals) -> None:
    document = json.loads(json.dumps(compare(*rivals).to_dict(), allow_nan=False))
    assert document["interval"] == "95% paired percentile bootstrap, 1000 rounds"
