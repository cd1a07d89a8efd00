"""Objects of the log that are fetched ahead."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Barrier, Lock

import pytest

from memory_store import InMemoryStore
from model_registry.errors import ObjectNotFoundError, StoreUnavailableError
from model_registry.stores.base import StoredObject
from model_watch.log_objects import Damage, read_objects


def _store(bodies: Iterable[bytes]) -> InMemoryStore:
    store = InMemoryStore()
    for number, body in enumerate(bodies):
        store.put(f"log/{number}", body)
    return store


def _read(store: InMemoryStore, keys: Iterable[str]) -> list[tuple[str, list[bytes]]]:
    return [(key, list(lines)) for key, lines in read_objects(store, list(keys), Damage())]


def test_small_objects_are_fetched_together_and_read_in_their_order() -> None:
    barrier = Barrier(5)

    class Waiting(InMemoryStore):
        def get(self, key: str, *, limit_bytes: int = 0) -> StoredObject:
            if key != "log/0":
                barrier.wait(timeout=30)
            return super().get(key, limit_bytes=limit_bytes)

    store = Waiting()
    keys = [f"log/{number}" for number in range(11)]
    for key in keys:
        store.put(key, key.encode())
    assert _read(store, keys) == [(key, [key.encode()]) for key in keys]


def test_large_objects_are_fetched_one_at_a_time() -> None:
    lock, under_way, most = Lock(), 0, 0

    class Counting(InMemoryStore):
        def get(self, key: str, *, limit_bytes: int = 0) -> StoredObject:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            try:
                return super().get(key, limit_bytes=limit_bytes)
            finally:
                with lock:
                    under_way -= 1

    store = Counting()
    keys = [f"log/{number}" for number in range(4)]
    for key in keys:
        store.put(key, b"a line\n" * 200_000)
    assert [len(lines) for _, lines in _read(store, keys)] == [200_000] * 4
    assert most == 1


def test_an_object_that_is_gone_has_no_lines_and_an_outage_ends_the_reading() -> None:
    store = _store([b"first", b"second"])
    assert _read(store, ["log/0", "log/9", "log/1"]) == [("log/0", [b"first"]), ("log/9", []), ("log/1", [b"second"])]

    class Down(InMemoryStore):
        def get(self, key: str, *, limit_bytes: int = 0) -> StoredObject:
            raise StoreUnavailableError("read", key, "down") if key == "log/1" else ObjectNotFoundError(key)

    read = read_objects(Down(), ["log/0", "log/1", "log/2"], Damage())
    assert list(next(read)[1]) == []
    with pytest.raises(StoreUnavailableError):
        list(next(read)[1])
