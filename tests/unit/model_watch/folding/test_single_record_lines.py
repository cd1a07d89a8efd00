"""The quick reader of lines with one record counts what the full reader counts, or leaves the line to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_texts import MODEL, log_text
from model_watch.folding.line_tally import fold
from model_watch.folding.single_record_lines import Columns, SingleRecordLines, count_single_records
from model_watch.prediction_log import SHADOW_OUTCOMES, LogLine, read_line
from model_watch.tally import VersionTally

LINES = SingleRecordLines(MODEL)
TEXTS = [
    log_text(1),
    log_text(2, warnings={"0": ["unseen_category", "out_of_range"]}),
    *[log_text(number, shadow=outcome) for number, outcome in enumerate(SHADOW_OUTCOMES, start=3)],
    log_text(9, key=None, rollout=None, routed_version=None, loans=[None], xray_trace_id="1-2-3"),
    log_text(10, late_probabilities=[1e-7], is_late="0", latency_ms=0, spans_ms={"score": 0}),
    log_text(11, late_probabilities=[1], is_late="1"),
]

PIECES = [b"", b"0", b"9", b"-", b"e", b".", b'"', b",", b"\\", b"}", b"]", b" ", b"\xff"]


def read_both_ways(text: bytes) -> tuple[VersionTally, VersionTally]:
    """Return what the quick and the full reader count of a line that the quick one recognises."""
    found = LINES.find(text)
    assert found is not None
    version, record = found
    line = read_line(text)
    assert isinstance(line, LogLine)
    assert line.is_of(MODEL)
    assert line.invocation_id.encode() == record[1]
    columns = Columns.of([record])
    assert f"{columns.time[0].decode()}+00:00" == line.time.isoformat(timespec="milliseconds")
    assert [loan.decode() or None for loan in columns.loan] == list(line.loans)
    day = line.time.date()
    return count_single_records([record]), fold([line])[day].versions[version]


@pytest.mark.parametrize("text", TEXTS)
def test_what_the_function_writes_is_recognised_and_counted_alike(text: bytes) -> None:
    if b"xray" in text:
        text = text.replace(b',"xray_trace_id":"1-2-3"', b"").replace(b',"kind":', b',"xray_trace_id":"1-2-3","kind":')
    quick, full = read_both_ways(text)
    assert quick == full


def test_many_lines_are_counted_as_one_by_one() -> None:
    texts = [log_text(number, shadow=[None, "scored", "failed"][number % 3]) for number in range(300)]
    found = [LINES.find(text) for text in texts]
    (tally,) = fold(map(read_line, texts)).values()
    assert count_single_records([record for _, record in found]) == tally.versions[3]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 500},
        {"status": 413},
        {"rows": 2},
        {"routed_version": 0},
        {"shadow": {"version": 0, "outcome": "failed", "ms": 1}},
        {"model": "early-payer"},
        {"timestamp": "2026-02-29T12:00:00.000+00:00"},
        {"timestamp": "2026-03-12T24:00:00.000+00:00"},
        {"timestamp": "2026-03-12T12:00:00.000+01:00"},
        {"timestamp": "0000-03-12T12:00:00.000+00:00"},
        {"invocation_id": 'a"b'},
        {"invocation_id": "é"},
        {"late_probabilities": [1.5]},
        {"late_probabilities": [10]},
        {"late_probabilities": [True]},
        {"late_probabilities": []},
        {"is_late": "01"},
        {"latency_ms": 2**53},
        {"latency_ms": -1},
        {"loans": []},
        {"profiles": ["012!"]},
        {"profiles": ["0", "1"]},
        {"warnings": {"1": ["x"]}},
        {"refused_versions": [4]},
        {"shadow": {"version": 4, "outcome": "scored", "ms": 1}},
        {"shadow": {"version": 4, "outcome": "hidden", "ms": 1}},
    ],
)
def test_other_lines_are_left_to_the_full_reader(changes: dict[str, Any]) -> None:
    assert LINES.find(log_text(1, **changes)) is None


@pytest.mark.parametrize("records", [0, 2, 1000])
def test_lines_of_several_records_are_left_to_the_full_reader(records: int) -> None:
    assert LINES.find(log_text(1, records=records)) is None


@pytest.mark.parametrize(
    "head",
    [
        b'"shadow":{"version":9,"outcome":"failed","ms":1}',
        b'"profiles":["0"]',
        b'"warnings":{"0":["x"]}',
        b'"stack":"x"x',
        b'"stack":"\xff"',
        b'"problem":5',
        b'"model_version":"x"',
    ],
)
@pytest.mark.parametrize("is_known", [False, True])
def test_a_head_with_anything_else_in_it_is_left_to_the_full_reader(head: bytes, *, is_known: bool) -> None:
    lines = SingleRecordLines(MODEL)
    if is_known:
        assert lines.find(log_text(1))
    for text in [log_text(1), log_text(2)]:
        assert lines.find(text.replace(b',"level":', b"," + head + b',"level":')) is None


@pytest.mark.parametrize("digits", [b"0773273601000", b"177327360100x", b"17732736010000", b"-773273601000", b""])
def test_the_time_in_the_head_must_be_a_number_of_thirteen_digits_to_be_known(digits: bytes) -> None:
    lines = SingleRecordLines(MODEL)
    text = log_text(1)
    assert lines.find(text)
    at = len(b'{"_aws":{"Timestamp":')
    other = text[:at] + digits + text[at + 13 :]
    found = lines.find(other)
    try:
        json.loads(other)
    except ValueError:
        assert found is None
    else:
        assert found == lines.find(text)


@given(st.sampled_from(TEXTS), st.data())
def test_a_line_that_was_tampered_with_is_counted_alike_or_left(text: bytes, data: Any) -> None:
    changed = bytearray(text)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(changed) - 1))
        length = data.draw(st.integers(0, 3))
        piece = data.draw(
            st.sampled_from([b"", b"0", b"9", b"-", b"e", b".", b'"', b",", b"\\", b"}", b"]", b"\xff", b" "])
        )
        changed[place : place + length] = piece
    if LINES.find(bytes(changed)) is not None:
        quick, full = read_both_ways(bytes(changed))
        assert quick == full


@given(st.floats(0, 1), st.floats(0, 1e6), st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_numbers_and_days_are_counted_as_the_full_reader_reads_them(probability, latency_ms, at) -> None:
    text = log_text(1, NOON, late_probabilities=[probability], latency_ms=latency_ms, timestamp=stamp(at))
    if LINES.find(text) is not None:
        quick, full = read_both_ways(text)
        assert quick == full
    elif probability > 1e-4 and latency_ms > 1e-3 and at.year > 999:
        assert (at.month, at.day) == (2, 29)


NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)


def stamp(at: datetime) -> str:
    return at.replace(tzinfo=UTC).isoformat(timespec="milliseconds")
