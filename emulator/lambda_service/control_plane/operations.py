"""Lambda's control plane: one method an operation of its API, without HTTP and without processes.

Each method takes AWS's parameters, in snake case, by keyword; it returns the answer's body as AWS shapes it and
raises `LambdaApiError` for a refusal. A function may be named by name, partial ARN or ARN. Methods may be called
from any thread; those that change something return once the change is on disk.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path

from emulator.lambda_service.control_plane.catalogue import Catalogue, ResolvedFunction
from emulator.lambda_service.control_plane.event_invoke import EventInvokeOperations
from emulator.lambda_service.control_plane.names import Place
from emulator.lambda_service.control_plane.state import StateFolder
from emulator.lambda_service.control_plane.template_functions import TemplateOperations


class FunctionOperations(TemplateOperations, EventInvokeOperations):
    """The functions of an account, as AWS's operations show and change them.

    Parameters
    ----------
    catalogue : Catalogue
        What they read and change.
    """

    @property
    def catalogue(self) -> Catalogue:
        """What the operations read and change."""
        return self._catalogue

    def resolve(self, function_name: str, qualifier: str | None, draw: float) -> ResolvedFunction:
        """See `Catalogue.resolve`."""
        return self._catalogue.resolve(function_name, qualifier, draw)

    def close(self) -> None:
        """Give the state's folder back."""
        self._catalogue.close()


def open_operations(
    state_dir: Path | None,
    place: Place,
    now: Callable[[], dt.datetime],
    *,
    concurrency: int = 1000,
    unreserved_minimum: int = 100,
    private: Iterable[Path] = (),
) -> FunctionOperations:
    """Read an account from its folder, or begin one.

    Parameters
    ----------
    state_dir : Path or None
        The folder; None keeps everything in a temporary one.
    place : Place
        Region and account number.
    now : callable
        The time, with its zone.
    concurrency, unreserved_minimum : int
        The account's limit on requests in flight, and what reservations must leave of it.
    private : iterable of Path
        Folders and files that are never part of a function's code.

    Raises
    ------
    StateError
        The folder is in use, somebody else's, damaged, or of a later format.
    """
    state = StateFolder(state_dir, private)
    catalogue = Catalogue(
        state, state.open(), place, now, concurrency=concurrency, unreserved_minimum=unreserved_minimum
    )
    return FunctionOperations(catalogue)
