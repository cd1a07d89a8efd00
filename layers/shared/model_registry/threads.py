"""Calls on threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def begin(call: Callable[[], Result], name: str) -> Future[Result]:
    """Begin a call on a daemon thread: unlike an executor's, it never keeps the process from ending."""
    future: Future[Result] = Future()
    threading.Thread(target=_settle, args=(future, call), name=name, daemon=True).start()
    return future


def settled(call: Callable[[], Result]) -> Future[Result]:
    """Make the call now, and return its result or its error in the same form."""
    future: Future[Result] = Future()
    _settle(future, call)
    return future


def _settle(future: Future[Result], call: Callable[[], Result]) -> None:
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 - raised where the result is asked for
        future.set_exception(error)
