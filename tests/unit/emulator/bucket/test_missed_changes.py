"""The objects themselves say what a process has missed."""

from __future__ import annotations

import asyncio

import pytest

from emulator.object_events import ObjectEvent
from tests.unit.emulator.bucket.asked_bucket import Bucket

pytestmark = pytest.mark.fidelity("object-events")
VERSIONED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def missed_events(bucket: Bucket, positions: dict[str, str]) -> list[ObjectEvent]:
    return bucket.store.changes_after(positions)[1]


def missed(bucket: Bucket, position: str) -> list[tuple[str, str]]:
    return [(event.event_name, event.key) for event in missed_events(bucket, {"bkt": position})]


def test_what_came_after_a_position_is_found_also_by_another_process(bucket: Bucket) -> None:
    for key in ("b", "a", "gone"):
        bucket.ask("PUT", f"/bkt/{key}", b"x")
    heard = [event.sequencer for event in bucket.events]
    bucket.ask("PUT", "/bkt/b", b"again")
    bucket.ask("DELETE", "/bkt/gone")
    for found in (bucket, bucket.again()):
        assert missed(found, heard[0]) == [("ObjectCreated:Put", "a"), ("ObjectCreated:Put", "b")]
        assert missed(found, heard[2]) == [("ObjectCreated:Put", "b")]
        assert missed(found, bucket.events[-1].sequencer) == []
        assert missed(found, found.store.position) == []
    (event,) = missed_events(bucket, {"bkt": heard[2], "unknown": ""})
    told = bucket.events[3]
    assert (event.size, event.etag, event.version_id) == (told.size, told.etag, told.version_id)


def test_a_change_that_is_not_on_disk_yet_is_above_the_position_of_now(bucket: Bucket) -> None:
    bucket.ask("PUT", "/bkt/a", b"x")
    bucket.disk.is_writing.clear()
    bucket.disk.may_write.clear()

    async def scenario() -> str:
        writer = asyncio.create_task(bucket.answer("PUT", "/bkt/b", b"x"))
        await asyncio.to_thread(bucket.disk.is_writing.wait, 5)
        position = bucket.store.position
        bucket.disk.may_write.set()
        await writer
        return position

    position = bucket.runner.run(scenario())
    # The process may be killed before it tells of the change.
    assert missed(bucket.again(), position) == [("ObjectCreated:Put", "b")]


def test_versions_and_delete_markers_are_found_one_by_one(bucket: Bucket) -> None:
    bucket.ask("PUT", "/bkt?versioning", VERSIONED)
    bucket.ask("PUT", "/bkt/k", b"one")
    bucket.ask("PUT", "/bkt/k", b"two")
    bucket.ask("DELETE", "/bkt/k")
    assert missed(bucket, "") == [
        ("ObjectCreated:Put", "k"),
        ("ObjectCreated:Put", "k"),
        ("ObjectRemoved:DeleteMarkerCreated", "k"),
    ]
    versions = [event.version_id for event in missed_events(bucket, {"bkt": ""})]
    assert versions == [event.version_id for event in bucket.events]
