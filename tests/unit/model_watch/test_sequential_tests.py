"""Anytime-valid tests: valid however often somebody looks, additive over batches, and quick where all fails."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_watch.sequential_tests import (
    BETS,
    PRIOR,
    e_value,
    log_e_value,
    log_factors,
    log_ratio_e_value,
    log_wealths,
)

ROLLOUTS, LOOKS = 1_000, 200
DIFFERENCES = st.lists(st.floats(-1, 1), max_size=30)
BOUNDS = st.floats(-0.9, 0.9)


def highest_log_e(values, bound: float, lowest: float):
    """Return the highest evidence that somebody sees who looks after every observation; one value a rollout."""
    return log_e_value(np.cumsum(log_factors(values, bound, lowest), axis=-2)).max(axis=-1)


def test_the_whole_wealth_is_divided_among_the_bets() -> None:
    assert math.isclose(PRIOR.sum(), 1)
    assert ((BETS > 0) & (BETS < 1)).all()
    assert e_value(float(log_e_value(log_wealths([], 0.01)))) == pytest.approx(1)


@pytest.mark.parametrize(("bound", "lowest"), [(0.0, -1.0), (0.2, -1.0), (0.01, 0.0), (0.3, 0.0)])
@pytest.mark.parametrize("spread", [0.05, 1.0])
def test_at_the_bound_an_alarm_is_as_rare_as_the_error_rate_says_over_all_looks(bound, lowest, spread) -> None:
    random = np.random.default_rng(20260801)
    # Two values with the bound as their mean: a hard case, as variance is largest where the values are far apart.
    low, high = bound - spread * (bound - lowest), bound + spread * (1 - bound)
    share = (bound - low) / (high - low)
    values = np.where(random.random((ROLLOUTS, LOOKS)) < share, high, low)
    alarms = (highest_log_e(values, bound, lowest) >= math.log(20)).mean()
    assert alarms <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / ROLLOUTS)


@given(DIFFERENCES, DIFFERENCES, BOUNDS, st.randoms())
def test_evidence_of_batches_is_added_in_any_order(first, second, bound, random) -> None:
    together = log_wealths(first + second, bound, -1)
    assert np.allclose(together, log_wealths(first, bound, -1) + log_wealths(second, bound, -1))
    shuffled = first + second
    random.shuffle(shuffled)
    assert np.allclose(together, log_wealths(shuffled, bound, -1))


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=10, max_size=50), BOUNDS)
def test_repeated_values_are_counted_as_often_as_they_occur(values, bound) -> None:
    one_by_one = sum((log_wealths([value], bound, -1) for value in values), np.zeros(len(BETS)))
    assert np.allclose(log_wealths(values, bound, -1), one_by_one)


@given(DIFFERENCES, BOUNDS, st.floats(0.001, 0.1))
def test_a_higher_bound_is_rejected_later(values, bound, more) -> None:
    assert log_e_value(log_wealths(values, bound + more, -1)) <= log_e_value(log_wealths(values, bound, -1)) + 1e-9


def test_a_version_that_always_fails_is_found_in_ten_pairs_at_an_eleventh_of_the_error_rate() -> None:
    evidence = log_e_value(np.cumsum(log_factors(np.ones(10), 0.01, -1), axis=0))
    assert int(np.argmax(evidence >= math.log(11 / 0.05))) + 1 <= 9


@pytest.mark.parametrize("value", [-1.5, math.nan])
def test_an_impossible_observation_is_refused(value) -> None:
    with pytest.raises(ValueError, match="below -1 or not a number"):
        log_wealths([0.0, value], 0.1, -1)


def test_a_bound_at_the_lowest_value_is_refused() -> None:
    with pytest.raises(ValueError, match="isn't above the lowest value"):
        log_wealths([0.0], 0.0)


def test_an_e_value_stays_a_number_that_json_has() -> None:
    assert e_value(float(log_e_value(log_wealths(np.ones(5000), 0.01)))) == pytest.approx(1e12)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_true_ratio_is_seldom_rejected_over_all_looks(share) -> None:
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(100):
        successes = np.cumsum(random.random(300) < share)
        evidence = [log_ratio_e_value(int(count), trial, share) for trial, count in enumerate(successes, 1)]
        alarms += max(evidence) >= math.log(20)
    assert alarms <= 100 * 0.05 + 3 * math.sqrt(100 * 0.05 * 0.95)


def test_a_wrong_ratio_is_rejected() -> None:
    assert log_ratio_e_value(100, 1000, 0.1) < 0
    assert log_ratio_e_value(160, 1000, 0.1) > math.log(20)
    assert log_ratio_e_value(1, 300, 0.1) > math.log(20)
    with pytest.raises(ValueError, match="isn't between 0 and 1"):
        log_ratio_e_value(1, 2, 1.0)
