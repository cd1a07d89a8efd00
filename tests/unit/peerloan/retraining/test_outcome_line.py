"""The line of outcomes on log-odds: fitted on the older loans, judged on the newer ones, published for all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest

from model_monitor.joined.outcome_tally import OutcomeTally, tally_outcomes
from model_monitor.joined.vintage import Vintage
from model_monitor.settings import default_settings
from model_watch.outcome_figures import Floats, log_odds, logistic
from peerloan.retraining.outcome_line import OneDayError, TooFewLateError, fit_and_judge, outcomes_of
from peerloan.retraining.recalibrated import Outcomes
from training.gates import failures

BEGIN = date(2026, 1, 1)
LOANS_A_DAY = 400


def days_of(days: int, truth: Callable[[int, Floats], Floats], loans: int = LOANS_A_DAY) -> dict[date, OutcomeTally]:
    """Return the outcomes of made-up loans by day; ``truth`` gives their probabilities from day and log-odds."""
    random = np.random.default_rng(5)
    outcomes = {}
    for number in range(days):
        x = random.normal(-3, 0.8, loans)
        is_late = random.random(loans) < truth(number, x)
        outcomes[BEGIN + timedelta(days=number)] = tally_outcomes(
            logistic(x), x > -2, np.asarray(is_late, dtype=np.int8)
        )
    return outcomes


def test_a_level_that_is_off_is_shifted_and_the_slope_stays() -> None:
    judged = fit_and_judge(days_of(60, lambda _, x: logistic(x - 0.5)), date.min)
    assert judged.line.slope == 1
    assert judged.line.intercept == pytest.approx(-0.5, abs=0.1)
    assert not failures(judged.verdicts)
    assert judged.after.observed_over_expected.low < 1 < judged.after.observed_over_expected.high
    assert judged.before.observed_over_expected.high < 0.8
    # It is judged on other loans than it was fitted on, and published for all.
    assert judged.newer_since == BEGIN + timedelta(days=30)
    assert judged.after.loans == 30 * LOANS_A_DAY
    assert judged.counts.loans.sum() == 60 * LOANS_A_DAY
    # The late loans are as many as are expected of the published line.
    counts = judged.line.of_tally(judged.counts)
    assert counts.probabilities @ counts.loans == pytest.approx(counts.late.sum())
    assert "on 24,000 mature loans from 2026-01-01 to 2026-03-01" in judged.sentence


def test_a_slope_that_is_off_is_fitted() -> None:
    judged = fit_and_judge(days_of(90, lambda _, x: logistic(-1.5 + 0.5 * x)), date.min)
    assert judged.line.slope == pytest.approx(0.5, abs=0.1)
    assert judged.line.intercept == pytest.approx(-1.5, abs=0.3)
    assert judged.line.of(0.05) == pytest.approx(logistic(judged.line.intercept + judged.line.slope * log_odds(0.05)))


def test_only_loans_since_a_day_count() -> None:
    turned = days_of(90, lambda day, x: logistic(x + (0.9 if day >= 30 else 0.0)))
    since = BEGIN + timedelta(days=30)
    judged = fit_and_judge(turned, since)
    assert (judged.since, judged.until) == (since, BEGIN + timedelta(days=89))
    assert judged.line.intercept == pytest.approx(0.9, abs=0.1)


def test_loans_count_from_the_day_on_which_the_monitor_finds_that_they_began_to_be_off() -> None:
    outcomes = Outcomes(BEGIN + timedelta(days=400), default_settings())
    turned = days_of(90, lambda day, x: logistic(x - (0.5 if day >= 45 else 0.0)))
    assert abs(outcomes.find_begin(turned) - (BEGIN + timedelta(days=45))) < timedelta(days=7)
    assert outcomes.find_begin(days_of(90, lambda _, x: logistic(x))) == date.min


def test_a_line_that_does_not_hold_on_newer_loans_fails() -> None:
    judged = fit_and_judge(days_of(60, lambda day, x: logistic(x + (1.0 if day < 30 else -1.0))), date.min)
    assert [verdict.rule for verdict in failures(judged.verdicts)] == ["log-loss", "observed-over-expected"]


def test_a_model_that_is_right_gains_nothing() -> None:
    judged = fit_and_judge(days_of(60, lambda _, x: logistic(x)), date.min)
    assert abs(judged.line.intercept) < 0.1
    assert "log loss fell by" in judged.verdicts[0].figures


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        (days_of(40, lambda _, x: logistic(x), loans=10), r"Before .* at least 15 are needed in each half"),
        ({}, r"0 late loans"),
        ({BEGIN: OutcomeTally(records=9, mature=9, unknown=9)}, r"0 late loans.*--since DATE"),
    ],
)
def test_too_few_late_loans_are_refused(outcomes: dict[date, OutcomeTally], message: str) -> None:
    with pytest.raises(TooFewLateError, match=message):
        fit_and_judge(outcomes, date.min)


def test_loans_of_one_day_have_no_newer_half() -> None:
    with pytest.raises(OneDayError, match=rf"were scored on {BEGIN}, and the line is judged on loans of later days"):
        fit_and_judge(days_of(1, lambda _, x: logistic(x)), date.min)


def test_a_versions_mature_days_are_taken_from_all_vintages() -> None:
    tally = OutcomeTally(records=2, mature=2, unknown=1)
    days = [date(2026, 4, 2), date(2026, 3, 1), date(2026, 4, 1)]
    vintages = [
        Vintage("2026-Q2", {days[0]: {3: tally}, days[2]: {3: tally.immature(), 4: tally}}, "b"),
        Vintage("2026-Q1", {days[1]: {3: tally, 2: tally}}, "a"),
    ]
    assert list(outcomes_of(vintages, 3)) == [days[1], days[0]]
