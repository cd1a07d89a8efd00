"""The log is read a day at a time, each request once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from memory_store import InMemoryStore
from model_watch.log_reader import LogReader
from peerloan.errors import UsageError
from peerloan.logged.days import note_damage, read_period, read_predictions

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def line_of(number: int, time: datetime) -> str:
    return json.dumps(
        {
            "kind": "prediction",
            "timestamp": time.isoformat(),
            "invocation_id": f"call-{number}",
            "request_id": "r",
            "route": "/predict",
            "status": 200,
            "latency_ms": 1.0,
            "rows": 0,
            "cold_start": False,
        }
    )


def test_each_request_of_the_period_is_read_once() -> None:
    store = InMemoryStore()
    for number in range(12):
        time = NOW - timedelta(days=number)
        text = line_of(number, time)
        store.put(f"log/dt={time.date()}/{number}.jsonl", text.encode())
        # Delivered again, and in the next day's folder.
        store.put(f"log/dt={time.date() + timedelta(days=1)}/again-{number}.jsonl", text.encode())
    read = list(read_predictions(LogReader(store), NOW - timedelta(days=7, hours=1), NOW))
    assert sorted(line.invocation_id for line in read) == [f"call-{number}" for number in range(8)]


def test_damage_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    store = InMemoryStore()
    store.put(f"log/dt={NOW.date()}/1.jsonl", b'{"kind": "prediction"}\n' + line_of(1, NOW).encode())
    reader = LogReader(store)
    assert len(list(read_predictions(reader, NOW - timedelta(hours=1), NOW))) == 1
    note_damage(reader)
    said = capsys.readouterr().err
    assert said.startswith("1 damaged lines of the log were left out, of 1 objects:\n  log/dt=2026-03-10/1.jsonl: ")


def test_a_period_is_read() -> None:
    assert read_period("7d", "--log") == timedelta(days=7)
    for text in ("", "7", "0d", "31d", "a week"):
        with pytest.raises(UsageError, match=r"--log .*isn't a period"):
            read_period(text, "--log")
