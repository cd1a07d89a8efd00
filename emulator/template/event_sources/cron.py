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
_Days = Callable[[dt.date], bool]


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
_END = dt.date(_YEAR.high + 1, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Cron:
    """The times of one expression, without a time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    is_day: _Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def times_after(self, moment: dt.datetime) -> Iterator[dt.datetime]:
        """Yield the times after a moment, in order; both are without a time zone."""
        days = (dt.date.fromordinal(number) for number in range(moment.toordinal(), _END))
        for day in days:
            if day.year in self.years and day.month in self.months and self.is_day(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        time = dt.datetime.combine(day, dt.time(hour, minute))
                        if time > moment:
                            yield time


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
        numbers = _values(_DAY, text)
        return lambda date: date.day in numbers
    word, weekday = special.groups()
    number = None if word == "L" else _number(_DAY, word)

    def is_day(date: dt.date) -> bool:
        length = _length(date)
        day = number or length
        return day <= length and date.day == (_nearest_weekday(date.replace(day=day)) if weekday else day)

    return is_day


def _days_of_week(text: str) -> _Days:
    """Read the day of the week: numbers from 1 (Sunday) or names, ``L`` (Saturday), ``6L`` (last), ``6#3`` (third)."""
    special = re.fullmatch(r"(\w+?)(?:#([1-5])|(L))", text)
    if special is None or text == "L":
        numbers = _values(_WEEKDAY, "7" if text == "L" else text)
        return lambda date: _weekday(date) in numbers
    word, ordinal, _ = special.groups()
    number = _number(_WEEKDAY, word)

    def is_day(date: dt.date) -> bool:
        is_its_turn = (date.day + 6) // 7 == int(ordinal) if ordinal else date.day + 7 > _length(date)
        return is_its_turn and _weekday(date) == number

    return is_day


def _nearest_weekday(date: dt.date) -> int:
    """Return the day from Monday to Friday that is nearest to a day, within its month."""
    match _weekday(date):
        case 7:
            return date.day - 1 if date.day > 1 else 3
        case 1:
            return date.day + 1 if date.day < _length(date) else date.day - 2
        case _:
            return date.day


def _weekday(date: dt.date) -> int:
    """Return AWS's number of a weekday: 1 for Sunday to 7 for Saturday."""
    return date.isoweekday() % 7 + 1


def _length(date: dt.date) -> int:
    return calendar.monthrange(date.year, date.month)[1]
