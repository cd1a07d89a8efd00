"""The account in memory, which operations read and change.

Every change is a new, immutable `Account`: written to disk first, then shown to readers all at once. A request that is
routed in another thread, while an operation waits for the disk, sees the state before.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from emulator.lambda_service.control_plane.account import Account, FunctionRecord, VersionRecord, without
from emulator.lambda_service.control_plane.configuration import (
    BEING_CREATED,
    CREATING,
    Readiness,
    describe,
    listed,
)
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.progress import ChangesInProgress
from emulator.lambda_service.control_plane.routing import ResolvedFunction, RoutingTable
from emulator.lambda_service.control_plane.state import StateFolder
from emulator.lambda_service.errors import (
    LambdaApiError,
    PreconditionFailedError,
    ResourceConflictError,
    ResourceNotFoundError,
    UnavailableFunctionError,
)
from emulator.lambda_service.function_version import LATEST, FunctionVersion

ACCOUNT_CONCURRENCY = 1000
"""The limit of a new account."""
_UNRESERVED_MINIMUM = 100


@dataclass(frozen=True, slots=True)
class Availability:
    """How many environments of a version are kept initialised, and why there aren't more."""

    ready: int = 0
    failure: str | None = None


class Catalogue:
    """The functions of an account, which `state` keeps on disk; `concurrency` limits all requests in flight."""

    def __init__(
        self,
        state: StateFolder,
        account: Account,
        arn_scope: ArnScope,
        now: Callable[[], dt.datetime],
        concurrency: int,
        changes: ChangesInProgress | None = None,
    ) -> None:
        self.arn_scope = arn_scope
        self.changes = changes or ChangesInProgress()
        self.code = state.code
        self.now = now
        self.concurrency = concurrency
        # What reservations must leave to others. An account below AWS's default limit may reserve everything.
        self.unreserved_minimum = _UNRESERVED_MINIMUM if concurrency >= ACCOUNT_CONCURRENCY else 0
        # Set by the data plane, which runs environments.
        self.availability: Callable[[FunctionVersion], Availability] = lambda _: Availability()
        # One operation at a time; reading needs no lock.
        self.lock = threading.RLock()
        self._state = state
        self._account = account
        self._listeners: list[Callable[[], None]] = []
        self._updating: set[str] = set()
        self._storing = 0
        self._readiness: dict[FunctionVersion, Readiness] = {}
        self._routing = RoutingTable(state.code, arn_scope)
        self.logical_ids: Mapping[str, str] = {}  # To the names of a template's functions, which go by both
        self.unavailable: dict[str, str] = {}  # Why a function can't be called, by its name
        for function in account.functions.values():
            self._route(function)

    @property
    def account(self) -> Account:
        """All records at this moment."""
        return self._account

    # Reading ---------------------------------------------------------------------------------------------

    def resolve(self, function_name: str, qualifier: str | None, draw: float) -> ResolvedFunction:
        """Return the version that a request goes to; `draw`, from [0, 1), decides between an alias's versions."""
        route = self._routing.find(function_name, qualifier)
        if route is None:
            name, qualifier = self._parse(function_name, qualifier)
            if name in self.unavailable:
                raise UnavailableFunctionError(self.unavailable[name])
            route = self._routing.find(name, qualifier)
            if route is None:
                raise ResourceNotFoundError(f"Function not found: {self.arn_scope.arn(name, qualifier)}")
        return route.other if draw < route.share else route.main

    def get_function(self, function_name: str, qualifier: str | None = None) -> tuple[FunctionRecord, str | None]:
        """Return a function and the qualifier that its name may hold, which isn't checked."""
        name, qualifier = self._parse(function_name, qualifier)
        function = self._account.functions.get(name)
        if function is None:
            raise ResourceNotFoundError(f"Function not found: {self.arn_scope.arn(name, qualifier)}")
        return function, qualifier

    def get_qualified(self, function_name: str, qualifier: str | None) -> tuple[FunctionRecord, str]:
        """Return a function and a qualifier that leads to a version; without a qualifier, it is ``$LATEST``."""
        function, qualifier = self.get_function(function_name, qualifier)
        self.get_version(function, qualifier)
        return function, qualifier or LATEST

    def get_version(self, function: FunctionRecord, qualifier: str | None) -> VersionRecord:
        """Return the version that a qualifier names, for an alias its main one."""
        alias = function.aliases.get(qualifier) if qualifier is not None else None
        record = function.find_version(alias.version if alias is not None else qualifier or LATEST)
        if record is None:
            raise ResourceNotFoundError(f"Function not found: {self.arn_scope.arn(function.name, qualifier)}")
        return record

    def check_created(self, function_name: str, qualifier: str | None) -> None:
        """Raise `ResourceConflictError` if a request would go to a version that is still being made."""
        function, qualifier = self.get_function(function_name, qualifier)
        version = LATEST if function.name in self.unavailable else self.get_version(function, qualifier).version
        readiness = self.readiness(function.name, version)
        if readiness.state == "Pending" and readiness.reason_code == CREATING:
            raise ResourceConflictError(
                "The operation cannot be performed at this time. The function is currently in the following state: "
                f"{readiness.state}"
            )

    def runnable(self, name: str, version: str) -> FunctionVersion | None:
        """Return a version as environments run it; the same object until its code or configuration changes."""
        return self._routing.runnable(name).get(version)

    def all_runnable(self) -> set[FunctionVersion]:
        """Return every version that a request can reach."""
        return self._routing.all_runnable()

    def readiness(self, name: str, version: str) -> Readiness:
        """Return whether a version can answer."""
        if name in self.unavailable:
            return Readiness("Failed", self.unavailable[name], "InvalidRuntime")
        if self.changes.is_made(name, version):
            return BEING_CREATED
        function = self.runnable(name, version)
        return Readiness() if function is None else self._readiness.get(function, Readiness())

    def describe(self, function: FunctionRecord, record: VersionRecord, qualifier: str | None) -> dict[str, Any]:
        """Return AWS's ``FunctionConfiguration`` of a version, with the ARN of this qualifier."""
        arn = self.arn_scope.arn(function.name, qualifier)
        is_updated = record.version == LATEST and self.changes.is_updated(function.name, LATEST)
        readiness = self.readiness(function.name, record.version)
        return describe(function.name, arn, record, readiness, is_updated=is_updated)

    def describe_versions(self, function: FunctionRecord) -> list[dict[str, Any]]:
        """Return all versions of a function as lists show them, ``$LATEST`` first, then oldest first."""
        return [listed(self.describe(function, record, record.version)) for record in function.all_versions()]

    def unreserved_concurrency(self) -> int:
        """Return ``UnreservedConcurrentExecutions``: what reserved and provisioned concurrency leave to all others."""
        return self.concurrency - sum(function.set_aside for function in self._account.functions.values())

    def _parse(self, function_name: str, qualifier: str | None) -> tuple[str, str | None]:
        """Return name and qualifier, as `ArnScope.parse` does; a template's function may go by its logical id."""
        name, qualifier = self.arn_scope.parse(function_name, qualifier)
        return name if name in self._account.functions else self.logical_ids.get(name, name), qualifier

    # Changing --------------------------------------------------------------------------------------------

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change, in the thread that made it."""
        self._listeners.append(listener)

    def withdraw(self, name: str, reason: str) -> None:
        """Let no request reach a function any more."""
        self.unavailable[name] = reason
        self._routing.remove(name)

    def set_readiness(self, function: FunctionVersion, readiness: Readiness) -> None:
        """Note whether a version can answer."""
        self._readiness[function] = readiness

    def begin_readiness(self, function: FunctionVersion, readiness: Readiness) -> None:
        """Set a version's first state, unless it already has one: a late thread must not overwrite it."""
        self._readiness.setdefault(function, readiness)

    @contextmanager
    def updating(self, name: str) -> Iterator[None]:
        """Refuse other updates of a function's code or configuration meanwhile, as AWS does."""
        with self.lock:
            self.check_updatable(name)
            self._updating.add(name)
        try:
            yield
        finally:
            with self.lock:
                self._updating.discard(name)

    @contextmanager
    def storing_code(self) -> Iterator[None]:
        """Keep code that is stored meanwhile, though no version runs it yet. Updates aren't refused."""
        with self.lock:
            self._storing += 1
        try:
            yield
        finally:
            with self.lock:
                self._storing -= 1

    def check_not_updating(self, name: str) -> None:
        """Raise `ResourceConflictError` while a function is being updated."""
        if name in self._updating:
            raise self._update_in_progress(name)

    def check_updatable(self, name: str) -> None:
        """Raise `ResourceConflictError` while AWS would refuse an update by its API."""
        self.check_not_updating(name)
        if self.changes.is_updated(name, LATEST):
            raise self._update_in_progress(name)

    def save(self, function: FunctionRecord) -> None:
        """Write a new or changed function to disk, then make it visible to readers."""
        functions = {**self._account.functions, function.name: function}
        self.save_account(dataclasses.replace(self._account, functions=functions))
        self._route(function)
        self._notify_listeners()

    def save_account(self, account: Account) -> None:
        """Write an account to disk, then make it visible to readers; its functions are routed as before."""
        try:
            self._state.write(account)
        except OSError as error:
            message = f"The change can't be kept, and is undone: {error}"
            raise LambdaApiError("ServiceException", 500, message, error_type="Service") from error
        self._account = account

    def replace_account(self, account: Account) -> None:
        """Write other records in place of all; the caller deploys functions next, which tells the listeners."""
        self.save_account(account)
        self._routing.clear()
        self.changes.clear()
        for function in account.functions.values():
            self._route(function)

    def remove(self, function: FunctionRecord) -> None:
        """Forget a function. The numbers of its versions stay used."""
        functions = without(self._account.functions, function.name)
        retired = {**self._account.retired, function.name: function.next_version}
        self.save_account(dataclasses.replace(self._account, functions=functions, retired=retired))
        self._routing.remove(function.name)
        self._notify_listeners()

    def remove_unused_code(self, in_use: Iterable[FunctionVersion]) -> None:
        """Remove code folders that no version uses, except those that a draining version still runs."""
        with self.lock:
            if self._updating or self._storing:
                # An update has copied code that no version runs yet. The rest is removed another time.
                return
            specs = [function.spec for function in in_use]
            folders = {folder.name for spec in specs for folder in (spec.code_dir, *spec.layer_dirs)}
            self.code.remove_unused(folders | self._account.codes().keys())

    def close(self) -> None:
        """Release the lock on the state's folder."""
        self._state.close()

    def new_revision(self) -> str:
        """Return a new RevisionId."""
        return str(uuid4())

    def timestamp(self) -> str:
        """Return the time as AWS writes ``LastModified``."""
        return f"{self.now():%Y-%m-%dT%H:%M:%S.000+0000}"

    def _update_in_progress(self, name: str) -> ResourceConflictError:
        return ResourceConflictError(
            "The operation cannot be performed at this time. An update is in progress for resource: "
            f"{self.arn_scope.arn(name)}"
        )

    def _notify_listeners(self) -> None:
        reachable = self.all_runnable()
        # In place: another thread may be noting that a version has become ready.
        for function in list(self._readiness):
            if function not in reachable:
                self._readiness.pop(function, None)
        for listener in self._listeners:
            listener()

    def _route(self, function: FunctionRecord) -> None:
        if function.name not in self.unavailable:
            self._routing.update(function)


def check_revision(required: str | None, current: str) -> None:
    """Raise `PreconditionFailedError` if a revision is required and isn't the current one."""
    if required is not None and required != current:
        raise PreconditionFailedError
