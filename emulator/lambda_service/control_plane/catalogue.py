"""The account in memory, which operations read and change, and the table that requests are routed by.

Every change is a new, immutable `Account`: written to disk first, then shown to readers all at once. A request that is
routed in another thread, while an operation waits for the disk, sees the state before.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from emulator.lambda_service.control_plane.account import Account, FunctionRecord, VersionRecord, without
from emulator.lambda_service.control_plane.configuration import CREATING, Readiness, describe, spec_of
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.state import StateFolder
from emulator.lambda_service.errors import (
    LambdaApiError,
    PreconditionFailedError,
    ResourceConflictError,
    ResourceNotFoundError,
)
from emulator.lambda_service.function_version import LATEST, FunctionVersion

ACCOUNT_CONCURRENCY = 1000
"""The limit of a new account."""
_UNRESERVED_MINIMUM = 100


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedFunction:
    """The version that a request goes to, and the ARN that its context shows."""

    function: FunctionVersion
    arn_used: str


@dataclass(frozen=True, slots=True)
class Availability:
    """How many environments of a version are kept initialised, and why there aren't more."""

    ready: int = 0
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class _Route:
    """The versions of a qualifier: `other` gets a share of the requests, `main` the rest."""

    main: ResolvedFunction
    other: ResolvedFunction
    share: float


class Catalogue:
    """The functions of an account, which `state` keeps on disk; `concurrency` limits all requests in flight."""

    def __init__(
        self,
        state: StateFolder,
        account: Account,
        arn_scope: ArnScope,
        now: Callable[[], dt.datetime],
        concurrency: int,
    ) -> None:
        self.arn_scope = arn_scope
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
        self._readiness: dict[FunctionVersion, Readiness] = {}
        self._runnable: dict[str, dict[str, FunctionVersion]] = {}
        self._routes: dict[str, dict[str | None, _Route]] = {}
        for function in account.functions.values():
            self._route(function)

    @property
    def account(self) -> Account:
        """All records at this moment."""
        return self._account

    # Reading ---------------------------------------------------------------------------------------------

    def resolve(self, function_name: str, qualifier: str | None, draw: float) -> ResolvedFunction:
        """Return the version that a request goes to; `draw`, from [0, 1), decides between an alias's versions."""
        routes = self._routes.get(function_name)
        route = None if routes is None else routes.get(qualifier)
        if route is None:
            name, qualifier = self.arn_scope.parse(function_name, qualifier)
            route = self._routes.get(name, {}).get(qualifier)
            if route is None:
                raise ResourceNotFoundError(f"Function not found: {self.arn_scope.arn(name, qualifier)}")
        return route.other if draw < route.share else route.main

    def get_function(self, function_name: str, qualifier: str | None = None) -> tuple[FunctionRecord, str | None]:
        """Return a function and the qualifier that its name may hold, which isn't checked."""
        name, qualifier = self.arn_scope.parse(function_name, qualifier)
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
        readiness = self.readiness(function.name, self.get_version(function, qualifier).version)
        if readiness.state == "Pending" and readiness.reason_code == CREATING:
            raise ResourceConflictError(
                "The operation cannot be performed at this time. The function is currently in the following state: "
                f"{readiness.state}"
            )

    def runnable(self, name: str, version: str) -> FunctionVersion | None:
        """Return a version as environments run it; the same object until its code or configuration changes."""
        return self._runnable.get(name, {}).get(version)

    def all_runnable(self) -> set[FunctionVersion]:
        """Return every version that a request can reach."""
        return {function for versions in list(self._runnable.values()) for function in versions.values()}

    def readiness(self, name: str, version: str) -> Readiness:
        """Return whether a version can answer."""
        function = self.runnable(name, version)
        return Readiness() if function is None else self._readiness.get(function, Readiness())

    def describe(self, function: FunctionRecord, record: VersionRecord, qualifier: str | None) -> dict[str, Any]:
        """Return AWS's ``FunctionConfiguration`` of a version, with the ARN of this qualifier."""
        arn = self.arn_scope.arn(function.name, qualifier)
        return describe(function.name, arn, record, self.readiness(function.name, record.version))

    def unreserved_concurrency(self) -> int:
        """Return ``UnreservedConcurrentExecutions``: what reservations leave to all other functions."""
        return self.concurrency - sum(function.reserved or 0 for function in self._account.functions.values())

    # Changing --------------------------------------------------------------------------------------------

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change, in the thread that made it."""
        self._listeners.append(listener)

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
            self.check_not_updating(name)
            self._updating.add(name)
        try:
            yield
        finally:
            with self.lock:
                self._updating.discard(name)

    def check_not_updating(self, name: str) -> None:
        """Raise `ResourceConflictError` while a function is being updated."""
        if name in self._updating:
            raise ResourceConflictError(
                "The operation cannot be performed at this time. An update is in progress for resource: "
                f"{self.arn_scope.arn(name)}"
            )

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

    def remove(self, function: FunctionRecord) -> None:
        """Forget a function. The numbers of its versions stay used."""
        functions = without(self._account.functions, function.name)
        retired = {**self._account.retired, function.name: function.next_version}
        self.save_account(dataclasses.replace(self._account, functions=functions, retired=retired))
        self._routes.pop(function.name, None)
        self._runnable.pop(function.name, None)
        self._notify_listeners()

    def remove_unused_code(self, in_use: Iterable[FunctionVersion]) -> None:
        """Remove code folders that no version uses, except those that a draining version still runs."""
        with self.lock:
            if self._updating:
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

    def _notify_listeners(self) -> None:
        reachable = self.all_runnable()
        # In place: another thread may be noting that a version has become ready.
        for function in list(self._readiness):
            if function not in reachable:
                self._readiness.pop(function, None)
        for listener in self._listeners:
            listener()

    def _route(self, function: FunctionRecord) -> None:
        name, before = function.name, self._runnable.get(function.name, {})
        runnable: dict[str, FunctionVersion] = {}
        for record in function.all_versions():
            made = FunctionVersion(spec_of(name, record, self.code), record.version, self.arn_scope.arn(name))
            present = before.get(record.version)
            # Environments are pooled by this object's identity, and a new RevisionId alone needs no new ones.
            runnable[record.version] = present if present is not None and present.spec == made.spec else made
        routes: dict[str | None, _Route] = {}

        def add_route(qualifier: str | None, version: str, other: str | None = None, share: float = 0.0) -> None:
            arn = self.arn_scope.arn(name, qualifier)
            main = ResolvedFunction(runnable[version], arn)
            routes[qualifier] = _Route(main, ResolvedFunction(runnable[other], arn) if other else main, share)

        add_route(None, LATEST)
        for version in runnable:
            add_route(version, version)
        for alias in function.aliases.values():
            other, share = next(iter(alias.weights.items()), (None, 0.0))
            add_route(alias.name, alias.version, other, share)
        self._runnable[name] = runnable
        self._routes[name] = routes


def check_revision(required: str | None, current: str) -> None:
    """Raise `PreconditionFailedError` if a revision is required and isn't the current one."""
    if required is not None and required != current:
        raise PreconditionFailedError
