"""CloudWatch Logs' filter patterns for JSON: ``{ $.kind = "prediction" && $.rows > 10 }``. Pure.

Source: CloudWatch Logs user guide, "Using filter patterns to match terms in JSON log events"::

    any       = all { "||" all }
    all       = condition { "&&" condition }
    condition = "(" any ")" | selector operator value | selector "IS" constant | selector "NOT EXISTS"
    selector  = "$" { ".name" | ".*" | "[0]" | "[*]" | "['any name']" }
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Matcher = Callable[[Any], bool]

_MAX_WILDCARDS = 3
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<punctuation>\(|\)|&&|\|\|)
    | (?P<selector>\$(?:\.?\[(?:\d+|\*|'[^']*'|"[^"]*")\]|\.(?:[\w-]+|\*))+)
    | (?P<operator>!=|<=|>=|=|<|>)
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<regex>%[^%]*%)
    | (?P<word>[^\s()&|=<>!"%]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"\[(\d+)\]|\.?\[(?:'([^']*)'|\"([^\"]*)\")\]|(\.\*|\[\*\])|\.([\w-]+)")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_REGEX = re.compile(r"[A-Za-z0-9\s_#=@/;,^$?\[\]{}|\\*+.:-]+")
_CONSTANTS = {"NULL": None, "TRUE": True, "FALSE": False}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def parse_json_pattern(text: str) -> Matcher:
    """Return a function that says whether a parsed log event matches; ``text`` is what the braces hold.

    Raises
    ------
    ValueError
        AWS would refuse the pattern.
    """
    try:
        return _Parser(text).parse()
    except RecursionError:
        raise ValueError("the brackets are nested too deeply") from None


def parse_regex(token: str) -> re.Pattern[str]:
    """Read a regular expression between percent signs."""
    content = token[1:-1]
    if not _REGEX.fullmatch(content):
        raise ValueError(f"the regular expression {token} has a character that AWS doesn't allow, such as ( or !")
    try:
        return re.compile(content)
    except (re.error, OverflowError) as error:
        raise ValueError(f"the regular expression {token} can't be used: {error}") from error


class _Parser:
    """A descent through the grammar, one method a rule."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def parse(self) -> Matcher:
        matcher = self._any()
        kind, token = self._peek()
        if kind:
            raise ValueError(f"{token!r} isn't expected there: join conditions by && or ||")
        return matcher

    def _any(self) -> Matcher:
        return self._joined("||", self._all, any)

    def _all(self) -> Matcher:
        return self._joined("&&", self._condition, all)

    def _joined(self, sign: str, part: Callable[[], Matcher], combine: Callable[[Iterable[bool]], bool]) -> Matcher:
        matchers = [part()]
        while self._take(sign):
            matchers.append(part())
        return matchers[0] if len(matchers) == 1 else lambda event: combine(matcher(event) for matcher in matchers)

    def _condition(self) -> Matcher:
        if self._take("("):
            matcher = self._any()
            if not self._take(")"):
                raise ValueError("a closing bracket ) is missing")
            return matcher
        kind, token = self._advance()
        if kind != "selector":
            raise ValueError(f"a condition begins with a selector such as $.name, not with {token or 'nothing'!r}")
        values = _selected(token)
        kind, word = self._advance()
        if kind == "operator":
            test = _comparison(word, *self._advance())
            return lambda event: any(map(test, values(event)))
        match word.upper(), self._advance()[1].upper():
            case "IS", constant if constant in _CONSTANTS:
                return lambda event: any(value is _CONSTANTS[constant] for value in values(event))
            case "NOT", "EXISTS":
                return lambda event: not values(event)
        raise ValueError(
            f"after {token} comes an operator, IS NULL, IS TRUE, IS FALSE or NOT EXISTS, not {word or 'nothing'!r}"
        )

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("", "")

    def _advance(self) -> tuple[str, str]:
        token = self._peek()
        self._next += 1
        return token

    def _take(self, token: str) -> bool:
        is_next = self._peek() == ("punctuation", token)
        self._next += is_next
        return is_next


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(text.rstrip())
    wildcards = 0
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ValueError(f"{text[position:end].strip()!r} can't be read")
        token = match[match.lastgroup]
        if match.lastgroup == "selector" and "*" in token:
            wildcards += 1
            if wildcards > _MAX_WILDCARDS or token.count("*") > 1:
                raise ValueError("a selector has at most one wildcard, and a pattern at most three")
        yield match.lastgroup, token
        position = match.end()


def _selected(selector: str) -> Callable[[Any], list[Any]]:
    """Return a function that returns the values that a selector names in an event."""
    steps: list[str | int | None] = []
    for index, name, other_name, wildcard, word in _STEP.findall(selector):
        # None stands for the wildcard.
        steps.append(None if wildcard else int(index) if index else name or other_name or word)

    def values(event: Any) -> list[Any]:
        selected = [event]
        for step in steps:
            selected = [child for value in selected for child in _children(value, step)]
        return selected

    return values


def _children(value: Any, step: str | int | None) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values() if step is None else [value[step]] if step in value else ()
    if isinstance(value, list):
        return value if step is None else value[step : step + 1] if isinstance(step, int) else ()
    return ()


def _comparison(sign: str, kind: str, token: str) -> Callable[[Any], bool]:
    """Return a function that compares one value of an event with the value of the pattern."""
    compare = _COMPARISONS[sign]
    if kind == "word" and _NUMBER.fullmatch(token):
        number = float(token)
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and compare(value, number)
    if sign not in ("=", "!="):
        raise ValueError(f"{sign} compares with a number, not with {token or 'nothing'!r}")
    find: Callable[[str], re.Match[str] | None]
    match kind:
        case "regex":
            find = parse_regex(token).search
        case "quoted":
            find = _wildcards(re.sub(r"\\(.)", r"\1", token[1:-1]))
        case "word":
            find = _wildcards(token)
        case _:
            raise ValueError(f"after {sign} comes a value, not {token or 'nothing'!r}")
    is_equal = sign == "="
    return lambda value: isinstance(value, str) and (find(value) is not None) is is_equal


def _wildcards(text: str) -> Callable[[str], re.Match[str] | None]:
    """Return what matches a whole text, in which ``*`` stands for anything."""
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL).fullmatch
