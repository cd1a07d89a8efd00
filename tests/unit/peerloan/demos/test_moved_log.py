"""Moved log lines keep everything but their times, and each new day gets its share of the records."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from memory_store import InMemoryStore
from model_watch.log_reader import LogReader
from model_watch.prediction_log import LogLine, PlatformLine
from peerloan.demos.moved_log import FreshLog

NOW = datetime(2026, 3, 12, 23, 59, tzinfo=UTC)
FIRST = date(2024, 1, 2)
DAYS = 4


def request(number: int, records: int = 1, **members: Any) -> bytes:
    document = {
        "level": "INFO",
        "timestamp": (NOW + timedelta(seconds=number)).isoformat(timespec="milliseconds"),
        "kind": "prediction",
        "invocation_id": f"invocation-{number}",
        "request_id": f"request-{number}",
        "route": "/predict",
        "status": 200,
        "latency_ms": 1.5,
        "rows": records,
        "cold_start": False,
        "model": "late-payer",
        "model_version": "1",
        "threshold": 0.05,
        "loans": [f"{number:06d}-{record:09d}" for record in range(records)],
        "late_probabilities": [0.01] * records,
        "is_late": "0" * records,
        **members,
    }
    return json.dumps(document).encode()


def crash(number: int) -> bytes:
    record = {"requestId": f"invocation-{number}", "status": "timeout"}
    time = (NOW + timedelta(seconds=number)).isoformat()
    return json.dumps({"time": time, "type": "platform.report", "record": record}).encode()


def put(store: InMemoryStore, name: str, *lines: bytes, day: str = "2026-03-12") -> None:
    store.put(f"log/dt={day}/{name}.jsonl.gz", gzip.compress(b"\n".join(lines) + b"\n"))


def read(store: InMemoryStore) -> list[LogLine | PlatformLine]:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    return list(LogReader(store, "late-payer").read_new(since, datetime(2024, 1, 10, tzinfo=UTC)))


def moved(store: InMemoryStore) -> list[LogLine | PlatformLine]:
    log = FreshLog(store, lambda: NOW)
    log.count_requests()
    log.move(FIRST, DAYS)
    return read(store)


def test_requests_are_counted_once_wherever_they_arrive() -> None:
    store = InMemoryStore()
    log = FreshLog(store, lambda: NOW)
    assert log.count_requests() == 0
    put(store, "a", request(1), request(2), b"not json", b'{"kind": "other"}', crash(2))
    assert log.count_requests() == 2
    put(store, "b", request(3), day="2026-03-13")
    assert log.count_requests() == 3
    assert log.count_requests() == 3


def test_every_day_gets_about_as_many_records_in_the_order_of_time() -> None:
    store = InMemoryStore()
    # The first hundred requests are of one record, the others of a hundred.
    put(store, "late", *(request(number, 100) for number in range(100, 139)))
    put(store, "early", *(request(number) for number in range(100)))
    lines = [line for line in moved(store) if isinstance(line, LogLine)]
    by_day = {FIRST + timedelta(days=day): 0 for day in range(DAYS)}
    for line in lines:
        by_day[line.time.date()] += len(line.loans)
    assert sum(by_day.values()) == 4_000
    assert all(900 <= records <= 1_100 for records in by_day.values())
    in_time = sorted(lines, key=lambda line: line.time)
    assert [line.invocation_id for line in in_time] == [f"invocation-{number}" for number in range(139)]


def test_only_the_times_change_and_no_line_stays_behind() -> None:
    store = InMemoryStore()
    problem = '"timestamp":"1999-01-01T00:00:00+00:00"'
    put(store, "a", request(1, problem=problem), crash(2))
    first, second = moved(store)
    assert isinstance(first, LogLine)
    assert (first.time.date(), first.loans, first.problem) == (FIRST, ("000001-000000000",), problem)
    assert isinstance(second, PlatformLine)
    assert (second.invocation_id, second.status) == ("invocation-2", "timeout")
    assert FIRST <= second.time.date() < FIRST + timedelta(days=DAYS)
    assert all(key.startswith("log/dt=2024-01-") for key in store.list_keys("log/"))


def test_a_second_move_takes_what_came_since() -> None:
    store = InMemoryStore()
    log = FreshLog(store, lambda: NOW)
    put(store, "a", request(1))
    log.count_requests()
    log.move(FIRST, DAYS)
    put(store, "b", request(2))
    assert log.count_requests() == 1
    log.move(date(2024, 4, 21), DAYS)
    assert [line.invocation_id for line in read(store)] == ["invocation-1"]
    assert store.list_keys("log/dt=2024-04-21/")
    log.move(date(2024, 8, 9), DAYS)
    assert not store.list_keys("log/dt=2024-08-09/")
