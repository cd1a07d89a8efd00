"""Each verdict, its reason in one sentence, and that it holds whenever the loans came."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pytest

from model_monitor.joined.maturity import UNKNOWN
from model_monitor.joined.outcome_tally import OutcomeTally, tally_outcomes
from model_monitor.settings import default_settings
from model_monitor.verdict import KINDS, Assessment, judge
from model_registry.manifest import ColumnProfile, TrainingProfile
from model_watch.outcome_figures import logistic
from model_watch.profile_characters import CHARACTERS
from model_watch.tally import ScoreCounts, VersionTally

SETTINGS = default_settings()
WINDOW = timedelta(days=SETTINGS.outcome_window_days)
START = date(2026, 1, 1)
QUARTER = 91
PROFILE = TrainingProfile((ColumnProfile("int_rate", (0.0, 0.1, 0.2, 0.3, 0.4), None, (250, 250, 250, 250), 0),))
METRICS = {"test": {"rows": 7_000, "roc_auc": {"value": 0.75, "low": 0.7, "high": 0.79}}}
SPREAD = 1.1


@dataclass(frozen=True)
class Life:
    """What became of the loans of some days, and the requests that brought them."""

    outcomes: dict[date, OutcomeTally]
    traffic: dict[date, VersionTally]

    def judged(self, metrics: dict = METRICS, after: timedelta = WINDOW) -> Assessment:
        """Return the assessment as long after the last day as the window is."""
        return judge(self.outcomes, self.traffic, PROFILE, metrics, SETTINGS, max(self.traffic) + after)


def life(
    days: int = QUARTER,
    level: Callable[[int], float] = lambda _: 1.0,
    ranks: Callable[[int], bool] = lambda _: True,
    numbers: Callable[[int], list[int]] = lambda _: [20, 20, 20, 20],
    known: float = 1.0,
) -> Life:
    """Return days of 80 loans each, of which one in fifty is late if ``level`` is 1."""
    random = np.random.default_rng(4)
    outcomes, traffic = {}, {}
    for number in range(days):
        probabilities = logistic(random.normal(-4.4, SPREAD, 80))
        true = probabilities if ranks(number) else random.permutation(probabilities)
        late = (random.random(80) < level(number) * true).astype(np.int8)
        late[random.random(80) >= known] = UNKNOWN
        day = START + timedelta(days=number)
        outcomes[day] = tally_outcomes(probabilities, probabilities > 0.05, late)
        profiles = np.zeros((1, len(CHARACTERS)), dtype=np.int64)
        profiles[0, :4] = numbers(number)
        traffic[day] = VersionTally(records=80, profiled=80, profiles=profiles, scores=ScoreCounts.of(probabilities))
    return Life(outcomes, traffic)


def test_a_model_that_stays_right_is_ok() -> None:
    assessment = life().judged()
    assert assessment.verdict.kind == "ok"
    assert "No test finds harm" in assessment.verdict.reason
    assert [test.name for test in assessment.tests] == ["discrimination", "calibration", "int_rate", "warnings"]
    json.dumps([assessment.verdict.to_document(), *[test.to_document() for test in assessment.tests]], allow_nan=False)


def test_a_late_rate_that_fell_is_found_within_a_quarter() -> None:
    verdict = life(level=lambda _: 0.55).judged().verdict
    assert verdict.kind == "recalibrate"
    assert verdict.reason.startswith("Since 2026-01-01 the probabilities are too high: ")
    assert verdict.reason.endswith(".")


def test_a_late_rate_that_doubled_after_a_good_year_is_found_within_a_quarter() -> None:
    verdict = life(365 + QUARTER, level=lambda day: 1.0 if day < 365 else 2.0).judged().verdict
    assert verdict.kind == "recalibrate"
    assert "the probabilities are too low" in verdict.reason
    assert abs(date.fromisoformat(verdict.reason.split()[1]) - date(2027, 1, 1)) < timedelta(days=30)


def test_an_alarm_whose_cause_has_passed_does_not_blame_what_is_right() -> None:
    verdict = life(2 * QUARTER, level=lambda day: 0.4 if day < QUARTER else 1.6).judged().verdict
    assert verdict.kind == "recalibrate"
    assert "the probabilities were off for a time; of all loans since then, " in verdict.reason


def test_worse_ranking_is_a_refit_whatever_the_level() -> None:
    verdict = life(ranks=lambda _: False, level=lambda _: 1.5).judged().verdict
    assert verdict.kind == "refit"
    assert "late loans are ranked worse than promised" in verdict.reason
    assert "the manifest promises 0.70 at least" in verdict.reason


def test_without_a_promise_ranking_is_not_judged() -> None:
    verdict = life(2 * QUARTER, ranks=lambda _: False).judged({}).verdict
    assert verdict.kind == "recalibrate"
    assert "the probabilities are too far apart: slope" in verdict.reason
    assert "which the manifest has no figure to compare with" in life().judged({}).verdict.reason


def test_changed_inputs_are_to_be_looked_at_until_outcomes_say_that_they_do_no_harm() -> None:
    changed = life(2 * QUARTER, numbers=lambda day: [20, 20, 20, 20] if day < 60 else [65, 5, 5, 5])
    early = judge(changed.outcomes, changed.traffic, PROFILE, METRICS, SETTINGS, max(changed.traffic))
    before = Life({day: tally for day, tally in changed.outcomes.items() if day < date(2026, 3, 1)}, changed.traffic)
    assert early.verdict.kind == "ok"
    verdict = before.judged().verdict
    assert verdict.kind == "look"
    assert verdict.reason.startswith("The inputs have changed (int_rate since 2026-03-0")
    assert "so it is since the inputs changed (int_rate)" in changed.judged().verdict.reason


@pytest.mark.parametrize(
    ("days", "known", "reason"),
    [
        (0, 1.0, "No prediction is mature yet."),
        (10, 1.0, "harm shows from 70 on."),
        (QUARTER, 0.3, "mature loans are known, and 50% are needed."),
    ],
)
def test_too_few_outcomes_are_not_enough_data(days: int, known: float, reason: str) -> None:
    lived = life(known=known)
    outcomes = dict(list(lived.outcomes.items())[:days])
    verdict = Life(outcomes, lived.traffic).judged().verdict
    assert verdict.kind == "not enough data"
    assert verdict.reason.endswith(reason)


def test_outcomes_of_years_ago_say_nothing_of_today() -> None:
    verdict = life().judged(after=timedelta(days=500)).verdict
    assert verdict.kind == "not enough data"


def test_loans_that_are_not_mature_say_nothing() -> None:
    lived = life(level=lambda _: 0.0)
    immature = {day: tally.immature() for day, tally in lived.outcomes.items()}
    assert Life(immature, lived.traffic).judged().verdict.reason == "No prediction is mature yet."


def test_a_look_at_nothing_has_not_enough_data() -> None:
    assert judge({}, {}, None, {}, SETTINGS, START).verdict.kind == "not enough data"


@pytest.mark.parametrize("order", ["all on one day", "in random order", "the late ones last"])
def test_a_quarter_as_the_real_one_is_recalibrated_in_whatever_order_its_loans_came(order: str) -> None:
    # 6,843 loans, of which 95 are late and 155 were expected.
    random = np.random.default_rng(1)
    probabilities = logistic(random.normal(-4.09, 0.76, 6_843))
    probabilities *= 155.0 / probabilities.sum()
    late = np.zeros(6_843, dtype=np.int8)
    late[random.choice(6_843, 95, replace=False, p=probabilities / 155.0)] = 1
    days = {
        "all on one day": np.zeros(6_843, dtype=int),
        "in random order": random.integers(QUARTER, size=6_843),
        "the late ones last": np.where(late, random.integers(60, QUARTER, 6_843), random.integers(QUARTER, size=6_843)),
    }[order]
    outcomes = {
        START + timedelta(days=int(day)): tally_outcomes(
            probabilities[days == day], probabilities[days == day] > 0.05, late[days == day]
        )
        for day in np.unique(days)
    }
    assessment = judge(outcomes, {}, None, METRICS, SETTINGS, START + timedelta(days=QUARTER) + WINDOW)
    assert assessment.verdict.kind == "recalibrate"
    assert "the probabilities are too high" in assessment.verdict.reason


def test_the_kinds_have_the_numbers_of_the_metric() -> None:
    assert KINDS == ("ok", "not enough data", "look", "recalibrate", "refit")
