"""Follows the catalogue: prepares new versions, provisions environments, and drains versions that are gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable

from emulator.lambda_service.control_plane.account import FunctionRecord
from emulator.lambda_service.control_plane.attributes.concurrency import shares
from emulator.lambda_service.control_plane.catalogue import Availability, Catalogue
from emulator.lambda_service.control_plane.configuration import BEING_CREATED, Readiness
from emulator.lambda_service.data_plane.ledger import ConcurrencyLedger
from emulator.lambda_service.data_plane.running_version import RunningVersion
from emulator.lambda_service.function_version import LATEST, FunctionVersion
from emulator.lambda_service.invocation import error_words
from emulator.supervision import BackgroundTasks

PER_PROCESSOR = 32
"""How many provisioned environments a processor is good for."""
_ENVIRONMENT_BYTES = 128 * 1024 * 1024
# After a restart of the emulator, which has no counterpart on AWS. Requests wait, as their callers can't know of it.
_RESTORING = Readiness("Pending", "The function is being restored.", "Restoring")


class Fleet:
    """The versions that have environments, or have had some.

    The ledger gets the reserved and provisioned concurrency. `begin` returns a version without environments yet.
    `most_provisioned` is how many environments the machine keeps initialised, of all functions together.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        ledger: ConcurrencyLedger,
        begin: Callable[[FunctionVersion], RunningVersion],
        *,
        most_provisioned: int,
    ) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._begin = begin
        self._most_provisioned = most_provisioned
        # How many environments of a version are requested and not provisioned, because the machine is too small.
        self._withheld: dict[FunctionVersion, int] = {}
        self._running: dict[FunctionVersion, RunningVersion] = {}
        self._leaving: set[RunningVersion] = set()
        # The catalogue's versions when it was last read. Any other version is new.
        self._present: set[FunctionVersion] = set()
        # Versions that an alias or provisioning referred to last time; drained once nothing refers to them.
        self._used: set[FunctionVersion] = set()
        # The functions that have a share in the ledger; a deleted function's share is given back.
        self._in_ledger: set[str] = set()
        self.tasks = BackgroundTasks()
        """They run until `close`."""
        self._loop: asyncio.AbstractEventLoop | None = None
        catalogue.availability = self._availability

    def start(self) -> None:
        """Begin to follow the catalogue; versions that an alias points to are prepared now."""
        self._loop = asyncio.get_running_loop()
        self._present = self._catalogue.all_runnable()
        self._catalogue.on_change(self._note_change)
        for function in self._used_versions():
            if function.uses_snapshots:
                self._catalogue.begin_readiness(function, _RESTORING)
                self._make_snapshot(function)
        self._follow()

    def get(self, function: FunctionVersion) -> RunningVersion:
        """Return a version with its environments."""
        running = self._running.get(function)
        if running is None:
            running = self._running[function] = self._begin(function)
        return running

    def all(self) -> Iterable[RunningVersion]:
        """Return every version that has environments, drained ones included."""
        return [*self._running.values(), *self._leaving]

    async def prepare(self, function: FunctionVersion) -> str | None:
        """Get a version ready to answer; return None, or why it can't answer."""
        return await self._record_readiness(function, self.get(function).prepare)

    def reap(self, idle_for_s: float) -> None:
        """Stop the environments that have been idle for `idle_for_s` seconds."""
        for running in self._running.values():
            # Under a debugger, idle time is somebody's time to think.
            if not running.is_debugged:
                running.pool.reap(idle_for_s)

    async def end_absent(self) -> None:
        """End the environments of versions that are gone at once, requests in progress included."""
        present = self._catalogue.all_runnable()
        absent = [function for function in self._running if function not in present]
        self._leaving.update(self._running.pop(function) for function in absent)
        leaving = [*self._leaving]
        for version in leaving:
            version.refuse_snapshots()
        await asyncio.gather(*(version.close() for version in leaving))
        self._leaving.difference_update(leaving)

    def let_requests_wait(self) -> None:
        """Let requests wait for snapshots that are being made, as after a start, instead of being refused."""
        for function in self._catalogue.all_runnable():
            if self._catalogue.readiness(function.spec.name, function.version) == BEING_CREATED:
                self._catalogue.set_readiness(function, _RESTORING)

    async def close(self) -> None:
        """Stop every environment and wait until no process is left."""
        running = self.all()
        # A pool waits for its environments, and those may be waiting for a snapshot.
        for version in running:
            version.refuse_snapshots()
        await asyncio.gather(self.tasks.cancel(), *(version.close() for version in running))

    def _make_snapshot(self, function: FunctionVersion) -> None:
        def give_up(error: BaseException) -> None:
            self._catalogue.set_readiness(function, Readiness("Failed", repr(error), "InternalError"))

        work = self._record_readiness(function, self.get(function).prepare_snapshot)
        self.tasks.start(work, f"initialise {function.spec.name}:{function.version}", give_up)

    async def _record_readiness(
        self, function: FunctionVersion, attempt: Callable[[], Awaitable[bytes | None]]
    ) -> str | None:
        """Initialise a version and record whether that succeeded; return None, or why it failed."""
        payload = await attempt()
        reason = None if payload is None else error_words(payload)
        readiness = Readiness() if reason is None else Readiness("Failed", reason, "FunctionError")
        self._catalogue.set_readiness(function, readiness)
        return reason

    def _note_change(self) -> None:
        """Let the event loop follow the change; this is called in the operation's thread."""
        for function in self._catalogue.all_runnable() - self._present:
            if function.uses_snapshots:
                self._catalogue.begin_readiness(function, BEING_CREATED)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: the emulator has ended.
                self._loop.call_soon_threadsafe(self._follow)

    def _follow(self) -> None:
        present = self._catalogue.all_runnable()
        for function in present - self._present:
            if function.uses_snapshots:
                self._make_snapshot(function)
        used = self._used_versions()
        unused = self._used - used
        for function in [version for version in self._running if version not in present or version in unused]:
            self._drain(function)
        self._present, self._used = present, used
        functions = self._catalogue.account.functions
        self._set_reserved({name: record.reserved for name, record in functions.items()})
        self._withheld.clear()
        left = self._most_provisioned
        for record in functions.values():
            left = self._provision(record, left)

    def _set_reserved(self, reservations: dict[str, int | None]) -> None:
        for name in self._in_ledger - reservations.keys():
            self._ledger.set_reserved(name, None)
            self._ledger.set_provisioned(name, 0)
        self._in_ledger = set(reservations)
        for name, reserved in reservations.items():
            self._ledger.set_reserved(name, reserved)

    def _used_versions(self) -> set[FunctionVersion]:
        """Return the versions that an alias or provisioning refers to."""
        versions_in_use = {
            self._catalogue.runnable(record.name, version)
            for record in self._catalogue.account.functions.values()
            for versions in (record.provisioned, *(alias.versions for alias in record.aliases.values()))
            for version in versions
        }
        return {function for function in versions_in_use if function is not None and function.version != LATEST}

    def _provision(self, record: FunctionRecord, left: int) -> int:
        """Provision a function's versions with at most `left` environments; return how many are left for others."""
        counts = shares(record)
        for version, count in counts.items():
            function = self._catalogue.runnable(record.name, version)
            if function is not None and (count or function in self._running):
                granted = min(count, left)
                left -= granted
                self.get(function).pool.provision(granted)
                if granted < count:
                    self._withheld[function] = count - granted
        self._ledger.set_provisioned(record.name, sum(counts.values()))
        return left

    def _drain(self, function: FunctionVersion) -> None:
        running = self._running.pop(function)
        self._leaving.add(running)

        async def drain() -> None:
            try:
                await running.drain()
            finally:
                self._leaving.discard(running)
            in_use = [version.function for version in self.all()]
            await asyncio.to_thread(self._catalogue.remove_unused_code, in_use)

        self.tasks.start(drain(), f"drain {function.spec.name}:{function.version}")

    def _availability(self, function: FunctionVersion) -> Availability:
        running = self._running.get(function)
        if running is None:
            return Availability()
        status = running.pool.status()
        failure = status.provisioning_failure
        if failure is None and function in self._withheld:
            reason = (
                f"The emulator keeps at most {self._most_provisioned} environments initialised on this machine, by its "
                f"processors and memory; {self._withheld[function]} of version {function.version} are left out."
            )
            return Availability(status.provisioned_ready, reason)
        return Availability(status.provisioned_ready, None if failure is None else error_words(failure))


def most_provisioned() -> int:
    """Return how many environments may be provisioned at once, of all functions together; at least one."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return capacity(os.cpu_count() or 1, memory_bytes)


def capacity(processors: int, memory_bytes: int) -> int:
    """Return that number for a machine: half of its memory is for provisioned environments of ordinary size."""
    return max(1, min(processors * PER_PROCESSOR, memory_bytes // 2 // _ENVIRONMENT_BYTES))
