"""Prefixes of the objects that Firehose writes: ``log/dt=!{timestamp:yyyy-MM-dd}/``. Pure.

Source: Amazon Data Firehose developer guide, "Understand custom prefixes for Amazon S3 objects".
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

_EXPRESSION = re.compile(r"!\{([^:}]*):?([^}]*)\}")
# Java's letters of a time; 'quoted' text and other signs stand for themselves.
_LETTERS = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^A-Za-z']")
_FORMATS = {
    "yyyy": "{time.year:04}", "yy": "{time:%y}", "y": "{time.year}", "MM": "{time.month:02}", "M": "{time.month}",
    "dd": "{time.day:02}", "d": "{time.day}", "HH": "{time.hour:02}", "H": "{time.hour}",
    "mm": "{time.minute:02}", "m": "{time.minute}", "ss": "{time.second:02}", "s": "{time.second}",
}  # fmt: skip
_DEFAULT_TIME = "!{timestamp:yyyy/MM/dd/HH}/"


@dataclass(frozen=True, slots=True)
class ObjectPrefix:
    """A prefix whose expressions are replaced for each object."""

    # For `str.format`, with the fields ``time`` and ``random``.
    template: str

    def render(self, time: dt.datetime, random: str) -> str:
        """Return the prefix of an object whose oldest record is of this time; ``random`` is for `random-string`."""
        return self.template.format(time=time, random=random)


def parse_prefix(text: str) -> ObjectPrefix:
    """Read a ``Prefix``; without a time it gets the default one. Raise `ValueError` as Firehose refuses it."""
    return ObjectPrefix(_template(text if "!{timestamp:" in text else text + _DEFAULT_TIME, for_errors=False))


def check_error_prefix(text: str) -> str:
    """Return an ``ErrorOutputPrefix`` as it is; raise `ValueError` if Firehose would refuse it."""
    _template(text, for_errors=True)
    if "!{" in text and "!{firehose:error-output-type}" not in text:
        raise ValueError("its expressions must include !{firehose:error-output-type}")
    return text


def _template(text: str, *, for_errors: bool) -> str:
    template, position = "", 0
    for match in _EXPRESSION.finditer(text):
        template += _literal(text[position : match.start()]) + _expression(*match.groups(), for_errors=for_errors)
        position = match.end()
    if "!{" in text[position:]:
        raise ValueError(f"{text[position:]!r} has an expression without a closing brace")
    return template + _literal(text[position:])


def _expression(namespace: str, value: str, *, for_errors: bool) -> str:
    match namespace, value:
        case "timestamp", pattern:
            return _time(pattern)
        case "firehose", "random-string":
            return "{random}"
        case "firehose", "error-output-type" if for_errors:
            return "processing-failed"
        case "firehose", "error-output-type":
            raise ValueError("!{firehose:error-output-type} is for ErrorOutputPrefix alone")
        case "partitionKeyFromQuery" | "partitionKeyFromLambda", _:
            raise ValueError("dynamic partitioning is not imitated")
    raise ValueError(f"!{{{namespace}:{value}}} isn't an expression of Firehose")


def _time(pattern: str) -> str:
    template, position = "", 0
    while position < len(pattern):
        match = _LETTERS.match(pattern, position)
        if match is None or (match[2] and match[0] not in _FORMATS):
            raise ValueError(f"the time {pattern!r} is not imitated: use yyyy, MM, dd, HH, mm and ss")
        text = match[0] if match[1] is None else match[1] or "'"
        template += _FORMATS[text] if match[2] else _literal(text)
        position = match.end()
    return template


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
