"""Records the changes of an alias that others move, such as a rollout's controller, by looking at it repeatedly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf

from model_registry.errors import StoreUnavailableError
from model_registry.reader import RegistryReader
from peerloan.promises.timeline import AliasChange


@dataclass
class AliasWatch:
    """What was seen of an alias.

    A revision took effect between the start of the last look that didn't see it and the end of the first that did:
    these stand for its request and its acknowledgement. Revisions that no look saw are read from the history.

    Attributes
    ----------
    reader : RegistryReader
        The bucket.
    alias : str
        The alias's name; it exists.
    clock : callable
        The clock of the answers, in seconds.
    changes : list of AliasChange
        The state at the first look, then every change.
    """

    reader: RegistryReader
    alias: str
    clock: Callable[[], float] = time.monotonic
    changes: list[AliasChange] = field(default_factory=list)
    _last_began: float = -inf

    def look(self) -> None:
        """Look at the alias, and record the revisions since the last look."""
        began = self.clock()
        current = self.reader.get_alias(self.alias).alias
        ended = self.clock()
        if not self.changes:
            self.changes.append(AliasChange.of(current, -inf, -inf))
        for revision in range(self.changes[-1].revision + 1, current.revision + 1):
            is_current = revision == current.revision
            alias = current if is_current else self.reader.get_revision(self.alias, revision)
            self.changes.append(AliasChange.of(alias, self._last_began, ended))
        self._last_began = began


@asynccontextmanager
async def watching(watch: AliasWatch, *, every_s: float = 0.05) -> AsyncIterator[AliasWatch]:
    """Look at the alias at once, then again and again until the block ends, and a last time."""
    await asyncio.to_thread(watch.look)
    ended = asyncio.Event()

    async def run() -> None:
        while not ended.is_set():
            await asyncio.sleep(every_s)
            # The next look sees what a failed one missed; the last look, after the block, must not fail.
            with suppress(StoreUnavailableError):
                await asyncio.to_thread(watch.look)

    task = asyncio.create_task(run())
    try:
        yield watch
    finally:
        ended.set()
        await task
        await asyncio.to_thread(watch.look)
