"""Evidence adds up day by day, good days don't excuse later ones, and mistakes are as rare as the error rate says."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_monitor.evidence.daily import EACH_YEAR, FIRST_DAY, evidence, log_e_by_day
from model_watch.sequential_tests import PRIOR, log_factors

MONDAY = date(2026, 3, 2).toordinal()
YEARS = 1_000


@given(
    st.lists(st.tuples(st.integers(1, 9), st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=12),
)
def test_each_days_money_bets_on_that_day_and_all_later_ones(rows: list[tuple[int, float, float]]) -> None:
    days = MONDAY + np.cumsum([gap for gap, _, _ in rows])
    factors = np.array([bets for _, *bets in rows])
    prior = np.array([0.25, 0.75])
    paid = [FIRST_DAY, *(EACH_YEAR / 365 * gap for gap, _, _ in rows[1:])]
    for today in range(len(rows)):
        wealth = sum(
            paid[day] * np.dot(prior, np.exp(factors[day : today + 1].sum(axis=0))) for day in range(today + 1)
        )
        assert math.exp(log_e_by_day(factors, prior, days)[today]) == pytest.approx(wealth)


def test_in_the_first_year_all_the_money_is_one() -> None:
    days = MONDAY + np.arange(366)
    nothing_won = log_e_by_day(np.zeros((366, 1)), np.ones(1), days)
    assert math.exp(nothing_won[-1]) == pytest.approx(1)


def test_years_without_a_change_have_alarms_as_rarely_as_the_error_rate_says() -> None:
    random = np.random.default_rng(5)
    # One late loan in ten at the bound, as hard a case as the bound allows.
    factors = log_factors((random.random((YEARS, 365)) < 0.1).astype(float), 0.1)
    highest = log_e_by_day(factors, PRIOR, np.arange(365)).max(axis=1)
    assert np.mean(highest >= math.log(20)) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / YEARS)


def test_a_good_year_excuses_nothing() -> None:
    good, bad = np.full((365, 1), -0.05), np.full((120, 1), 0.1)
    days = MONDAY + np.arange(485)
    test = evidence("x", 20.0, days, np.concatenate([good, bad]), np.ones(1), delay=106)
    assert test.rejected_on is not None
    assert test.since is not None
    assert test.rejected_on.toordinal() - 106 - MONDAY < 365 + 90
    assert abs(test.since.toordinal() - MONDAY - 365) <= 1
    assert test.e_value > 20


def test_without_days_there_is_no_evidence() -> None:
    test = evidence("x", 20.0, np.empty(0, dtype=np.int64), np.empty((0, 2)), np.array([0.5, 0.5]))
    assert test.to_document() == {"name": "x", "e_value": 1.0, "threshold": 20.0, "rejected_on": None, "since": None}


def test_an_alarm_stays_though_later_days_are_good() -> None:
    days = MONDAY + np.arange(20)
    test = evidence("x", 20.0, days, np.array([[1.0]] * 5 + [[-3.0]] * 15), np.ones(1))
    assert test.to_document()["rejected_on"] == "2026-03-05"
    assert test.to_document()["since"] == "2026-03-02"
