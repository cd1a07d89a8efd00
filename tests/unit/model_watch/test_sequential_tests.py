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
    log_renewed_e_value,
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
    assert e_value(float(log_e_value(log_factors([], 0.01).sum(axis=0)))) == pytest.approx(1)


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


def renewed(factors, minutes):
    """Return the evidence with new money in each minute; the minutes of the observations rise."""
    numbers, begins = np.unique(minutes, return_index=True)
    return log_renewed_e_value(np.add.reduceat(factors, begins, axis=0), numbers)


def test_new_money_in_each_minute_makes_false_alarms_no_more_frequent() -> None:
    random = np.random.default_rng(20260802)
    values = random.choice([-1.0, 1.0], (ROLLOUTS, LOOKS))
    factors, minutes = log_factors(values, 0.0, -1), np.arange(LOOKS) // 5
    highest = [max(renewed(rollout[:n], minutes[:n]) for n in range(1, LOOKS + 1, 3)) for rollout in factors]
    assert np.mean(np.array(highest) >= math.log(20)) <= 0.05


@pytest.mark.parametrize(("good", "needed"), [(0, 9), (3_000, 26), (30_000, 33)])
def test_a_version_that_begins_to_fail_is_found_soon_however_long_it_was_good(good, needed) -> None:
    factors = log_factors(np.repeat([0.0, 1.0], [good, needed]), 0.01, -1)
    assert renewed(factors, np.arange(good + needed) // 60) >= math.log(12 / 0.05)


def test_minutes_without_observations_lose_no_money() -> None:
    wealths = np.log(np.full((2, len(BETS)), 2.0))
    there = log_renewed_e_value(np.insert(wealths, 1, 0.0, axis=0), np.array([0, 4, 9]))
    assert log_renewed_e_value(wealths, np.array([0, 9])) == pytest.approx(there)


@given(DIFFERENCES, BOUNDS, st.floats(0.001, 0.1))
def test_a_higher_bound_is_rejected_later(values, bound, more) -> None:
    lower, higher = (log_e_value(log_factors(values, end, -1).sum(axis=0)) for end in (bound, bound + more))
    assert higher <= lower + 1e-9


def test_a_version_that_always_fails_is_found_in_ten_pairs_at_an_eleventh_of_the_error_rate() -> None:
    evidence = log_e_value(np.cumsum(log_factors(np.ones(10), 0.01, -1), axis=0))
    assert int(np.argmax(evidence >= math.log(11 / 0.05))) + 1 <= 9


@pytest.mark.parametrize("value", [-1.5, math.nan])
def test_an_impossible_observation_is_refused(value) -> None:
    with pytest.raises(ValueError, match="below -1 or not a number"):
        log_factors([0.0, value], 0.1, -1)


def test_a_bound_at_the_lowest_value_is_refused() -> None:
    with pytest.raises(ValueError, match="isn't above the lowest value"):
        log_factors([0.0], 0.0)


def test_an_e_value_stays_a_number_that_json_has() -> None:
    assert e_value(float(log_e_value(log_factors(np.ones(5000), 0.01).sum(axis=0)))) == pytest.approx(1e12)


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
