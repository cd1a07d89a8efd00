"""The changes of an alias that others move are recorded with the times between which each took effect."""

from __future__ import annotations

import asyncio
from itertools import count
from math import inf

from memory_store import InMemoryStore
from model_registry.alias import RoutingConfig
from model_registry.errors import StoreUnavailableError
from model_registry.reader import AliasSnapshot, RegistryReader
from peerloan.promises.alias_watch import AliasWatch, watching
from registry_kit import make_writer, publish_two


def test_each_revision_is_recorded_between_two_looks_and_missed_ones_come_from_the_history() -> None:
    store, ticks = InMemoryStore(), count()
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    watch = AliasWatch(writer.reader, "live", clock=lambda: float(next(ticks)))
    watch.look()  # From 0 to 1.
    watch.look()  # From 2 to 3.
    writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}))
    writer.assign("live", 2)
    watch.look()  # From 4 to 5.
    watch.look()  # From 6 to 7.
    writer.assign("live", 1)
    watch.look()  # From 8 to 9.
    seen = [(change.revision, change.requested, change.acknowledged, change.versions) for change in watch.changes]
    assert seen == [(1, -inf, -inf, (1,)), (2, 2, 5, (1, 2)), (3, 2, 5, (2,)), (4, 6, 9, (1,))]
    assert watch.changes[1].share_of(2) == 0.1


def test_a_watch_sees_what_happened_until_its_end() -> None:
    store = InMemoryStore()
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)

    async def watch() -> list[int]:
        async with watching(AliasWatch(writer.reader, "live"), every_s=0.001) as watched:
            for version in (2, 1, 2):
                await asyncio.to_thread(writer.assign, "live", version)
        return [change.version for change in watched.changes]

    assert asyncio.run(watch()) == [1, 2, 1, 2]


def test_a_look_that_fails_ends_no_watch() -> None:
    store = InMemoryStore()
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)

    class Flaky(RegistryReader):
        looks = count()

        def get_alias(self, alias: str) -> AliasSnapshot:
            if next(self.looks) == 1:
                raise StoreUnavailableError("read", alias, "no network")
            return super().get_alias(alias)

    reader = Flaky(store)

    async def watch() -> list[int]:
        async with watching(AliasWatch(reader, "live"), every_s=0.001) as watched:
            await asyncio.to_thread(writer.assign, "live", 2)
            while len(watched.changes) < 2:  # Seen before the last look.
                await asyncio.sleep(0.001)
        return [change.version for change in watched.changes]

    assert asyncio.run(watch()) == [1, 2]
