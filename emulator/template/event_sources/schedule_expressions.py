"""Schedule expressions, ``rate(5 minutes)``, ``cron(0 8 * * ? *)`` and ``at(2026-01-01T08:00:00)``: when a rule fires.

Pure: the moments are passed in. Source: Amazon EventBridge user guide, "Schedule expressions", and EventBridge
Scheduler user guide, "Schedule types".
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Protocol

from emulator.template.event_sources.cron import Cron, parse_cron

_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_FORM = re.compile(r"(rate|cron|at)\((.*)\)", re.DOTALL)
_RATE = re.compile(r"([1-9][0-9]{0,8}) (minute|hour|day)(s?)")


class ScheduleExpression(Protocol):
    """When a schedule fires; all moments are in UTC."""

    def next_after(self, last: dt.datetime, now: dt.datetime, /) -> dt.datetime | None:
        """Return the first time after ``now``, or None if there is none; ``last`` is the last time, or the start."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``rate(…)``: once each interval. Missed times are left out."""

    interval: dt.timedelta

    def next_after(self, last: dt.datetime, now: dt.datetime, /) -> dt.datetime | None:
        """See `ScheduleExpression`."""
        try:
            return last + self.interval * ((now - last) // self.interval + 1)
        except OverflowError:
            # After the year 9999.
            return None


@dataclass(frozen=True, slots=True)
class CronTimes:
    """``cron(…)``: the clock times of a time zone.

    Fidelity: a time that summer time leaves out is left out, and one that occurs twice fires once.
    """

    cron: Cron
    zone: dt.tzinfo = dt.UTC

    def next_after(self, _last: dt.datetime, now: dt.datetime, /) -> dt.datetime | None:
        """See `ScheduleExpression`."""
        for local in self.cron.times_after(now.astimezone(self.zone).replace(tzinfo=None)):
            moment = local.replace(tzinfo=self.zone).astimezone(dt.UTC)
            if moment > now and moment.astimezone(self.zone).replace(tzinfo=None) == local:
                return moment
        return None


@dataclass(frozen=True, slots=True)
class Once:
    """``at(…)``: one time."""

    moment: dt.datetime

    def next_after(self, _last: dt.datetime, now: dt.datetime, /) -> dt.datetime | None:
        """See `ScheduleExpression`."""
        return self.moment if self.moment > now else None


@dataclass(frozen=True, slots=True)
class Bounded:
    """An expression between a first and a last moment, each of which may be missing. A rate begins at the first."""

    inner: Rate | CronTimes
    first: dt.datetime | None
    last: dt.datetime | None

    def next_after(self, last: dt.datetime, now: dt.datetime, /) -> dt.datetime | None:
        """See `ScheduleExpression`."""
        if self.first is None:
            moment = self.inner.next_after(last, now)
        elif now >= self.first:
            moment = self.inner.next_after(self.first, now)
        elif isinstance(self.inner, Rate):
            moment = self.first
        else:
            moment = self.inner.next_after(last, self.first - dt.datetime.resolution)
        return None if moment is None or (self.last is not None and moment > self.last) else moment


def bounded(expression: ScheduleExpression, first: dt.datetime | None, last: dt.datetime | None) -> ScheduleExpression:
    """Return an expression with a start and an end.

    Fidelity: EventBridge Scheduler ignores them where there is only one time.
    """
    if not isinstance(expression, Rate | CronTimes) or (first is None and last is None):
        return expression
    return Bounded(expression, first, last)


def parse_expression(text: str, zone: dt.tzinfo = dt.UTC) -> ScheduleExpression:
    """Read a schedule expression; raise `ValueError`, which says what is wrong, if it is none."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"write rate(5 minutes) or cron(0 8 * * ? *), not {text!r}")
    kind, content = match.groups()
    if kind == "cron":
        return CronTimes(parse_cron(content), zone)
    return _rate(content) if kind == "rate" else _once(content, zone)


def _rate(content: str) -> Rate:
    match = _RATE.fullmatch(content)
    # AWS refuses "1 minutes" and "5 minute", too.
    if match is None or (match[1] == "1") is bool(match[3]):
        raise ValueError(f"a rate is like 1 minute, 5 minutes, 2 hours or 7 days, not {content!r}")
    return Rate(dt.timedelta(seconds=int(match[1]) * _UNITS[match[2]]))


def _once(content: str, zone: dt.tzinfo) -> Once:
    try:
        moment = dt.datetime.strptime(content, "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        raise ValueError(f"a time is like at(2026-01-31T08:00:00), not {content!r}") from None
    return Once(moment.replace(tzinfo=zone).astimezone(dt.UTC))
