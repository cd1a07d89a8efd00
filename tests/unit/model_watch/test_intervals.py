"""Intervals by formula are the published ones, and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from model_watch.intervals import chi_squared_quantile, over_expected, wilson


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


@pytest.mark.parametrize("degrees_of_freedom", [1, 2, 3, 9, 50, 401, 19_000, 30_000])
@pytest.mark.parametrize("probability", [0.025, 0.5, 0.95, 0.999, 0.99999])
def test_quantiles_of_chi_squared_are_scipys(probability: float, degrees_of_freedom: int) -> None:
    expected = chi2.ppf(probability, degrees_of_freedom)
    assert chi_squared_quantile(probability, degrees_of_freedom) == pytest.approx(expected, rel=1e-6)


@given(st.floats(0.05, 5_000))
def test_shares_of_late_loans_have_an_interval_too(late: float) -> None:
    # Deciles share tied loans out.
    expected = chi2.ppf(0.025, 2 * late) / 2, chi2.ppf(0.975, 2 * (late + 1)) / 2
    interval = over_expected(late, 1.0)
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-6, abs=1e-12)
