"""Bets on calibration are fair or worse within the tolerance, whatever the group of loans, and win beyond it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binom

from model_monitor.evidence.calibration import PRIOR, log_factors
from model_monitor.settings import default_settings
from model_watch.outcome_figures import log_odds, logistic

SETTINGS = default_settings()
LEVELS, SLOPES = slice(0, 6), slice(6, 12)
LOANS = np.array([6, 5, 4, 3])
PROBABILITIES = np.array([0.01, 0.03, 0.1, 0.3])
# All ways in which these loans can be late.
LATE = np.array(list(product(*(range(count + 1) for count in LOANS))), dtype=np.float64)


def average_factors(true: np.ndarray) -> np.ndarray:
    """Return each bet's average factor if the loans of each bin are late with this probability."""
    weights = binom.pmf(LATE, LOANS, true).prod(axis=1)
    return weights @ np.exp(log_factors(LATE, np.tile(LOANS.astype(float), (len(LATE), 1)), PROBABILITIES, SETTINGS))


def test_the_money_is_divided_among_all_bets() -> None:
    assert PRIOR.sum() == pytest.approx(1)
    assert PRIOR.shape == (12,)


@pytest.mark.parametrize("odds", [SETTINGS.level.low, 1.0, SETTINGS.level.high])
def test_a_bet_on_the_level_is_fair_at_its_edge_and_loses_within(odds: float) -> None:
    factors = average_factors(logistic(log_odds(PROBABILITIES) + np.log(odds)))[LEVELS]
    assert factors.max() <= 1 + 1e-9
    if odds != 1:
        assert factors.max() == pytest.approx(1)


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("slope", [SETTINGS.slope.low, 1.0, SETTINGS.slope.high])
def test_a_bet_on_the_slope_is_fair_whatever_the_level(slope: float, level: float) -> None:
    factors = average_factors(logistic(level + slope * log_odds(PROBABILITIES)))[SLOPES]
    # Even of so few loans, the approximation is good to one in a thousand.
    assert factors.max() <= 1.001


@pytest.mark.parametrize(("odds", "bets"), [(0.3, slice(0, 3)), (3.0, slice(3, 6))])
def test_a_bet_on_the_level_wins_beyond_the_tolerance(odds: float, bets: slice) -> None:
    assert average_factors(logistic(log_odds(PROBABILITIES) + np.log(odds)))[bets].min() > 1


@pytest.mark.parametrize(("slope", "bets"), [(0.1, slice(6, 9)), (2.0, slice(9, 12))])
def test_a_bet_on_the_slope_wins_beyond_the_tolerance(slope: float, bets: slice) -> None:
    assert average_factors(logistic(1 + slope * log_odds(PROBABILITIES)))[bets].min() > 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), min_size=4, max_size=4), st.integers(0, 3))
def test_the_level_says_the_same_of_loans_together_and_apart(counts: list[tuple[int, int]], place: int) -> None:
    late, on_time = np.array(counts, dtype=np.float64).T
    apart = np.zeros((2, 2, 4))
    apart[0, :, place], apart[1] = (late[place], on_time[place]), (late, on_time)
    apart[1, :, place] = 0
    together = log_factors(late[None], (late + on_time)[None], PROBABILITIES, SETTINGS)[:, LEVELS]
    parts = log_factors(apart[:, 0], apart.sum(axis=1), PROBABILITIES, SETTINGS)[:, LEVELS]
    np.testing.assert_allclose(parts.sum(axis=0), together[0], atol=1e-9)


@pytest.mark.parametrize("late", [0, 3])
def test_loans_that_are_all_late_or_all_on_time_say_nothing_of_the_slope(late: int) -> None:
    factors = log_factors(np.array([[0.0, late]]), np.array([[0.0, 3.0]]), np.array([0.0, 0.2]), SETTINGS)
    assert (factors[:, SLOPES] == 0).all()
    assert np.isfinite(factors).all()


def test_probabilities_of_zero_and_one_have_finite_bets() -> None:
    # As a forest gives them, on the loans of one day.
    late, loans = np.array([[20.0, 20, 20]]), np.array([[60.0, 20, 40]])
    factors = log_factors(late, loans, np.array([0.0, 0.5, 1.0]), SETTINGS)
    assert np.isfinite(factors).all()


@given(
    st.lists(st.tuples(st.integers(1, 4), st.floats(0, 1)), min_size=2, max_size=4),
    st.sampled_from([SETTINGS.slope.low, 1.0, SETTINGS.slope.high]),
    st.floats(-6, 6),
)
# Log-odds far apart, as a forest gives them.
@example([(8, 0.313), (8, 1.0)], 1.0, 0.0)
@example([(5, 0.257), (5, 0.7), (5, 1.0)], SETTINGS.slope.low, 0.0)
def test_bets_on_the_slope_of_a_handful_of_loans_are_fair_on_average(
    bins: list[tuple[int, float]], slope: float, level: float
) -> None:
    loans, probabilities = np.array([count for count, _ in bins]), np.sort([p for _, p in bins])
    late = np.array(list(product(*(range(count + 1) for count in loans))), dtype=np.float64)
    true = logistic(level + slope * log_odds(probabilities))
    factors = np.exp(log_factors(late, np.tile(loans.astype(float), (len(late), 1)), probabilities, SETTINGS))
    assert (binom.pmf(late, loans, true).prod(axis=1) @ factors[:, SLOPES]).max() <= 1.1


def test_days_may_have_probabilities_of_their_own() -> None:
    rows = np.stack([PROBABILITIES, PROBABILITIES / 2])
    loans = np.tile(LOANS.astype(float), (2, 1))
    late = np.array([[0, 0, 1, 2.0], [1, 0, 0, 0]])
    factors = log_factors(late, loans, rows, SETTINGS)
    alone = [log_factors(late[[day]], loans[[day]], rows[day], SETTINGS)[0] for day in range(2)]
    np.testing.assert_allclose(factors, alone, atol=1e-9)
