"""A bet on ranking is fair at the least tolerated ROC-AUC, though late loans of a day share their loans on time."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import multinomial

from model_monitor.evidence.discrimination import PRIOR, log_factors, promised
from model_watch.outcome_figures import Tally, roc_auc

ON_TIME = np.array([0.6, 0.3, 0.1])
LATE = np.array([0.2, 0.4, 0.4])
AUC = roc_auc(Tally(np.arange(3.0), LATE, ON_TIME))


def ways(count: int) -> np.ndarray:
    """Return all ways in which so many loans can be in three bins."""
    return np.array([way for way in product(range(count + 1), repeat=3) if sum(way) == count], dtype=np.float64)


@pytest.mark.parametrize(("n_late", "n_on_time"), [(1, 1), (1, 6), (2, 3), (3, 2), (4, 6)])
def test_the_bets_are_fair_or_worse_at_the_least_tolerated_auc(n_late: int, n_on_time: int) -> None:
    late, on_time = ways(n_late), ways(n_on_time)
    pairs = [(a, b) for a in late for b in on_time]
    sides = [np.array(side) for side in zip(*pairs, strict=True)]
    factors = np.exp(log_factors(sides[0], sides[1], AUC))
    chances = np.array([multinomial.pmf(a, n_late, LATE) * multinomial.pmf(b, n_on_time, ON_TIME) for a, b in pairs])
    assert chances.sum() == pytest.approx(1)
    assert (chances @ factors).max() <= 1 + 1e-9


def test_the_bets_win_where_ranking_is_worse() -> None:
    on_time = np.array([[45.0, 22, 8]])
    random_order = np.array([[0.6, 0.3, 0.1]])
    assert log_factors(random_order, on_time, AUC).min() > 0
    assert log_factors(np.array([[0.2, 0.4, 0.4]]), on_time, AUC).max() < 0


def test_a_day_without_late_loans_or_loans_on_time_says_nothing() -> None:
    factors = log_factors(np.array([[0.0, 0], [1, 2], [0, 0]]), np.array([[5.0, 5], [0, 0], [0, 0]]), 0.7)
    assert (factors == 0).all()
    assert PRIOR.sum() == pytest.approx(1)


def figures(low: float, high: float, rows: int) -> dict:
    return {"rows": rows, "roc_auc": {"value": (low + high) / 2, "low": low, "high": high}}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({}, None),
        ({"threshold": 0.1, "test": {"rows": 10}}, None),
        ({"test": figures(0.7, 0.79, 6_843)}, (0.7, 0.79)),
        ({"test": figures(0.7, 0.79, 6_843), "cross_validation": figures(0.712, 0.734, 111_068)}, (0.712, 0.734)),
        ({"in_sample": figures(0.95, 0.96, 111_068)}, None),
        ({"in_sample": figures(0.95, 0.96, 111_068), "test": figures(0.7, 0.79, 6_843)}, (0.7, 0.79)),
        ({"test": {"rows": 10, "roc_auc": {"value": 0.7, "low": None, "high": None}}}, None),
        ({"test": {"rows": 10, "roc_auc": 0.7}}, None),
    ],
)
def test_the_promise_is_that_of_the_most_loans_that_the_model_had_not_seen(metrics: dict, expected: object) -> None:
    assert promised(metrics, "roc_auc") == expected
