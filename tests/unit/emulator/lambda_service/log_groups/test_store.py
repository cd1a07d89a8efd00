"""What the log store keeps, and how it is read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.log_groups.segments import Place
from emulator.lambda_service.log_groups.store import LogStore

GROUP = "/aws/lambda/hello"


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[..., LogStore]]:
    """Return a function that opens a store whose clock goes on by a second with each output."""
    stores: list[LogStore] = []
    clock = itertools.count(1000)

    def _open(**options: Any) -> LogStore:
        stores.append(LogStore(tmp_path / "logs", lambda: next(clock), **options))
        return stores[-1]

    yield _open
    for store in stores:
        store.close()


def messages(store: LogStore, *arguments: Any, **options: Any) -> list[str]:
    store.flush()
    return [event.message for event in store.events(GROUP, *arguments, **options)]


def test_output_is_read_as_events_in_order(open_store: Callable[..., LogStore]) -> None:
    store = open_store()
    store.write(GROUP, "s1", b"one\ntwo\n")
    store.write("/other", "s3", b"elsewhere\n")
    store.write(GROUP, "s2", b"three\rat line 1\r\n\n")
    assert messages(store) == ["one\n", "two\n", "three\nat line 1\n", "\n"]
    assert messages(store, 1_000_001) == ["three\nat line 1\n", "\n"]
    assert store.groups() == [GROUP, "/other"]
    streams = store.streams(GROUP)
    assert {name: (facts.first_ms, facts.last_ms, facts.size_bytes) for name, facts in streams.items()} == {
        "s1": (1_000_000, 1_000_000, 8), "s2": (1_002_000, 1_002_000, 18),
    }  # fmt: skip
    assert [event.message for event in store.tail(GROUP, 3)] == ["two\n", "three\nat line 1\n", "\n"]
    assert store.tail("/unknown", 3) == []


def test_a_place_is_found_again(open_store: Callable[..., LogStore]) -> None:
    store = open_store(segment_bytes=50)
    for number in range(20):
        store.write(GROUP, "s", f"{number}\n".encode())
    store.flush()
    events = list(store.events(GROUP))
    assert len({event.place.text() for event in events}) == 20
    assert sorted(event.place.text() for event in events) == [event.place.text() for event in events]
    assert messages(store, first=Place.from_text(events[7].place.text())) == [f"{number}\n" for number in range(7, 20)]
    with pytest.raises(ValueError, match="nothing"):
        Place.from_text("nothing")


def test_a_group_keeps_its_newest_segments(open_store: Callable[..., LogStore], tmp_path: Path) -> None:
    store = open_store(segment_bytes=100, segments=3)
    for number in range(100):
        store.write(GROUP, "s", f"{number}\n".encode())
        if number % 10 == 0:
            store.flush()
    kept = messages(store)
    assert kept == [f"{number}\n" for number in range(100 - len(kept), 100)]
    assert 3 <= len(kept) <= 30
    (folder,) = (tmp_path / "logs").iterdir()
    assert len(list(folder.iterdir())) == 3


def test_a_restart_reads_on_after_a_record_that_was_cut_off(
    open_store: Callable[..., LogStore], tmp_path: Path
) -> None:
    store = open_store()
    store.write(GROUP, "s", b"one\n")
    store.write(GROUP, "s", b"two\n")
    store.close()
    (segment,) = (tmp_path / "logs").glob("*/*")
    segment.write_bytes(segment.read_bytes()[:-2])
    again = open_store()
    again.write(GROUP, "s", b"three\n")
    assert messages(again) == ["one\n", "three\n"]


def test_a_cleared_store_begins_anew_without_using_a_place_twice(open_store: Callable[..., LogStore]) -> None:
    store = open_store()
    store.write(GROUP, "s", b"one\n")
    store.flush()
    (before,) = store.events(GROUP)
    store.clear()
    assert (store.groups(), messages(store)) == ([], [])
    store.write(GROUP, "s", b"two\n")
    assert messages(store) == ["two\n"]
    assert next(store.events(GROUP)).place > before.place


def test_a_folder_that_cannot_be_written_costs_the_log_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    store = LogStore(tmp_path / "file" / "logs")
    store.write(GROUP, "s", b"one\n")
    store.write(GROUP, "s", b"two\n")
    assert messages(store) == []
    store.close()
    assert [record.message for record in caplog.records] == [
        f"the functions' log isn't kept: [Errno 20] Not a directory: '{tmp_path}/file/logs/%2Faws%2Flambda%2Fhello'"
    ]
