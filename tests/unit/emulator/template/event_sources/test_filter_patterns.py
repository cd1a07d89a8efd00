"""Filter patterns of CloudWatch Logs: which lines match, and which patterns are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.template.event_sources.filter_patterns import parse_filter_pattern

# The examples of the user guide.
EVENT = {
    "eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": None, "cluster.name": "c",
    "someInt": 123, "someFloat": 12.34, "ThisFlag": True, "Off": False,
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"], "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
}  # fmt: skip


def matches(pattern: str, event: object = EVENT) -> bool:
    return parse_filter_pattern(pattern).matches(json.dumps(event).encode())


@pytest.mark.fidelity("filter-patterns")
@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "UpdateTrail" }',
        "{ $.sourceIPAddress != 123.123.* }",
        '{ $.arrayKey[0] = "value" }',
        "{ $.objectList[1].id = 2 }",
        "{ $.objectList[*].id = 2 }",
        "{ $.eventType = %Trail% }",
        "{ $.arrayKey[*] = %val.{2}% }",
        r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }",
        "{ $.['cluster.name'] = \"c\" }",
        '{ $["cluster.name"] = c }',
        "{ $.SomeObject IS NULL }",
        "{ $.ThisFlag IS TRUE }",
        "{ $.Off is false }",
        "{ $.SomeOtherObject NOT EXISTS }",
        "{ $.user.missing.deep NOT EXISTS }",
        "{ $.someInt = 123 }",
        "{ $.someInt != 111 }",
        "{ $.someFloat > 1.0 && $.someFloat<=12.34 && $.someInt >= 1.23e2 && $.someInt < 1000 }",
        '{ $.eventType = "*" }',
        '{ $.eventType = Update* }',
        '{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }',
        '{($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[0] = "GET"}',
        '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = 9 && $.actions[2] = nomatch }',
        "{ $.coordinates[1][0] = 4 }",
    ],
)  # fmt: skip
def test_patterns_that_match(pattern: str) -> None:
    assert matches(pattern)


@pytest.mark.fidelity("filter-patterns")
@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventtype = "UpdateTrail" }',
        '{ $.eventType = "updatetrail" }',
        '{ $.eventType = "Trail" }',
        "{ $.sourceIPAddress != 111.111.* }",
        '{ $.arrayKey[5] = "value" }',
        '{ $.ThisFlag[0] = "value" }',
        "{ $.objectList[1].number = 2 }",
        # A field that isn't there is neither equal nor unequal.
        "{ $.nothing = 1 }",
        "{ $.nothing != 1 }",
        '{ $.nothing != "a" }',
        "{ $.eventType IS NULL }",
        "{ $.SomeOtherObject IS NULL }",
        "{ $.SomeObject NOT EXISTS }",
        "{ $.ThisFlag IS FALSE }",
        "{ $.ThisFlag = 1 }",
        "{ $.someInt > 123 }",
        "{ $.eventType > 1 }",
        '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = 9) && $.actions[2] = nomatch }',
    ],
)
def test_patterns_that_do_not_match(pattern: str) -> None:
    assert not matches(pattern)


@pytest.mark.parametrize("line", [b"", b"text", b"{", b"[]", b'"a"', b"\xff{", b"null", b"[" * 100_000])
def test_lines_that_are_no_objects_match_no_json_pattern(line: bytes) -> None:
    pattern = parse_filter_pattern('{ $.a = "*" || $.b NOT EXISTS }')
    assert pattern.matches(line) is False


@pytest.mark.fidelity("filter-patterns")
@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("", ["anything", "[ERROR] 1", "ERROR Exiting"]),
        ("ERROR", ["[ERROR] 1", "ERROR Exiting"]),
        ("ERROR -Exiting", ["[ERROR] 1"]),
        ('"[ERROR] 1"', ["[ERROR] 1"]),
        ("?anything ?Exiting", ["anything", "ERROR Exiting"]),
        ("?anything ERROR", ["[ERROR] 1", "ERROR Exiting"]),
        ("%E.it%", ["ERROR Exiting"]),
        ("error", []),
    ],
)
def test_terms(pattern: str, lines: list[str]) -> None:
    parsed = parse_filter_pattern(pattern)
    assert [line for line in ("anything", "[ERROR] 1", "ERROR Exiting") if parsed.matches(line.encode())] == lines


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{ $.a = 1", "closing brace"),
        ("{ }", "begins with a selector"),
        ("{ a = 1 }", "begins with a selector"),
        ("{ $.a }", "after $.a comes an operator"),
        ("{ $.a EXISTS }", "NOT EXISTS"),
        ("{ $.a IS NOT NULL }", "IS NULL, IS TRUE"),
        ("{ $.a == 1 }", "comes a value"),
        ("{ $.a > b }", "compares with a number"),
        ("{ $.a = }", "comes a value"),
        ('{ $.a = "b }', "can't be read"),
        ("{ ($.a = 1 }", "closing bracket"),
        ("{ $.a = 1 $.b = 2 }", "join conditions"),
        ("{ $.a = 1 & $.b = 2 }", "can't be read"),
        ("{ $.a = %(b)% }", "regular expression"),
        ("{ $.a = %[% }", "can't be used"),
        ("%a{99999999999}%", "can't be used"),
        ("{ " + "(" * 900 + "$.a = 1 }", "nested too deeply"),
        ("{ $.*.b[*] = 1 }", "at most one wildcard"),
        ("{ $.a[*] = 1 && $.b[*] = 1 && $.c[*] = 1 && $.d[*] = 1 }", "at most three"),
        ("[ip, user]", "space-delimited"),
        ("a.b", "into quotes"),
        ("x" * 1025, "1024 characters"),
    ],
)
def test_refused_patterns(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("$", r"\$")):
        parse_filter_pattern(pattern)


@given(st.text(alphabet='{}()$.[]*="%&|<>!- aISNULTREXF0123', max_size=40))
def test_any_text_is_a_pattern_or_is_refused(text: str) -> None:
    try:
        pattern = parse_filter_pattern(text)
    except ValueError:
        return
    assert pattern.matches(json.dumps(EVENT).encode()) in (True, False)
