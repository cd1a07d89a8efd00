"""Reads the requests' lines of a period from the prediction log, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from model_watch.log_reader import LogReader
from model_watch.prediction_log import LogLine
from peerloan.errors import UsageError
from peerloan.output import note
from peerloan.workplace import Workplace

_PERIOD = re.compile(r"([1-9][0-9]{0,3})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_NAMED_OBJECTS = 5


def read_predictions(workplace: Workplace, period: str, option: str) -> Iterator[LogLine]:
    """Yield the lines of a period such as ``7d`` or ``12h``, each once; then tell a person what couldn't be read.

    Raises ``UsageError``, which names the option, if the period isn't one.
    """
    match = _PERIOD.fullmatch(period)
    if not match:
        raise UsageError(f"{option} {period} isn't a period: write 7d, 12h or 30m, up to 9999d.")
    now = workplace.clock()
    reader = LogReader(workplace.log_store(), workplace.model)
    lines = reader.read_new(now - timedelta(**{_UNITS[match[2]]: int(match[1])}), now)
    yield from (line for line in lines if isinstance(line, LogLine))
    damage = reader.damage
    if damage.lines:
        named = "".join(f"\n  {key}: {fault}" for key, fault in list(damage.objects.items())[:_NAMED_OBJECTS])
        note(f"{damage.lines:,} damaged lines of the log were left out, of {len(damage.objects):,} objects:{named}")
