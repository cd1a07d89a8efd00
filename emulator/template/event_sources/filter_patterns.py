"""CloudWatch Logs' filter patterns: which log events a subscription gets. Pure.

Source: CloudWatch Logs user guide, "Filter pattern syntax". Patterns for space-delimited events are not imitated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.template.event_sources.json_patterns import Matcher, parse_json_pattern, parse_regex

_MAX_CHARACTERS = 1024
_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|(%[^%]*%)|(\w+))(?=\s|$)')

_Test = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class FilterPattern:
    """Says which log events match."""

    text: str
    matches: Callable[[bytes], bool]


def parse_filter_pattern(text: str) -> FilterPattern:
    """Read a pattern: of JSON in braces, or terms; an empty one matches every event.

    Raises
    ------
    ValueError
        AWS would refuse the pattern, or it is for space-delimited events.
    """
    content = text.strip()
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"a pattern has at most {_MAX_CHARACTERS} characters, not {len(text)}")
    if not content:
        return FilterPattern(text, lambda _line: True)
    if content.startswith("["):
        raise ValueError("patterns of space-delimited events are not imitated; write terms or a JSON pattern")
    if not content.startswith("{"):
        return FilterPattern(text, _terms(content))
    if not content.endswith("}"):
        raise ValueError("the closing brace } is missing")
    return FilterPattern(text, _json_matcher(parse_json_pattern(content[1:-1])))


def _json_matcher(matches: Matcher) -> Callable[[bytes], bool]:
    def match(line: bytes) -> bool:
        # Most lines of a function that logs text need not be parsed.
        if not line.lstrip().startswith(b"{"):
            return False
        try:
            event: Any = json.loads(line)
        except (ValueError, RecursionError):
            return False
        return matches(event)

    return match


def _terms(content: str) -> Callable[[bytes], bool]:
    """Read terms: all of them must occur, those with ``-`` must not, and of those with ``?`` one must."""
    required: list[_Test] = []
    optional: list[_Test] = []
    excluded: list[_Test] = []
    position = 0
    while position < len(content):
        match = _TERM.match(content, position)
        if match is None:
            raise ValueError(f"{content[position:].strip()!r} can't be read: put terms with other signs into quotes")
        sign, phrase, regex, word = match.groups()
        target = {"": required, "?": optional, "-": excluded}[sign]
        target.append(_contains(word if phrase is None else re.sub(r"\\(.)", r"\1", phrase), regex))
        position = match.end()

    def matches(line: bytes) -> bool:
        text = line.decode("utf-8", "replace")
        if any(found(text) for found in excluded) or not all(found(text) for found in required):
            return False
        # Fidelity: beside terms that must occur, those with ? have no effect.
        return bool(required) or not optional or any(found(text) for found in optional)

    return matches


def _contains(phrase: str, regex: str | None) -> _Test:
    return parse_regex(regex).search if regex else lambda text: phrase in text
