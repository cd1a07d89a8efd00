"""Reading the log: each request once, whatever arrives when; damage is counted and named."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_store import InMemoryStore
from model_registry.errors import StoreUnavailableError
from model_watch.log_objects import MOST_LINE_BYTES, MOST_NAMED
from model_watch.log_reader import LogReader
from model_watch.prediction_log import LogLine, PlatformLine

NOW = datetime(2026, 3, 12, 19, 0, tzinfo=UTC)
TODAY = "log/dt=2026-03-12/"


def request(number: int, time: datetime = NOW) -> dict[str, object]:
    return {
        "kind": "prediction",
        "timestamp": time.isoformat(),
        "invocation_id": f"invocation-{number}",
        "request_id": "the client's",
        "route": "/predict",
        "status": 200,
        "rows": 0,
        "latency_ms": 1.5,
        "spans_ms": {},
        "cold_start": False,
        "model": "late-payer",
    }


def report(number: int) -> dict[str, object]:
    record = {"requestId": f"invocation-{number}", "status": "timeout"}
    return {"type": "platform.report", "time": NOW.isoformat(), "record": record}


def pack(*documents: object) -> bytes:
    return "".join(f"{json.dumps(document)}\n" for document in documents).encode()


class WatchedStore(InMemoryStore):
    """A bucket that tells what is fetched, and doesn't answer for one key or prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.failing = ""

    def get(self, key, **options):
        self._check(key)
        self.fetched.append(key)
        return super().get(key, **options)

    def list_keys(self, prefix):
        self._check(prefix)
        return super().list_keys(prefix)

    def _check(self, key):
        if key == self.failing:
            raise StoreUnavailableError("read", key, "timed out")


class Log:
    """A bucket, and a reader of its log."""

    def __init__(self, **objects: bytes) -> None:
        self.store = WatchedStore()
        self.reader = LogReader(self.store, "late-payer")

    def put(self, key: str, *documents: object) -> None:
        self.store.put(key, gzip.compress(pack(*documents)))

    def read(self, since: datetime = NOW - timedelta(hours=1), until: datetime = NOW) -> list[str]:
        return [line.invocation_id for line in self.reader.read_new(since, until)]


def test_all_kinds_of_lines_are_read_from_packed_and_plain_objects() -> None:
    log = Log()
    log.put(f"{TODAY}1.gz", request(1), report(2))
    log.store.put(f"{TODAY}2.json", pack(request(3)))
    lines = list(log.reader.read_new(NOW, NOW))
    assert [type(line) for line in lines] == [LogLine, PlatformLine, LogLine]
    assert log.read() == []


def test_requests_of_another_model_are_left_out() -> None:
    log = Log()
    log.put(f"{TODAY}1.gz", request(1) | {"model": "early-payer"}, request(2), report(3))
    assert log.read() == ["invocation-2", "invocation-3"]
    assert not log.reader.damage.lines


@pytest.mark.fault(29)
@given(st.lists(st.lists(st.integers(0, 20), max_size=6), max_size=8), st.data())
def test_each_request_is_read_once_in_whichever_order_and_however_often_it_is_delivered(batches, data) -> None:
    log, read = Log(), []
    for number, batch in enumerate(data.draw(st.permutations(batches))):
        day = data.draw(st.sampled_from(["2026-03-11", "2026-03-12", "2026-03-13"]))
        log.put(f"log/dt={day}/{number}.gz", *map(request, batch))
        if data.draw(st.booleans()):
            read += log.read()
    read += log.read()
    assert sorted(read) == sorted({f"invocation-{number}" for batch in batches for number in batch})
    assert log.reader.damage.lines == 0


def test_a_request_that_crashed_after_its_line_has_two_lines() -> None:
    log = Log()
    log.put(f"{TODAY}1.gz", request(1), report(1), report(1))
    assert log.read() == ["invocation-1", "invocation-1"]


@pytest.mark.fault(29)
def test_damaged_lines_are_counted_and_named_and_others_are_left_out() -> None:
    log = Log()
    damaged = b'START RequestId: 1\n\n{"level": "INFO"}\n{"kind": "prediction"}\n' + pack(request(1)) + b'{"kind": "pre'
    log.store.put(f"{TODAY}a", damaged)
    log.store.put(f"{TODAY}b", b"\xff" * 10 + b"\n{\xff}\n" + pack(request(2)))
    log.store.put(f"{TODAY}c", b'{"' + b"x" * (2 * MOST_LINE_BYTES) + b"\n" + pack(request(3)))
    assert log.read() == ["invocation-1", "invocation-2", "invocation-3"]
    assert log.reader.damage.lines == 4
    assert log.reader.damage.objects == {
        f"{TODAY}a": "'timestamp' is missing.",
        f"{TODAY}b": "The line isn't JSON: UnicodeDecodeError.",
        f"{TODAY}c": "The line has more than 1,048,576 bytes.",
    }


@pytest.mark.fault(29)
@pytest.mark.parametrize("cut", [1, 8, 200])
def test_of_an_object_that_breaks_off_the_whole_lines_are_taken(cut: int) -> None:
    log = Log()
    packed = gzip.compress(pack(*map(request, range(200))), compresslevel=0)
    log.store.put(f"{TODAY}cut.gz", packed[:-cut])
    log.store.put(f"{TODAY}flipped.gz", packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:])
    log.put(f"{TODAY}whole.gz", request(500))
    read = log.read()
    assert len(read) >= 198
    assert read[-1] == "invocation-500"
    assert set(log.reader.damage.objects) == {f"{TODAY}cut.gz", f"{TODAY}flipped.gz"}
    assert log.reader.damage.objects[f"{TODAY}cut.gz"].startswith("It can't be unpacked to its end: ")


def test_no_more_than_a_hundred_damaged_objects_are_named() -> None:
    log = Log()
    for number in range(MOST_NAMED + 5):
        log.store.put(f"{TODAY}{number}", b"{")
    log.read()
    assert (log.reader.damage.lines, len(log.reader.damage.objects)) == (MOST_NAMED + 5, MOST_NAMED)


@pytest.mark.fault(33)
def test_a_line_belongs_to_its_own_time_whichever_day_it_is_delivered_under() -> None:
    log = Log()
    midnight = datetime(2026, 3, 12, tzinfo=UTC)
    times = [midnight + timedelta(minutes=minutes) for minutes in (-61, -1, 0, 1, 61)]
    log.put("log/dt=2026-03-11/1.gz", request(0, times[0]), request(3, times[3]), request(4, times[4]))
    log.put("log/dt=2026-03-12/1.gz", request(1, times[1]), request(2, times[2]))
    assert sorted(log.read(since=midnight)) == ["invocation-2", "invocation-3", "invocation-4"]


@pytest.mark.fault(33)
def test_a_day_of_23_or_25_hours_loses_nothing() -> None:
    # The clocks go forward on 29 March 2026 in Central Europe; a line may have its own zone.
    log = Log()
    for number, text in enumerate(
        ["2026-03-29T01:59:59+01:00", "2026-03-29T03:00:00+02:00", "2026-03-28T20:00:00-05:00"]
    ):
        log.put(f"log/dt=2026-03-29/{number}.gz", request(number, datetime.fromisoformat(text)))
    since = datetime.fromisoformat("2026-03-29T02:59:59+02:00")
    until = datetime.fromisoformat("2026-03-29T04:00:00+02:00")
    assert log.read(since, until) == ["invocation-0", "invocation-1", "invocation-2"]


def test_objects_of_the_day_before_may_arrive_late() -> None:
    log = Log()
    assert log.read() == []
    log.put("log/dt=2026-03-11/late.gz", request(1))
    assert log.read() == ["invocation-1"]


def test_objects_of_a_day_that_was_today_when_it_was_last_listed_are_read_later() -> None:
    log = Log()
    log.put(f"{TODAY}1.gz", request(1))
    assert log.read() == ["invocation-1"]
    log.put(f"{TODAY}2.gz", request(2))
    log.put("log/dt=2026-03-13/3.gz", request(3))
    assert log.read(until=NOW + timedelta(days=5)) == ["invocation-2", "invocation-3"]


def test_objects_are_fetched_one_by_one_and_a_reading_that_stops_midway_is_gone_on_with() -> None:
    log = Log()
    log.put(f"{TODAY}1.gz", *map(request, range(3)))
    log.put(f"{TODAY}2.gz", *map(request, range(3, 6)))
    lines = log.reader.read_new(NOW, NOW)
    assert [next(lines).invocation_id for _ in range(2)] == ["invocation-0", "invocation-1"]
    assert log.store.fetched == [f"{TODAY}1.gz"]
    del lines
    assert log.read() == [f"invocation-{number}" for number in range(2, 6)]


def test_earlier_days_are_listed_once() -> None:
    log = Log()
    since = NOW - timedelta(days=10)
    assert log.read(since) == []
    log.put("log/dt=2026-03-04/too-late.gz", request(1))
    assert log.read(since) == []


def test_an_object_whose_name_says_that_it_is_earlier_is_not_fetched() -> None:
    log = Log()
    log.store.put(f"{TODAY}PredictLog-1-2026-03-12-10-00-00-abc.gz", b"{")
    log.put(f"{TODAY}PredictLog-1-2026-03-12-18-30-00-abc.gz", request(1))
    log.put(f"{TODAY}PredictLog-1-2026-13-99-18-30-00-abc.gz", request(2))
    assert log.read(since=NOW) == ["invocation-1", "invocation-2"]
    assert log.reader.damage.lines == 0


@pytest.mark.parametrize("failing", ["log/dt=2026-03-04/2.gz", "log/dt=2026-03-05/"])
def test_what_was_read_before_the_bucket_stopped_answering_is_not_lost_and_the_rest_comes_later(failing) -> None:
    log = Log()
    since = NOW - timedelta(days=9)
    for number, day in enumerate(["04", "04", "05"], start=1):
        log.put(f"log/dt=2026-03-{day}/{number}.gz", request(number))
    log.store.failing = failing
    before: list[str] = []
    for _ in range(2):
        lines = map(attrgetter("invocation_id"), log.reader.read_new(since, NOW))
        with pytest.raises(StoreUnavailableError):
            before += lines
    assert before[0] == "invocation-1"
    log.store.failing = ""
    assert [*before, *log.read(since)] == ["invocation-1", "invocation-2", "invocation-3"]
