"""The table that requests are routed by: each function's versions as environments run them, and where qualifiers lead.

A function's entry is replaced as a whole, so that a request in another thread finds the one before or the one after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulator.lambda_service.control_plane.account import FunctionRecord
from emulator.lambda_service.control_plane.code_store import CodeStore
from emulator.lambda_service.control_plane.configuration import spec_of
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.function_version import LATEST, FunctionVersion


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedFunction:
    """The version that a request goes to, and the ARN that its context shows."""

    function: FunctionVersion
    arn_used: str


@dataclass(frozen=True, slots=True)
class Route:
    """The versions of a qualifier: `other` gets a share of the requests, `main` the rest."""

    main: ResolvedFunction
    other: ResolvedFunction
    share: float


class RoutingTable:
    """The routes of an account's functions; `code` has the folders that their versions run in."""

    def __init__(self, code: CodeStore, arn_scope: ArnScope) -> None:
        self._code = code
        self._arn_scope = arn_scope
        self._runnable: dict[str, dict[str, FunctionVersion]] = {}
        self._routes: dict[str, dict[str | None, Route]] = {}

    def find(self, name: str, qualifier: str | None) -> Route | None:
        """Return where a qualifier of a function leads; None if there is no such function or qualifier."""
        routes = self._routes.get(name)
        return None if routes is None else routes.get(qualifier)

    def runnable(self, name: str) -> Mapping[str, FunctionVersion]:
        """Return a function's versions as environments run them; each the same object until it changes."""
        return self._runnable.get(name, {})

    def all_runnable(self) -> set[FunctionVersion]:
        """Return every version that a request can reach."""
        return {function for versions in list(self._runnable.values()) for function in versions.values()}

    def update(self, function: FunctionRecord) -> None:
        """Route a new or changed function."""
        name, before = function.name, self.runnable(function.name)
        runnable: dict[str, FunctionVersion] = {}
        for record in function.all_versions():
            made = FunctionVersion(spec_of(name, record, self._code), record.version, self._arn_scope.arn(name))
            present = before.get(record.version)
            # Environments are pooled by this object's identity, and a new RevisionId alone needs no new ones.
            runnable[record.version] = present if present is not None and present.spec == made.spec else made
        routes: dict[str | None, Route] = {}

        def add_route(qualifier: str | None, version: str, other: str | None = None, share: float = 0.0) -> None:
            arn = self._arn_scope.arn(name, qualifier)
            main = ResolvedFunction(runnable[version], arn)
            routes[qualifier] = Route(main, ResolvedFunction(runnable[other], arn) if other else main, share)

        add_route(None, LATEST)
        for version in runnable:
            add_route(version, version)
        for alias in function.aliases.values():
            other, share = next(iter(alias.weights.items()), (None, 0.0))
            add_route(alias.name, alias.version, other, share)
        self._runnable[name] = runnable
        self._routes[name] = routes

    def remove(self, name: str) -> None:
        """Forget a function."""
        self._routes.pop(name, None)
        self._runnable.pop(name, None)

    def clear(self) -> None:
        """Forget all functions."""
        self._routes.clear()
        self._runnable.clear()
