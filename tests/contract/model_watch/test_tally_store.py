"""Days' tallies in every kind of store: counted again only where the log has changed, the same after any cut."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from log_texts import MODEL, NOON, log_text, pack, report_text
from model_registry import names
from model_registry.errors import InvalidNameError, StoreUnavailableError
from model_registry.stores.base import ObjectStore
from model_watch.folding.day_fold import fold_day
from model_watch.tally import DayTally
from model_watch.tally_store import InvalidTallyError, refresh

FIRST = NOON.date()
DAYS = [FIRST + timedelta(days=number) for number in range(4)]


class Watched:
    """A store that tells which objects were read and written; it is cut off after so many writes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.read: list[str] = []
        self.written: list[str] = []
        self.most_writes: int | None = None

    def get(self, key: str, **options: Any) -> Any:
        self.read.append(key)
        return self._store.get(key, **options)

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if self.most_writes is not None and len(self.written) >= self.most_writes:
            raise StoreUnavailableError("write", key, "cut off")
        self.written.append(key)
        return self._store.put(key, body, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read_of_the_log(self) -> list[str]:
        read, self.read = self.read, []
        return [key for key in read if key.startswith("log/")]


@pytest.fixture
def watched(store: ObjectStore) -> Watched:
    """A store with a log of four days: two requests, a batch and a crash each."""
    watched = Watched(store)
    for number, day in enumerate(DAYS):
        deliver(watched, day, "1", 10 * number)
    watched.written.clear()
    return watched


def deliver(store: Any, day: date, name: str, number: int, folder: date | None = None) -> None:
    at = NOON + (day - FIRST)
    texts = [
        log_text(number, at),
        log_text(number + 1, at),
        log_text(number + 2, at, records=5),
        report_text(number, at),
    ]
    store.put(f"log/dt={folder or day}/{name}.gz", pack(texts))


def look(store: Any, since: date = FIRST, until: date = DAYS[-1]) -> list[DayTally]:
    return refresh(store, store, MODEL, since, until)


def requests(tallies: list[DayTally]) -> list[int]:
    return [sum(version.requests for version in tally.versions.values()) for tally in tallies]


def test_days_before_the_first_one_are_kept_but_not_counted_again(watched: Watched) -> None:
    tallies = look(watched)
    deliver(watched, DAYS[0], "late", 90)

    assert look(watched, since=DAYS[2]) == tallies


def test_each_day_is_counted_and_kept_and_the_log_is_not_read_again(watched: Watched) -> None:
    tallies = look(watched)
    assert tallies == [fold_day(watched, MODEL, day) for day in DAYS]
    assert requests(tallies) == [3, 3, 3, 3]
    assert watched.written == [names.monitor_day_key(MODEL, day) for day in DAYS]
    watched.read_of_the_log()
    assert look(watched) == tallies
    assert watched.read_of_the_log() == []
    assert len(watched.written) == len(DAYS)


def test_a_late_object_has_its_day_and_those_beside_it_counted_again(watched: Watched) -> None:
    look(watched)
    deliver(watched, DAYS[1], "late", 100)
    watched.read_of_the_log()
    watched.written.clear()
    assert requests(look(watched)) == [3, 6, 3, 3]
    assert watched.written == [names.monitor_day_key(MODEL, day) for day in DAYS[:3]]
    read = watched.read_of_the_log()
    assert len(read) == len(set(read)) == 5


def test_what_arrives_the_day_after_or_twice_is_counted_once(watched: Watched) -> None:
    look(watched)
    deliver(watched, DAYS[0], "again", 0, folder=DAYS[1])
    deliver(watched, DAYS[0], "more", 50, folder=DAYS[1])
    assert requests(look(watched)) == [6, 3, 3, 3]


def test_a_day_whose_objects_have_expired_keeps_its_tally(watched: Watched) -> None:
    before = look(watched)
    for day in DAYS[:2]:
        watched.delete(f"log/dt={day}/1.gz")
        assert look(watched) == before


def test_a_day_that_goes_on_is_counted_though_an_object_beside_it_was_deleted(watched: Watched) -> None:
    look(watched)
    watched.delete(f"log/dt={DAYS[2]}/1.gz")
    deliver(watched, DAYS[3], "2", 100)
    assert requests(look(watched)) == [3, 3, 0, 6]


def test_as_many_other_objects_are_counted(watched: Watched) -> None:
    look(watched)
    watched.delete(f"log/dt={DAYS[3]}/1.gz")
    deliver(watched, DAYS[3], "2", 100)
    deliver(watched, DAYS[3], "3", 200, folder=DAYS[3] + timedelta(days=1))
    assert requests(look(watched)) == [3, 3, 3, 6]


def test_a_day_without_lines_is_empty_and_not_kept(store: ObjectStore) -> None:
    assert look(store) == [DayTally(day) for day in DAYS]
    assert store.list_keys("") == []
    assert look(store, until=FIRST - timedelta(days=1)) == []


def test_deleted_tallies_are_made_again(watched: Watched) -> None:
    before = look(watched)
    for key in watched.list_keys(names.monitor_days_prefix(MODEL)):
        watched.delete(key)
    assert look(watched) == before


@pytest.mark.parametrize("writes", range(4))
def test_cut_off_between_any_two_writes_it_ends_the_same_when_it_runs_again(watched: Watched, writes: int) -> None:
    watched.most_writes = writes
    with pytest.raises(StoreUnavailableError):
        look(watched)
    assert len(watched.written) == writes
    watched.most_writes = None
    assert look(watched) == [fold_day(watched, MODEL, day) for day in DAYS]
    assert watched.written == [names.monitor_day_key(MODEL, day) for day in DAYS]


def test_the_same_log_makes_the_same_bytes(watched: Watched) -> None:
    look(watched)
    keys = watched.list_keys(names.monitor_days_prefix(MODEL))
    before = [watched.get(key).body for key in keys]
    for key in keys:
        watched.delete(key)
    look(watched)
    assert [watched.get(key).body for key in keys] == before


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"format": 2}, "its format is 2, this code reads up to 1: update this software"),
        ({"format": None}, "'format' isn't a whole number"),
        ({"model": "early-payer"}, "it is of 2026-03-12 of model 'early-payer'"),
        ({"folders": {"yesterday": {"objects": 1, "sha256": ""}}}, "Invalid isoformat string"),
        ({"folders": None}, "'folders' isn't an object"),
        ({"tally": {}}, "is missing in 'tally'"),
    ],
)
def test_a_damaged_tally_is_refused_with_what_to_do(store: ObjectStore, change: dict[str, Any], fault: str) -> None:
    deliver(store, FIRST, "1", 1)
    look(store)
    key = names.monitor_day_key(MODEL, FIRST)
    store.put(key, json.dumps(json.loads(store.get(key).body) | change).encode())
    with pytest.raises(InvalidTallyError, match=f"'{key}' can't be used: .*{fault}.* delete it") as caught:
        look(store)
    assert caught.value.__cause__
    store.delete(key)
    assert requests(look(store))[0] == 3


def test_a_models_name_that_is_not_one_is_refused(store: ObjectStore) -> None:
    with pytest.raises(InvalidNameError):
        refresh(store, store, "../x", FIRST, FIRST)
