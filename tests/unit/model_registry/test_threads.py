"""Calls on threads of their own: their results and errors, and what a thread that stays holds on to."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from model_registry import threads

LIMIT_S = 60


class Result:
    """Something that can be referred to weakly."""


@pytest.mark.parametrize("begin", [threads.begin, lambda call, _name: threads.settled(call)])
def test_a_call_gives_its_result_or_its_error(begin: Callable[..., Future[int]]) -> None:
    assert begin(lambda: 7, "test").result(timeout=LIMIT_S) == 7
    assert isinstance(begin(lambda: 1 // 0, "test").exception(timeout=LIMIT_S), ZeroDivisionError)


def test_a_thread_stays_as_long_as_it_is_told_and_holds_no_result() -> None:
    may_end = threading.Event()
    stayed = threading.Event()

    def call() -> tuple[Result, Callable[[], object]]:
        def stay() -> None:
            stayed.set()
            may_end.wait(LIMIT_S)

        return Result(), stay

    future = threads.begin_and_stay(call, "stays")
    result = weakref.ref(future.result(timeout=LIMIT_S))
    assert stayed.wait(LIMIT_S)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "stays"]
    del future
    gc.collect()
    assert result() is None
    assert thread.is_alive()
    may_end.set()
    thread.join(LIMIT_S)
    assert not thread.is_alive()


def test_a_thread_that_has_nothing_to_stay_for_ends() -> None:
    assert threads.begin_and_stay(lambda: (7, None), "ends").result(timeout=LIMIT_S) == 7
    error = threads.begin_and_stay(lambda: (1 // 0, None), "ends").exception(timeout=LIMIT_S)
    assert isinstance(error, ZeroDivisionError)
    for thread in threading.enumerate():
        if thread.name == "ends":
            thread.join(LIMIT_S)
