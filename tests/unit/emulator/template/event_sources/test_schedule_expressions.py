"""When schedules fire: rates, AWS's cron expressions and single times."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.template.event_sources.cron import parse_cron
from emulator.template.event_sources.schedule_expressions import bounded, parse_expression


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def times(fields: str, after: str, count: int) -> list[str]:
    moments = parse_cron(fields).times_after(dt.datetime.fromisoformat(after))
    return [moment.isoformat(" ", "minutes") for moment in islice(moments, count)]


@pytest.mark.fidelity("schedule-expressions")
@pytest.mark.parametrize(
    ("fields", "after", "expected"),
    [
        # The examples of the user guide.
        ("0 10 * * ? *", "2026-03-01 10:00", ["2026-03-02 10:00", "2026-03-03 10:00"]),
        ("15 12 * * ? *", "2026-03-01 00:00", ["2026-03-01 12:15", "2026-03-02 12:15"]),
        ("0 18 ? * MON-FRI *", "2026-03-06 18:00", ["2026-03-09 18:00", "2026-03-10 18:00"]),
        ("0 8 1 * ? *", "2026-03-01 08:00", ["2026-04-01 08:00", "2026-05-01 08:00"]),
        ("0/15 * * * ? *", "2026-03-01 10:50", ["2026-03-01 11:00", "2026-03-01 11:15"]),
        ("0/10 * ? * MON-FRI *", "2026-03-06 23:45", ["2026-03-06 23:50", "2026-03-09 00:00"]),
        ("0/5 8-17 ? * MON-FRI *", "2026-03-06 17:50", ["2026-03-06 17:55", "2026-03-09 08:00"]),
        ("0 9 ? * 2#1 *", "2026-03-01 00:00", ["2026-03-02 09:00", "2026-04-06 09:00"]),
        ("0 10 ? * 6L 2026-2027", "2026-03-01 00:00", ["2026-03-27 10:00", "2026-04-24 10:00"]),
        # The last day of February, in a leap year too.
        ("0 0 L 2 ? *", "2027-01-01 00:00", ["2027-02-28 00:00", "2028-02-29 00:00"]),
        # The weekday nearest to the 1st, 15th and last day never leaves the month.
        ("0 0 1W 8,11 ? 2026", "2026-01-01 00:00", ["2026-08-03 00:00", "2026-11-02 00:00"]),
        ("0 0 15W 8 ? 2026", "2026-01-01 00:00", ["2026-08-14 00:00"]),
        ("0 0 LW 2,5 ? 2026", "2026-01-01 00:00", ["2026-02-27 00:00", "2026-05-29 00:00"]),
        ("0 0 31W 4 ? *", "2026-01-01 00:00", []),
        # L alone is Saturday; names and numbers mix; a range may wrap around.
        ("0 0 ? * L *", "2026-03-01 00:00", ["2026-03-07 00:00", "2026-03-14 00:00"]),
        ("0 0 ? jan,3 SAT-SUN *", "2026-01-31 12:00", ["2026-03-01 00:00", "2026-03-07 00:00"]),
        ("0 22-1 * * ? *", "2026-03-01 22:30", ["2026-03-01 23:00", "2026-03-02 00:00", "2026-03-02 01:00"]),
        ("0 0 ? * FRI#5 *", "2026-03-01 00:00", ["2026-05-29 00:00", "2026-07-31 00:00"]),
        ("0 0 31 * ? *", "2026-03-31 00:00", ["2026-05-31 00:00"]),
        ("0 0 1 1 ? 2025", "2026-01-01 00:00", []),
    ],
)
def test_cron_times(fields: str, after: str, expected: list[str]) -> None:
    assert times(fields, after, max(len(expected), 1)) == expected


@given(
    st.datetimes(min_value=dt.datetime(2020, 1, 1), max_value=dt.datetime(2030, 1, 1)),
    st.sampled_from(["0/7 3-5 * * ? *", "* * ? * 2-4 *", "5 0 LW * ? *", "0 12 ? 1/3 TUE#2 *"]),
)
def test_cron_times_are_in_order_and_after_the_moment(moment: dt.datetime, fields: str) -> None:
    found = list(islice(parse_cron(fields).times_after(moment), 20))
    assert found == sorted(set(found))
    assert found[0] > moment
    # A moment just before the first time finds the same one.
    assert next(parse_cron(fields).times_after(found[0] - dt.timedelta(microseconds=1))) == found[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rate(1 minutes)", "1 minute, 5 minutes"),
        ("rate(5 minute)", "1 minute, 5 minutes"),
        ("rate(0 minutes)", "1 minute, 5 minutes"),
        ("rate(5 weeks)", "1 minute, 5 minutes"),
        ("every minute", "write rate"),
        ("", "write rate"),
        ("cron(0 10 * * *)", "six fields"),
        ("cron(0 10 * * * *)", "write ?"),
        ("cron(0 10 ? * ? *)", "write ?"),
        ("cron(60 10 * * ? *)", "minutes takes 0-59, not '60'"),
        ("cron(0 24 * * ? *)", "hours takes 0-23"),
        ("cron(0 0 32 * ? *)", "day of the month takes 1-31"),
        ("cron(0 0 40W * ? *)", "day of the month takes 1-31"),
        ("cron(0 0 1 13 ? *)", "month takes 1-12 or JAN-DEC"),
        ("cron(0 0 ? * 8 *)", "day of the week takes 1-7 or SUN-SAT"),
        ("cron(0 0 ? * 2#6 *)", "day of the week"),
        ("cron(0 0 1 * ? 2200)", "year takes 1970-2199"),
        ("cron(0/0 0 1 * ? *)", "step of 0"),
        ("cron(, 0 1 * ? *)", "minutes can't be ','"),
        ("at(2026-01-01)", "at(2026-01-31T08:00:00)"),
    ],
)
def test_refused_expressions(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(").replace("?", r"\?").replace(")", r"\)")):
        parse_expression(text)


@pytest.mark.fidelity("schedule-expressions")
def test_a_rate_keeps_its_rhythm_and_leaves_missed_times_out() -> None:
    rate, start = parse_expression("rate(5 minutes)"), utc("2026-01-01 00:00")
    assert rate.next_after(start, start) == utc("2026-01-01 00:05")
    assert rate.next_after(start, utc("2026-01-01 00:05")) == utc("2026-01-01 00:10")
    assert rate.next_after(start, utc("2026-01-01 07:03")) == utc("2026-01-01 07:05")


def test_a_rate_that_is_too_long_for_the_calendar_never_fires_again() -> None:
    start = utc("2026-01-01 00:00")
    assert parse_expression("rate(999999999 days)").next_after(start, start) is None


@pytest.mark.fidelity("schedule-expressions")
def test_a_time_zones_summer_time() -> None:
    daily = parse_expression("cron(30 2 * * ? *)", ZoneInfo("Europe/Berlin"))

    def next_after(text: str) -> dt.datetime | None:
        return daily.next_after(utc(text), utc(text))

    assert next_after("2026-03-27 12:00") == utc("2026-03-28 01:30")
    # On 29 March there is no 02:30, and on 25 October there are two.
    assert next_after("2026-03-28 12:00") == utc("2026-03-30 00:30")
    assert next_after("2026-10-24 12:00") == utc("2026-10-25 00:30")
    assert next_after("2026-10-25 00:30") == utc("2026-10-26 01:30")


def test_a_single_time() -> None:
    once = parse_expression("at(2026-01-01T08:00:00)", ZoneInfo("Europe/Berlin"))
    assert once.next_after(utc("2025-12-31 00:00"), utc("2025-12-31 00:00")) == utc("2026-01-01 07:00")
    assert once.next_after(utc("2026-01-01 07:00"), utc("2026-01-01 07:00")) is None


@pytest.mark.fidelity("schedule-dates")
def test_a_rate_begins_at_its_first_date_and_ends_after_its_last() -> None:
    first, last = utc("2026-03-01 08:00"), utc("2026-03-03 08:00")
    daily = bounded(parse_expression("rate(1 day)"), first, last)

    def next_after(text: str) -> dt.datetime | None:
        return daily.next_after(utc(text), utc(text))

    assert next_after("2026-01-01 00:00") == first
    assert next_after("2026-03-01 08:00") == utc("2026-03-02 08:00")
    assert next_after("2026-03-02 23:00") == last
    assert next_after("2026-03-03 08:00") is None


@pytest.mark.fidelity("schedule-dates")
def test_cron_fires_between_its_dates() -> None:
    weekly = bounded(parse_expression("cron(0 8 ? * SUN *)"), utc("2026-03-01 08:00"), None)
    assert weekly.next_after(utc("2026-01-01 00:00"), utc("2026-01-01 00:00")) == utc("2026-03-01 08:00")
    assert weekly.next_after(utc("2026-03-01 08:00"), utc("2026-03-01 08:00")) == utc("2026-03-08 08:00")
    ended = bounded(parse_expression("cron(0 8 ? * SUN *)"), None, utc("2026-03-08 07:59"))
    assert ended.next_after(utc("2026-03-01 08:00"), utc("2026-03-01 08:00")) is None
