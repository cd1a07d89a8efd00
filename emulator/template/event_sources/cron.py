"""AWS's cron expressions: six fields, from minutes to years, and the times that they name. Pure.

Source: Amazon EventBridge user guide, "Cron expressions". The libraries for crontab read neither the year nor ``?``,
``W`` and ``#`` as AWS does.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")
# Year and month → days of that month.
_Days = Callable[[int, int], set[int]]


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: dict[str, int]


_MINUTE = _Field("minutes", 0, 59, {})
_HOUR = _Field("hours", 0, 23, {})
_DAY = _Field("day of the month", 1, 31, {})
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day of the week", 1, 7, _WEEKDAYS)
_YEAR = _Field("year", 1970, 2199, {})


@dataclass(frozen=True, slots=True)
class Cron:
    """The times of one expression, without a time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: _Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def times_after(self, moment: dt.datetime) -> Iterator[dt.datetime]:
        """Yield the times after a moment, in order; both are without a time zone."""
        for day in self._days_from(moment.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    time = dt.datetime.combine(day, dt.time(hour, minute))
                    if time > moment:
                        yield time

    def _days_from(self, first: dt.date) -> Iterator[dt.date]:
        for year in self.years:
            for month in self.months:
                if (year, month) < (first.year, first.month):
                    continue
                days = (dt.date(year, month, day) for day in sorted(self.days(year, month)))
                yield from (day for day in days if day >= first)


def parse_cron(fields: str) -> Cron:
    """Read the six fields between the brackets of ``cron(…)``; raise `ValueError` if AWS would refuse them."""
    words = fields.upper().split()
    if len(words) != 6:
        raise ValueError(
            "a cron expression has six fields (minutes, hours, day of the month, month, day of the week, year), "
            f"not {len(words)}"
        )
    minutes, hours, day, month, weekday, year = words
    if (day == "?") is (weekday == "?"):
        raise ValueError("write ? for the day of the month or for the day of the week, and a value for the other one")
    days = _days_of_month(day) if weekday == "?" else _days_of_week(weekday)
    return Cron(_values(_MINUTE, minutes), _values(_HOUR, hours), days, _values(_MONTH, month), _values(_YEAR, year))


def _values(field: _Field, text: str) -> tuple[int, ...]:
    """Return the numbers that a field allows, in order."""
    values: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"the field {field.name} can't be {text!r}")
        every, first, last, step = match.groups()
        low = field.low if every else _number(field, first)
        high = field.high if every or (step and not last) else _number(field, last or first)
        if low > high:
            # A range may wrap around (FRI-MON), as in Quartz, whose syntax AWS has taken over.
            high += field.high - field.low + 1
        if step and int(step) == 0:
            raise ValueError(f"the field {field.name} has a step of 0 in {text!r}")
        span = field.high - field.low + 1
        values |= {field.low + (value - field.low) % span for value in range(low, high + 1, int(step or 1))}
    return tuple(sorted(values))


def _number(field: _Field, word: str) -> int:
    number = field.names.get(word, int(word) if word.isdecimal() else -1)
    if not field.low <= number <= field.high:
        names = f" or {'-'.join([*field.names][:: len(field.names) - 1])}" if field.names else ""
        raise ValueError(f"the field {field.name} takes {field.low}-{field.high}{names}, not {word!r}")
    return number


def _days_of_month(text: str) -> _Days:
    """Read the day of the month: numbers, ``L`` (the last day), ``3W`` and ``LW`` (the weekday nearest to a day)."""
    special = re.fullmatch(r"(L|\d+)(W?)", text)
    if special is None or text.isdecimal():
        numbers = set(_values(_DAY, text))
        return lambda year, month: {day for day in numbers if day <= _length(year, month)}
    number, weekday = special.groups()
    day_wanted = None if number == "L" else _number(_DAY, number)

    def days(year: int, month: int) -> set[int]:
        length = _length(year, month)
        day = length if day_wanted is None else day_wanted
        if day > length:
            return set()
        return {_nearest_weekday(year, month, day) if weekday else day}

    return days


def _days_of_week(text: str) -> _Days:
    """Read the day of the week: numbers from 1 (Sunday) or names, ``L`` (Saturday), ``6L`` (last), ``6#3`` (third)."""
    special = re.fullmatch(r"(\w+?)(?:#([1-5])|(L))", text)
    if special is None or text == "L":
        numbers = {7} if text == "L" else set(_values(_WEEKDAY, text))
        return lambda year, month: {
            day for day in range(1, _length(year, month) + 1) if _weekday(year, month, day) in numbers
        }
    word, ordinal, _ = special.groups()
    number = _number(_WEEKDAY, word)

    def days(year: int, month: int) -> set[int]:
        matches = [day for day in range(1, _length(year, month) + 1) if _weekday(year, month, day) == number]
        index = int(ordinal) - 1 if ordinal else -1
        return {matches[index]} if index < len(matches) else set()

    return days


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """Return the day from Monday to Friday that is nearest to a day, within the month."""
    match _weekday(year, month, day):
        case 7:
            return day - 1 if day > 1 else day + 2
        case 1:
            return day + 1 if day < _length(year, month) else day - 2
        case _:
            return day


def _weekday(year: int, month: int, day: int) -> int:
    """Return AWS's number of a weekday: 1 for Sunday to 7 for Saturday."""
    return dt.date(year, month, day).isoweekday() % 7 + 1


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]
