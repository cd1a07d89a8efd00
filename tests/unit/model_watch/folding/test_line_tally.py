"""What is counted of lines: by day and version, the same for any partition and order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_texts import NOON, log_text
from model_watch.folding.line_tally import add_days, fold
from model_watch.prediction_log import LogLine, PlatformLine, ShadowEntry, read_line
from model_watch.tally import DayTally, VersionTally, score_bin

DAY = date(2026, 3, 12)


def line(number: int = 1, at: datetime = NOON, **options: Any) -> Any:
    return read_line(log_text(number, at, **options))


def refused(status: int = 422) -> LogLine:
    return replace(line(), status=status, version=None, loans=(), late_probabilities=(), is_late=(), profiles=())


def tally(*lines: Any) -> VersionTally:
    (day,) = fold(lines).values()
    (version,) = day.versions.values()
    return version


LINES = st.builds(
    line,
    st.integers(0, 50),
    st.sampled_from([NOON, NOON + timedelta(hours=12), NOON + timedelta(hours=13)]),
    records=st.integers(0, 3),
    version=st.integers(1, 2),
    shadow=st.sampled_from([None, "scored", "failed", "not_loaded"]),
    status=st.sampled_from([200, 200, 500]),
) | st.builds(
    PlatformLine, time=st.just(NOON), invocation_id=st.just("1"), status=st.sampled_from(["success", "timeout"])
)


@given(st.lists(LINES, max_size=12), st.data())
def test_any_partition_in_any_order_has_the_same_tallies(lines: list[Any], data: Any) -> None:
    whole = fold(lines)
    parts: list[list[Any]] = [[], [], []]
    for of_log in data.draw(st.permutations(lines)):
        parts[data.draw(st.integers(0, 2))].append(of_log)
    assert reduce(add_days, map(fold, parts)) == whole


def test_a_line_counts_for_its_own_day_in_utc() -> None:
    late = datetime(2026, 3, 12, 23, 30, tzinfo=timezone(timedelta(hours=-1)))
    days = fold([replace(line(), time=late), line(2)])
    assert {day: of_day.versions[3].requests for day, of_day in days.items()} == {DAY: 1, date(2026, 3, 13): 1}
    assert all(day == of_day.day for day, of_day in days.items())


def test_records_are_counted_by_score_flag_profile_and_warning() -> None:
    lines = [line(number, records=7) for number in range(40)]
    counted = tally(*lines)
    probabilities = [probability for of_log in lines for probability in of_log.late_probabilities]
    assert (counted.requests, counted.failures, counted.records, counted.profiled) == (40, 0, 280, 280)
    assert counted.flagged == sum(probability >= 0.025 for probability in probabilities)
    assert counted.scores.records.tolist() == np.bincount(score_bin(probabilities), minlength=402).tolist()
    assert counted.scores.probability_sum.sum() == sum(round(probability * 1e9) for probability in probabilities)
    assert counted.latency.sum() == 40
    of_third = Counter(profile[2] for of_log in lines for profile in of_log.profiles)
    assert counted.profiles.shape == (10, 64)
    assert counted.profiles[2, [0, 9, 62, 63]].tolist() == [of_third[character] for character in "09-?"]
    assert counted.warned == sum(len(of_log.warnings) for of_log in lines) == counted.warnings["unseen_category"] > 0


def test_a_record_with_two_warnings_is_one_warned_record() -> None:
    counted = tally(line(warnings={"0": ["unseen_category", "out_of_range", "out_of_range"]}))
    assert (counted.warned, counted.warnings) == (1, {"unseen_category": 1, "out_of_range": 1})
    assert tally(line(warnings={"0": []})).warned == 0


def test_failures_count_as_requests_and_their_records_do_not_count() -> None:
    counted = tally(line(1, status=500), line(2, status=413), line(3))
    assert (counted.requests, counted.failures, counted.records) == (3, 1, 1)
    assert counted.latency.sum() == 3


def test_requests_without_a_version_and_crashes_are_counted_for_the_day() -> None:
    crash = PlatformLine(time=NOON, invocation_id="9", status="timeout")
    (day,) = fold([refused(), refused(404), crash, replace(crash, status="success")]).values()
    assert (day.unversioned, day.crashes, dict(day.versions)) == (2, 1, {})


def test_a_shadow_is_counted_by_its_outcome_and_beside_the_version_that_answered() -> None:
    lines = [line(number, records=50, shadow=outcome) for number, outcome in enumerate(["scored"] * 3 + ["failed"])]
    lines += [line(7, shadow=outcome) for outcome in ("refused", "over_budget", "not_loaded")]
    (shadow,) = tally(*lines).shadows.values()
    assert (shadow.requests, shadow.failures, shadow.records) == (7, 2, 150)
    flips = sum(
        one != other for of_log in lines[:3] for one, other in zip(of_log.is_late, of_log.shadow.is_late, strict=True)
    )
    assert shadow.flips == flips > 0
    assert shadow.scores.records.sum() == 150


def test_profiles_of_several_lengths_count_the_columns_that_they_have() -> None:
    shorter = replace(line(2), profiles=("00",))
    counted = tally(replace(line(1), profiles=("0-?",)), shorter, replace(line(3), profiles=()))
    assert counted.profiled == 2
    assert counted.profiles[:, [0, 62, 63]].tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_nothing_has_no_tally() -> None:
    assert fold([]) == {}


def test_more_lines_than_fit_into_a_batch_are_counted() -> None:
    lines = [replace(line(records=1000), loans=(), profiles=())] * 45
    assert tally(*lines).records == 45_000


@pytest.mark.parametrize("shadow", [None, ShadowEntry(version=4, outcome="scored", ms=1.0)])
def test_an_answer_without_records_counts(shadow: ShadowEntry | None) -> None:
    counted = fold([replace(line(records=0), shadow=shadow)])[DAY]
    assert counted == DayTally(DAY, {3: replace(counted.versions[3], requests=1, records=0)})
