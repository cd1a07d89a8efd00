"""Reads the prediction log from some day on, a day at a time, so that a month of lines is never in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from model_rollout.plan import InvalidPlanError, read_duration
from model_watch.log_reader import LogReader
from model_watch.prediction_log import LogLine
from peerloan.errors import UsageError
from peerloan.output import note

_ONE_DAY = timedelta(days=1)
_NAMED_OBJECTS = 5


def read_period(text: str, option: str) -> timedelta:
    """Return a period such as ``7d`` or ``12h``; another text raises ``UsageError``, which names the option."""
    try:
        period = timedelta(seconds=read_duration(text))
    except InvalidPlanError:
        period = timedelta()
    if not period:
        raise UsageError(f"{option} {text} isn't a period: write 7d, 12h or 30m, up to 30d.")
    return period


def read_predictions(reader: LogReader, since: datetime, now: datetime) -> Iterator[LogLine]:
    """Yield the requests' lines from ``since`` on, each once."""
    day = since
    while True:
        # Each call also lists the next day, and reads no object twice.
        yield from (line for line in reader.read_new(since, min(day, now)) if isinstance(line, LogLine))
        if day >= now:
            return
        day += _ONE_DAY


def note_damage(reader: LogReader) -> None:
    """Tell a person what of the log could not be read."""
    damage = reader.damage
    if damage.lines:
        named = "".join(f"\n  {key}: {fault}" for key, fault in list(damage.objects.items())[:_NAMED_OBJECTS])
        note(f"{damage.lines:,} damaged lines of the log were left out, of {len(damage.objects):,} objects:{named}")
