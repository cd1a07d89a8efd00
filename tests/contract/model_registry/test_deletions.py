"""Versions that are deleted while aliases move, the same on every store."""

from __future__ import annotations

import pytest

from model_registry.errors import (
    VersionInUseError,
    VersionNotFoundError,
)
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from registry_kit import CutOffStore, make_candidate, make_writer


def publish_two(store: ObjectStore) -> None:
    writer = make_writer(store)
    writer.publish(make_candidate(b"pickle 1"))
    writer.publish(make_candidate(b"pickle 2"))


def test_two_deletions_and_an_alias_update_at_once_leave_no_alias_at_a_deleted_version(store: ObjectStore) -> None:
    """A marks and looks; the alias moves; B finds it in use and must leave A's mark where it is."""
    publish_two(store)
    make_writer(store).assign("live", 1)
    events: list[str] = []

    class InTheMiddle(CutOffStore):
        def delete(self, key: str) -> None:
            if key.endswith("2/manifest.json") and not events:
                events.append("between A's look and A's deletion")
                with pytest.raises(VersionNotFoundError):
                    make_writer(AssignsUnseen(store), "assigner").assign("live", 2)
            self._store.delete(key)

    class AssignsUnseen(CutOffStore):
        """The assigner's first look came before the mark; B's deletion comes right after its swap."""

        def __init__(self, inner: ObjectStore) -> None:
            super().__init__(inner, 0, die=lambda: None, effective=True)
            self._looks = 0

        def list_keys(self, prefix: str) -> list[str]:
            keys = self._store.list_keys(prefix)
            self._looks += prefix.endswith("versions/")
            return [key for key in keys if "deleted" not in key] if self._looks == 1 else keys

        def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
            etag = self._store.put(key, body, if_absent=if_absent, if_match=if_match)
            if key.endswith("live.json") and b'"version": 2' in body:
                with pytest.raises(VersionInUseError):
                    make_writer(store, "B").delete_version(2)
            return etag

    make_writer(InTheMiddle(store, 0, die=lambda: None, effective=True), "A").delete_version(2)
    assert events
    reader = RegistryReader(store)
    assert reader.list_versions() == [1]
    assert reader.get_alias("live").alias.version == 1


def test_an_abandoned_mark_on_a_version_in_use_is_taken_away(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 2)
    store.put("late-payer/versions/2/deleted.json", b'{"deleted_at": "2020-01-01T00:00:00+00:00"}')
    with pytest.raises(VersionInUseError):
        writer.delete_version(2)
    assert writer.reader.list_versions() == [1, 2]


class DeletesMeanwhile(CutOffStore):
    """A store whose first alias write is followed at once by somebody else's half of a deletion."""

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        etag = self._store.put(key, body, if_absent=if_absent, if_match=if_match)
        if key.endswith(("live.json", "fresh.json")) and b'"version": 2' in body:
            self._store.put("late-payer/versions/2/deleted.json", b"{}")
        return etag


def test_an_alias_moved_to_a_version_that_is_deleted_meanwhile_goes_back(store: ObjectStore) -> None:
    publish_two(store)
    make_writer(store).assign("live", 1)
    racing = DeletesMeanwhile(store, 0, die=lambda: None, effective=True)
    with pytest.raises(VersionNotFoundError, match="no version 2"):
        make_writer(racing).assign("live", 2)
    current = RegistryReader(store).get_alias("live").alias
    assert (current.version, current.revision) == (1, 3)
    assert "deleted" in current.reason
    store.delete("late-payer/versions/2/deleted.json")
    with pytest.raises(VersionNotFoundError, match="no version 2"):
        make_writer(DeletesMeanwhile(store, 0, die=lambda: None, effective=True)).assign("fresh", 2)
    assert RegistryReader(store).list_aliases() == ["live"]
