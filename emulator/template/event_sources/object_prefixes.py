"""Prefixes of the objects that Firehose writes: ``log/dt=!{timestamp:yyyy-MM-dd}/``. Pure.

Source: Amazon Data Firehose developer guide, "Understand custom prefixes for Amazon S3 objects".
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

_EXPRESSION = re.compile(r"!\{([^:}]*):?([^}]*)\}")
# Java's letters of a time; 'quoted' text and other signs stand for themselves.
_LETTERS = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^A-Za-z']")
_FORMATS: dict[str, Callable[[dt.datetime], str]] = {
    "yyyy": lambda time: f"{time.year:04}",
    "yy": lambda time: f"{time.year % 100:02}", "y": lambda time: f"{time.year}",
    "MM": lambda time: f"{time.month:02}", "M": lambda time: f"{time.month}",
    "dd": lambda time: f"{time.day:02}", "d": lambda time: f"{time.day}",
    "HH": lambda time: f"{time.hour:02}", "H": lambda time: f"{time.hour}",
    "mm": lambda time: f"{time.minute:02}", "m": lambda time: f"{time.minute}",
    "ss": lambda time: f"{time.second:02}", "s": lambda time: f"{time.second}",
}  # fmt: skip
_DEFAULT_TIME = "!{timestamp:yyyy/MM/dd/HH}/"
_Part = Callable[[dt.datetime, str], str]


@dataclass(frozen=True, slots=True)
class ObjectPrefix:
    """A prefix whose expressions are replaced for each object."""

    text: str
    parts: tuple[_Part, ...]

    def render(self, time: dt.datetime, random: str) -> str:
        """Return the prefix of an object whose oldest record is of this time; ``random`` is for `random-string`."""
        return "".join(part(time, random) for part in self.parts)


def parse_prefix(text: str) -> ObjectPrefix:
    """Read a ``Prefix``; without a time it gets the default one. Raise `ValueError` as Firehose refuses it."""
    return _parse(text if "!{timestamp:" in text else text + _DEFAULT_TIME, for_errors=False)


def check_error_prefix(text: str) -> None:
    """Raise `ValueError` if Firehose would refuse an ``ErrorOutputPrefix``."""
    _parse(text, for_errors=True)
    if "!{" in text and "!{firehose:error-output-type}" not in text:
        raise ValueError("its expressions must include !{firehose:error-output-type}")


def _parse(text: str, *, for_errors: bool) -> ObjectPrefix:
    parts: list[_Part] = []
    position = 0
    for match in _EXPRESSION.finditer(text):
        parts += [_literal(text[position : match.start()]), _expression(*match.groups(), for_errors=for_errors)]
        position = match.end()
    if "!{" in text[position:]:
        raise ValueError(f"{text[position:]!r} has an expression without a closing brace")
    return ObjectPrefix(text, (*parts, _literal(text[position:])))


def _expression(namespace: str, value: str, *, for_errors: bool) -> _Part:
    match namespace, value:
        case "timestamp", pattern:
            return _time(pattern)
        case "firehose", "random-string":
            return lambda _time, random: random
        case "firehose", "error-output-type" if for_errors:
            return _literal("processing-failed")
        case "firehose", "error-output-type":
            raise ValueError("!{firehose:error-output-type} is for ErrorOutputPrefix alone")
        case "partitionKeyFromQuery" | "partitionKeyFromLambda", _:
            raise ValueError("dynamic partitioning is not imitated")
    raise ValueError(f"!{{{namespace}:{value}}} isn't an expression of Firehose")


def _time(pattern: str) -> _Part:
    formats: list[Callable[[dt.datetime], str]] = []
    position = 0
    while position < len(pattern):
        match = _LETTERS.match(pattern, position)
        if match is None or (match[2] and match[0] not in _FORMATS):
            raise ValueError(f"the time {pattern!r} is not imitated: use yyyy, MM, dd, HH, mm and ss")
        text = match[0] if match[1] is None else match[1] or "'"
        formats.append(_FORMATS[match[0]] if match[2] else lambda _time, text=text: text)  # type: ignore[misc]
        position = match.end()
    return lambda time, _random: "".join(write(time) for write in formats)


def _literal(text: str) -> _Part:
    return lambda _time, _random: text
