"""Tests of the prediction log's format: what is written is read again, and damage is named."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from model_registry.alias import Alias, RoutingConfig
from model_watch.prediction_log import (
    DamagedLineError,
    LogLine,
    PlatformLine,
    ScoredRecords,
    ShadowEntry,
    line_members,
    read_line,
)

ALIAS = Alias("live", 7, 2, RoutingConfig({3: 0.1}), "live-6", "2026-03-12T19:03:58Z", "me", "canary", "update-7")
# What the line of every request has.
REQUEST: dict[str, Any] = {
    "level": "INFO",
    "message": "request",
    "timestamp": "2026-03-12T19:03:58.123+00:00",
    "request_id": "client-1",
    "invocation_id": "invocation-1",
    "method": "POST",
    "route": "/predict",
    "status": 200,
    "violations": 0,
    "rows": 2,
    "latency_ms": 1.5,
    "spans_ms": {"score": 0.5},
    "cold_start": False,
    "model_form": "arrays",
    "model_version": "3",
}
SHADOW = ShadowEntry(version=4, outcome="scored", ms=0.25, late_probabilities=(0.1, 0.9), is_late=(False, True))
SCORED = ScoredRecords(
    threshold=0.5,
    loans=["c2FtcGxlIGhhc2g_", None],
    late_probabilities=[0.123456789012345678, 0.5],
    profiles=["0123-?", "abcdef"],
    warnings={1: ["unseen_category"]},
    shadow=SHADOW,
)


def members(scored: ScoredRecords | None = SCORED, **changes: Any) -> dict[str, Any]:
    """Return the members of a whole line."""
    facts = {"alias": ALIAS, "routed_version": 3, "key": "a2V5IGhhc2ggLi4u"} | changes
    return REQUEST | line_members(model="late-payer", scored=scored, **facts)


def read(document: dict[str, Any]) -> LogLine:
    """Write a line as the function does, and read it."""
    line = read_line(to_json(document))
    assert isinstance(line, LogLine)
    return line


def test_what_the_function_writes_is_read_again() -> None:
    assert read(members(refused_versions=[9])) == LogLine(
        time=datetime(2026, 3, 12, 19, 3, 58, 123000, UTC),
        invocation_id="invocation-1",
        request_id="client-1",
        route="/predict",
        status=200,
        latency_ms=1.5,
        score_ms=0.5,
        rows=2,
        model="late-payer",
        version=3,
        form="arrays",
        routed_version=3,
        refused_versions=(9,),
        alias="live",
        alias_revision=7,
        rollout="live-6",
        key="a2V5IGhhc2ggLi4u",
        threshold=0.5,
        loans=("c2FtcGxlIGhhc2g_", None),
        late_probabilities=(0.123456789012345678, 0.5),
        is_late=(False, True),
        profiles=("0123-?", "abcdef"),
        warnings={1: ("unseen_category",)},
        shadow=SHADOW,
    )


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 1))
def test_a_probability_and_its_decision_keep_every_bit(probabilities: list[float], threshold: float) -> None:
    loans = [None] * len(probabilities)
    scored = ScoredRecords(
        threshold=threshold, loans=loans, late_probabilities=probabilities, profiles=None, warnings={}
    )
    line = read(members(scored))
    assert line.late_probabilities == tuple(probabilities)
    assert line.is_late == tuple(value >= threshold for value in probabilities)
    assert (line.profiles, line.warnings, line.shadow) == ((), {}, None)


def test_absent_members_are_left_out() -> None:
    document = line_members(model="late-payer", scored=SCORED._replace(profiles=None, warnings={}, shadow=None))
    assert set(document) == {"kind", "model", "threshold", "loans", "late_probabilities", "is_late"}


def test_a_request_that_failed_early_has_its_status_and_problem_and_no_records() -> None:
    document = {name: value for name, value in REQUEST.items() if not name.startswith("model_")}
    line = read(document | {"status": 422, "problem": "invalid-request"} | line_members(model="late-payer"))
    assert (line.status, line.problem, line.alias, line.version) == (422, "invalid-request", None, None)
    assert line.late_probabilities == ()


@pytest.mark.parametrize("outcome", ["failed", "over_budget", "not_loaded"])
def test_a_shadow_without_scores_is_read(outcome: Any) -> None:
    shadow = ShadowEntry(version=4, outcome=outcome, ms=3.0, error="ModelProcessError")
    assert read(members(SCORED._replace(shadow=shadow))).shadow == shadow


def test_lambdas_report_is_read() -> None:
    record = {"requestId": "invocation-1", "metrics": {"durationMs": 29000}, "status": "timeout"}
    line = {"time": "2026-03-12T19:03:58.123Z", "type": "platform.report", "record": record}
    time = datetime(2026, 3, 12, 19, 3, 58, 123000, UTC)
    assert read_line(json.dumps(line)) == PlatformLine(time=time, invocation_id="invocation-1", status="timeout")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Traceback (most recent call last):",
        "[1, 2]",
        '{"message": "alias not read"}',
        '{"kind": "model_refused", "model_version": 4, "error": "ProbeMismatchError"}',
        '{"type": "platform.start", "record": {}}',
        b"\xff\xfe",
        '{"_aws": {}, "ModelLoadTime": [3.0]}',
    ],
)
def test_a_line_about_something_else_is_none(text: Any) -> None:
    assert read_line(text) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"timestamp": "yesterday"}, "'timestamp' isn't a time"),
        ({"timestamp": "2026-03-12T19:03:58"}, "without its zone"),
        ({"status": "200"}, "'status' is of type str, not int"),
        ({"status": True}, "'status' is of type bool, not int"),
        ({"latency_ms": None}, "'latency_ms' is missing"),
        ({"model_version": "three"}, "'model_version' is of type str"),
        ({"late_probabilities": [0.1, "0.5"]}, "'late_probabilities' is of type str"),
        ({"late_probabilities": [0.1, 1.5]}, "isn't between 0 and 1"),
        ({"late_probabilities": [0.1]}, "are of 1 and 2 records"),
        ({"profiles": ["0"]}, "are of 1 and 2 records"),
        ({"profiles": ["01", "0"]}, "'profiles' are of different lengths"),
        ({"profiles": ["0", "!"]}, "'profiles' has a character that stands for nothing"),
        ({"profiles": ["0", "é"]}, "'profiles' has a character that stands for nothing"),
        ({"profiles": ["0", 1]}, "'profiles' is of type int"),
        ({"loans": [1, None]}, "'loans' is of type int"),
        ({"is_late": "0x"}, "isn't a text of 0 and 1"),
        ({"warnings": {"first": []}}, "isn't a record's number"),
        ({"warnings": {"1": "code"}}, "'warnings' is of type str"),
        ({"refused_versions": ["1"]}, "'refused_versions' is of type str"),
        ({"shadow": {"version": 4, "outcome": "hidden", "ms": 1}}, "'outcome' is 'hidden'"),
        ({"shadow": {"version": 4, "outcome": "scored", "ms": 1}}, "are of 0 and 2 records"),
        ({"shadow": []}, "'shadow' is of type list"),
        ({"timestamp": "0001-01-01T00:00:00+23:59"}, "'timestamp' isn't a time"),
        ({"timestamp": "9999-12-31T23:59:59-23:59"}, "'timestamp' isn't a time"),
        ({"model_version": -1}, "'model_version' isn't a version's number"),
        ({"model_version": "0"}, "'model_version' isn't a version's number"),
        ({"model_version": "9" * 30}, "'model_version' isn't a version's number"),
        ({"routed_version": 0}, "'routed_version' isn't a version's number"),
        ({"shadow": {"version": 0, "outcome": "failed", "ms": 1}}, "'version' isn't a version's number"),
        ({"shadow": {"outcome": "failed", "ms": 1}}, "'version' is missing"),
        ({"shadow": {"version": 4, "outcome": "scored", "ms": 1, "late_probabilities": [0, 1]}}, "of 0 and 2 records"),
        ({"warnings": {"1": ["\ud800"]}}, "A code in 'warnings' isn't ASCII"),
    ],
)
def test_a_wrong_member_is_named(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(DamagedLineError, match=fault):
        read_line(json.dumps(members() | change))


@pytest.mark.parametrize(
    "text", ["{", '{"kind": "prediction"', b'{"kind": "\xff"}', '{"a":' * 100_000, '{"kind": "prediction"}']
)
def test_broken_json_is_damage(text: Any) -> None:
    with pytest.raises(DamagedLineError):
        read_line(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "9007199254740992"])
@pytest.mark.parametrize(
    ("member", "change"),
    [
        ("late_probabilities", {"late_probabilities": [0.1, "?"]}),
        ("latency_ms", {"latency_ms": "?"}),
        ("score", {"spans_ms": {"score": "?"}}),
        ("alias_revision", {"alias_revision": "?"}),
        ("ms", {"shadow": {"version": 4, "outcome": "failed", "ms": "?"}}),
    ],
)
def test_a_number_that_no_guard_could_count_is_damage(member: str, change: dict[str, Any], number: str) -> None:
    with pytest.raises(DamagedLineError, match=f"'{member}' is"):
        read_line(json.dumps(members() | change).replace('"?"', number))


def test_a_line_of_a_thousand_records_with_all_warnings_and_a_shadow_stays_below_256_kb() -> None:
    n = 1000
    many = ScoredRecords(
        threshold=0.5,
        loans=["x" * 16] * n,
        late_probabilities=[0.12345678901234567] * n,
        profiles=["0123456789"] * n,
        warnings={index: ["out_of_training_range", "unseen_category"] for index in range(n)},
        shadow=replace(SHADOW, late_probabilities=(0.12345678901234567,) * n, is_late=(True,) * n),
    )
    assert len(to_json(members(many))) < 160_000
    assert len(to_json(members(many._replace(warnings={}, shadow=None)))) < 60_000
