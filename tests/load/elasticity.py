"""How fast there is more: environments from nothing, calls that last a second, and what each environment takes."""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from http_load import LoadResult, Target, run_load
from process_memory import children_of, descendants_of, pss_mb
from servers import Server

_GONE_LIMIT_S = 10.0
_BURST_LIMIT_S = 120.0


@dataclass(frozen=True)
class Burst:
    """Calls at once, each of which takes a second.

    Parameters
    ----------
    calls : int
        How many.
    all_answered_s : float
        Until the last answer.
    all_began_s : float or None
        Until the last of as many environments had its call, where the function says when it began.
    environment_mb : float or None
        Memory of an environment, the mean of all, pages that they share counted by share.
    """

    calls: int
    all_answered_s: float
    all_began_s: float | None = None
    environment_mb: float | None = None


def burst_from_cold(server: Server, calls: int, *, is_forked: bool) -> Burst:
    """Return how an emulator without environments, but with its snapshot where it makes one, takes a burst."""
    _prepare(server, is_forked=is_forked)
    began = time.time()
    result = _burst(server.target, calls)
    answers = [json.loads(body) for body in result.first_bodies]
    for answer in answers:
        server.check(json.dumps(answer["answer"]).encode())
    environments = _environments(server)
    assert len(environments) == calls, f"{len(environments)} environments for {calls} calls at once"
    return Burst(
        calls, result.latencies_s[-1], max(answer["began"] for answer in answers) - began, mean_pss_mb(environments)
    )


def burst_of_sleepers(target: Target, calls: int) -> Burst:
    """Return how a server takes a burst of a function that does nothing but wait."""
    return Burst(calls, _burst(target, calls).latencies_s[-1])


def burst_of_invocations(target: Target, calls: int) -> Burst:
    """Return how a server without environments takes a burst of invocations of a function that says when it began."""
    began = time.time()
    result = _burst(target, calls)
    begins = [json.loads(json.loads(body)["body"])["began"] for body in result.first_bodies]
    return Burst(calls, result.latencies_s[-1], max(begins) - began)


def median_burst(bursts: Sequence[Burst]) -> Burst:
    """Return the burst whose last call began neither soonest nor latest."""
    return sorted(bursts, key=lambda burst: burst.all_began_s or 0.0)[len(bursts) // 2]


def forget_environments(server: Server, *, is_forked: bool) -> None:
    """End the environments of an emulator, so that a burst finds none; with SnapStart, its snapshot stays."""
    _prepare(server, is_forked=is_forked)


def first_answers_ms(server: Server, times: int) -> list[float]:
    """Return the milliseconds in which each of so many fork-started environments gave its first answer."""
    took = []
    for _ in range(times):
        _prepare(server, is_forked=True)
        result = run_load(server.target, 1, _BURST_LIMIT_S, requests_each=1)
        server.check(result.first_bodies[0])
        took.append(result.latencies_s[0] * 1000)
    return took


def mean_pss_mb(processes: Iterable[int]) -> float | None:
    """Return the mean memory of processes; None where Linux does not say."""
    sizes = [size for size in map(pss_mb, processes) if size is not None]
    return statistics.mean(sizes) if sizes else None


def _burst(target: Target, calls: int) -> LoadResult:
    result = run_load(target, calls, _BURST_LIMIT_S, requests_each=1)
    assert len(result.latencies_s) == calls, f"{result.refused} of {calls} calls failed"
    return result


def _prepare(server: Server, *, is_forked: bool) -> None:
    """Leave the server without environments, and without SnapStart without what they are forked from."""
    if is_forked:
        run_load(server.target, 1, _BURST_LIMIT_S, requests_each=1)
    processes = _environments if is_forked else _all_processes
    for pid in processes(server):
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + _GONE_LIMIT_S
    while processes(server):
        assert time.monotonic() < end, "environments don't end"
        time.sleep(0.01)


def _all_processes(server: Server) -> set[int]:
    return descendants_of(server.pid)


def _environments(server: Server) -> set[int]:
    """Return the processes that run functions: forks of snapshots, and of the base."""
    return descendants_of(server.pid) - children_of(server.pid)
