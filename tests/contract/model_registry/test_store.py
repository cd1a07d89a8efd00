"""What the registry asks of a store, the same for every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from model_registry.errors import ObjectNotFoundError, PreconditionFailedError
from model_registry.stores.base import ObjectStore


def test_what_was_put_is_got(store: ObjectStore) -> None:
    etag = store.put("m/versions/1/model.pkl", b"\x00bytes\xff")
    stored = store.get("m/versions/1/model.pkl")
    assert (stored.body, stored.etag) == (b"\x00bytes\xff", etag)


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    with pytest.raises(ObjectNotFoundError, match="m/none") as caught:
        store.get("m/none")
    assert caught.value.key == "m/none"
    with pytest.raises(ObjectNotFoundError):
        store.get_if_changed("m/none", '"etag"')


def test_an_unchanged_object_is_not_sent_again(store: ObjectStore) -> None:
    etag = store.put("a", b"1")
    assert store.get_if_changed("a", etag) is None
    second = store.put("a", b"2")
    changed = store.get_if_changed("a", etag)
    assert changed is not None
    assert (changed.body, changed.etag) == (b"2", second)


def test_a_write_if_absent_never_overwrites(store: ObjectStore) -> None:
    store.put("a", b"1", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        store.put("a", b"2", if_absent=True)
    assert store.get("a").body == b"1"


def test_a_write_if_match_needs_the_object_that_was_read(store: ObjectStore) -> None:
    first = store.put("a", b"1")
    store.put("a", b"2", if_match=first)
    with pytest.raises(PreconditionFailedError):
        store.put("a", b"3", if_match=first)
    with pytest.raises(PreconditionFailedError):
        store.put("absent", b"3", if_match=first)
    assert store.get("a").body == b"2"


def test_of_many_conditional_writers_one_wins(store: ObjectStore) -> None:
    etag = store.put("a", b"start")

    def write(number: int) -> bool:
        try:
            store.put("a", f"writer {number}".encode(), if_match=etag)
        except PreconditionFailedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1


def test_keys_are_listed_by_prefix_and_sorted(store: ObjectStore) -> None:
    for key in ("m/versions/2/x", "m/versions/10/x", "m/aliases/live.json"):
        store.put(key, b"{}")
    assert store.list_keys("m/versions/") == ["m/versions/10/x", "m/versions/2/x"]
    assert store.list_keys("none/") == []


def test_delete_may_be_repeated(store: ObjectStore) -> None:
    store.put("a", b"1")
    store.delete("a")
    store.delete("a")
    with pytest.raises(ObjectNotFoundError):
        store.get("a")
