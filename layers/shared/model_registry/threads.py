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


def begin_and_stay(call: Callable[[], tuple[Result, Callable[[], object] | None]], name: str) -> Future[Result]:
    """Begin a call on a daemon thread, which stays until the function that the call also returns has returned.

    For what ends with the thread that made it. The thread keeps no reference to the result.
    """
    future: Future[Result] = Future()
    threading.Thread(target=_settle_and_stay, args=([future], call), name=name, daemon=True).start()
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


def _settle_and_stay(
    futures: list[Future[Result]], call: Callable[[], tuple[Result, Callable[[], object] | None]]
) -> None:
    # Taken out of the list: the thread itself keeps its arguments as long as it lives.
    future = futures.pop()
    made = settled(call)
    error = made.exception()
    if error is not None:
        future.set_exception(error)
        return
    result, stay = made.result()
    future.set_result(result)
    del future, made, result
    if stay is not None:
        stay()
