"""The requests of a period are read from the log, each once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from memory_store import InMemoryStore
from peerloan.errors import UsageError
from peerloan.logged.period import read_predictions

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
            "model": "late-payer",
        }
    )


def read(store: InMemoryStore, period: str) -> list[str]:
    workplace: Any = SimpleNamespace(clock=lambda: NOW, log_store=lambda: store, model="late-payer")
    return [line.invocation_id for line in read_predictions(workplace, period, "--log")]


def test_each_request_of_the_period_is_read_once() -> None:
    store = InMemoryStore()
    for number in range(12):
        time = NOW - timedelta(days=number)
        text = line_of(number, time)
        store.put(f"log/dt={time.date()}/{number}.jsonl", text.encode())
        # Delivered again, and in the next day's folder.
        store.put(f"log/dt={time.date() + timedelta(days=1)}/again-{number}.jsonl", text.encode())
    assert sorted(read(store, "7d")) == [f"call-{number}" for number in range(8)]


def test_damage_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    store = InMemoryStore()
    store.put(f"log/dt={NOW.date()}/1.jsonl", b'{"kind": "prediction"}\n' + line_of(1, NOW).encode())
    assert read(store, "1h") == ["call-1"]
    said = capsys.readouterr().err
    assert said.startswith("1 damaged lines of the log were left out, of 1 objects:\n  log/dt=2026-03-10/1.jsonl: ")


def test_a_period_may_be_as_long_as_the_log_is_kept() -> None:
    store = InMemoryStore()
    for number, age in enumerate([timedelta(minutes=20), timedelta(hours=20), timedelta(days=20), timedelta(days=399)]):
        store.put(f"log/dt={(NOW - age).date()}/{number}.jsonl", line_of(number, NOW - age).encode())
    assert [len(read(store, period)) for period in ("30m", "24h", "30d", "400d", "9999d")] == [1, 2, 3, 4, 4]


@pytest.mark.parametrize("period", ["", "7", "0d", "10000d", "1d12h", "a week"])
def test_another_text_is_no_period(period: str) -> None:
    with pytest.raises(UsageError, match=r"--log .*isn't a period"):
        read(InMemoryStore(), period)
