"""Counting a day from the bucket: each line under its own day, each request once, damage counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_texts import MODEL, NOON, log_text, pack, report_text
from memory_store import InMemoryStore
from model_registry.errors import StoreUnavailableError
from model_watch.folding import day_lines
from model_watch.folding.day_fold import fold_day, fold_days
from model_watch.folding.line_tally import fold
from model_watch.log_objects import MOST_LINE_BYTES, list_day
from model_watch.log_reader import LogReader
from model_watch.tally import DayTally

DAY = NOON.date()
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)
MIDNIGHT = datetime(2026, 3, 12, tzinfo=UTC)


class Log:
    """A bucket with a log."""

    def __init__(self) -> None:
        self.store = InMemoryStore()

    def put(self, folder: date, name: str, *texts: bytes) -> None:
        self.store.put(f"log/dt={folder}/{name}.gz", pack(texts))

    def fold(self, day: date = DAY) -> DayTally:
        return fold_day(self.store, MODEL, day)

    def fold_all(self, *days: date) -> list[DayTally]:
        folders = {
            day + timedelta(beside): list_day(self.store, day + timedelta(beside))
            for day in days
            for beside in (-1, 0, 1)
        }
        return list(fold_days(self.store, MODEL, days, folders))


def requests(tally: DayTally) -> int:
    return sum(version.requests for version in tally.versions.values())


def text(number: int) -> bytes:
    """Return one of a few lines; those of one number are the same."""
    at = [MIDNIGHT, NOON, NOON + timedelta(days=1)][number % 3]
    return log_text(number, at, records=[1, 1, 3][number // 3 % 3]) if number % 5 else report_text(number, at)


@pytest.mark.fault(29)
@given(st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=5), st.data())
def test_each_request_is_counted_once_in_whichever_order_and_however_often_it_is_delivered(batches, data) -> None:
    log, once = Log(), Log()
    for number, batch in enumerate(data.draw(st.permutations(batches + batches[:2]))):
        folder = data.draw(st.sampled_from([DAY, AFTER]))
        log.put(folder, str(number), *map(text, batch))
    once.put(DAY, "once", *{text(number) for batch in batches for number in batch})
    reader = LogReader(once.store, MODEL)
    expected = fold(reader.read_new(MIDNIGHT - timedelta(days=1), NOON + timedelta(days=2)))
    for tally in log.fold_all(DAY, AFTER):
        assert tally == expected.get(tally.day, DayTally(tally.day))
        assert tally == log.fold(tally.day)


def test_repeated_lines_are_known_across_batches_and_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_lines, "_BATCH_BYTES", 1)
    log = Log()
    texts = [log_text(1), log_text(2, records=4), report_text(1), log_text(1), report_text(1), log_text(2, records=4)]
    log.put(DAY, "1", *texts)
    log.put(DAY, "2", *texts)
    tally = log.fold()
    assert (requests(tally), tally.versions[3].records, tally.crashes) == (2, 5, 1)


def test_a_line_that_is_read_quickly_and_one_that_is_not_are_known_to_be_one_request() -> None:
    log = Log()
    log.put(DAY, "1", log_text(1), log_text(1).replace(b'"level":"INFO"', b'"level": "INFO"'))
    assert requests(log.fold()) == 1


def test_of_different_lines_of_one_request_the_first_one_counts_however_they_are_batched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [log_text(1, version=version, records=records) for records in (1, 4) for version in (2, 3)]
    for first in lines:
        log = Log()
        log.put(DAY, "1", first, *lines)
        expected = fold(LogReader(log.store, MODEL).read_new(MIDNIGHT, NOON))[DAY]
        once = Log()
        once.put(DAY, "1", first)
        assert log.fold() == once.fold() == expected
        with monkeypatch.context() as patch:
            patch.setattr(day_lines, "_BATCH_BYTES", 1)
            assert log.fold() == expected


@pytest.mark.fault(33)
@pytest.mark.parametrize("minutes", [-61, -1, 0, 1, 61])
def test_a_line_counts_for_its_own_day_though_the_clock_is_an_hour_off(minutes: int) -> None:
    log = Log()
    at = MIDNIGHT + timedelta(minutes=minutes)
    for number, folder in enumerate((BEFORE, DAY)):
        log.put(folder, "1", log_text(number, at), log_text(10 + number, at, records=2))
    assert [requests(tally) for tally in log.fold_all(BEFORE, DAY)] == ([4, 0] if minutes < 0 else [0, 4])
    assert requests(log.fold(at.date())) == 4


def test_objects_that_arrive_on_the_next_day_count_and_those_of_two_days_later_do_not() -> None:
    log = Log()
    log.put(AFTER, "1", log_text(1))
    log.put(AFTER + timedelta(days=1), "1", log_text(2))
    assert requests(log.fold()) == 1


def test_an_object_whose_name_says_that_it_is_earlier_is_not_fetched() -> None:
    log = Log()
    log.store.put(f"log/dt={BEFORE}/PredictLog-1-2026-03-11-20-00-00-abc.gz", b"{")
    log.put(BEFORE, "PredictLog-1-2026-03-11-23-00-00-abc", log_text(1))
    assert (requests(log.fold()), log.fold().damaged) == (1, 0)


def test_requests_of_another_model_and_lines_about_something_else_are_left_out() -> None:
    log = Log()
    log.put(
        DAY, "1", log_text(1, model="early-payer"), b'{"message": "model loaded"}', b"START", b"", b"  ", log_text(2)
    )
    assert log.fold() == fold(LogReader(log.store, MODEL).read_new(MIDNIGHT, NOON))[DAY]
    assert requests(log.fold()) == 1


@pytest.mark.fault(29)
def test_damaged_lines_and_objects_count_for_the_day_of_their_arrival() -> None:
    log = Log()
    log.put(
        DAY,
        "1",
        log_text(1),
        log_text(2)[:-5],
        log_text(3, profiles=["!"]),
        b'{"' + b"x" * MOST_LINE_BYTES,
        log_text(4),
    )
    broken = pack([log_text(5), log_text(6)])[:-8]
    log.store.put(f"log/dt={DAY}/2.gz", broken)
    log.put(AFTER, "1", b"{")
    assert [tally.damaged for tally in log.fold_all(BEFORE, DAY, AFTER)] == [0, 4, 1]
    assert requests(log.fold()) == 4


def test_days_with_a_gap_between_them_are_yielded_in_their_order() -> None:
    log = Log()
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=5)]
    for number, day in enumerate(days):
        log.put(day, "1", *[log_text(n, NOON + (day - DAY)) for n in range(number + 1)])
    assert [(tally.day, requests(tally)) for tally in log.fold_all(*days)] == list(zip(days, [1, 2, 3], strict=True))
    assert log.fold_all() == []


def test_each_object_is_fetched_once_for_all_days() -> None:
    fetched: list[str] = []

    class Watched(InMemoryStore):
        def get(self, key: str, **options: Any) -> Any:
            fetched.append(key)
            return super().get(key, **options)

    log = Log()
    log.store = Watched()
    for day in (BEFORE, DAY, AFTER):
        log.put(day, "1", log_text(1, NOON + (day - DAY)))
    log.fold_all(BEFORE, DAY, AFTER)
    assert len(fetched) == len(set(fetched)) == 3


def test_a_bucket_that_stops_answering_is_no_empty_day() -> None:
    class Failing(InMemoryStore):
        def get(self, key: str, **_options: Any) -> Any:
            raise StoreUnavailableError("read", key, "timed out")

    log = Log()
    log.store = Failing()
    log.put(DAY, "1", log_text(1))
    with pytest.raises(StoreUnavailableError):
        log.fold()
