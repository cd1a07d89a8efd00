"""Servers under load in turns: every round asks each of them, so that a noisy machine slows all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from http_load import LoadResult, run_load
from servers import Server

CLIENTS = (1, 8, 32)
_WARM_UP_S = 1.0
_MAY_FAIL = ("sam", "ministack")


@dataclass(frozen=True)
class Figures:
    """One server at one number of clients: medians over the rounds.

    Parameters
    ----------
    per_second : float
        Answers.
    p50_ms, p99_ms : float
        Latencies.
    answers, refused, checked : int
        Of all rounds: how many had status 200, how many had not, and how many were looked into.
    client_share : float
        Of one core's time, what the client itself took.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    answers: int
    refused: int
    checked: int
    client_share: float


Table = dict[tuple[str, int], Figures]


def measure(servers: Sequence[Server], rounds: int, window_s: float, note: Callable[[str], None]) -> Table:
    """Return the figures of each server at each number of clients.

    Raises
    ------
    AssertionError
        An answer is wrong, or, but from SAM CLI and MiniStack, has another status than 200.
    """
    for server in servers:
        _ask(server, max(CLIENTS), min(_WARM_UP_S, window_s))
    results: dict[tuple[str, int], list[LoadResult]] = {}
    for number in range(rounds):
        for clients in CLIENTS:
            for server in servers:
                results.setdefault((server.name, clients), []).append(_ask(server, clients, window_s))
        note(f"round {number + 1} of {rounds}")
    return {key: _figures(of_one) for key, of_one in results.items()}


def _ask(server: Server, clients: int, window_s: float) -> LoadResult:
    result = run_load(server.target, clients, window_s * server.patience)
    # They fail a request now and then where there are many at once; that is counted and said.
    assert not result.refused or server.name.startswith(_MAY_FAIL), f"{server.name}: {result.refused} requests failed"
    for body in result.first_bodies:
        server.check(body)
    return result


def _figures(results: Sequence[LoadResult]) -> Figures:
    def median(values: list[float]) -> float:
        return statistics.median(values)

    return Figures(
        per_second=median([result.per_second for result in results]),
        p50_ms=median([result.quantile_s(0.5) * 1000 for result in results]),
        p99_ms=median([result.quantile_s(0.99) * 1000 for result in results]),
        answers=sum(len(result.latencies_s) for result in results),
        refused=sum(result.refused for result in results),
        checked=sum(len(result.first_bodies) for result in results),
        client_share=median([result.client_cpu_s / result.seconds for result in results]),
    )
