"""Timing two ways of doing the same in turns, so that what else the machine does slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Pair:
    """Medians in seconds."""

    slow_s: float
    fast_s: float


def time_in_turns(
    slow: Callable[[int], object],
    fast: Callable[[int], object],
    *,
    rounds: int,
    fast_a_round: int = 3,
    longest_s: float,
    clock: Callable[[], float] = time.thread_time,
) -> Pair:
    """Call both in turns and return the medians.

    Parameters
    ----------
    slow, fast : callable
        Called with the number of the round.
    rounds : int
        At most so many.
    fast_a_round : int
        How often the fast one is called for each call of the slow one. The first after something else finds cold
        caches; so does a request.
    longest_s : float
        No round begins later than this.
    clock : callable
        By default the processor's time of this thread: what works alone and waits for nothing takes as long on a core
        of its own, and on a shared one the wall clock would count what others do. For what waits, ``perf_counter``.
    """
    slow_s: list[float] = []
    fast_s: list[float] = []
    end = time.perf_counter() + longest_s
    for turn in range(rounds):
        slow_s.append(seconds_of(slow, turn, clock))
        fast_s += [seconds_of(fast, turn, clock) for _ in range(fast_a_round)]
        if time.perf_counter() > end:
            break
    return Pair(statistics.median(slow_s), statistics.median(fast_s))


def seconds_of(call: Callable[[int], object], turn: int, clock: Callable[[], float] = time.thread_time) -> float:
    """Return how long one call takes."""
    started = clock()
    call(turn)
    return clock() - started


def tell(
    out: TextIO, name: str, pair: Pair, names: Sequence[str] = ("pickle", "arrays"), *, is_gate: bool = True
) -> None:
    """Print both medians as a line for people and, of what has a target, their ratio as one for programs."""
    slow, fast = names
    ratio = pair.slow_s / pair.fast_s
    print(f"{name}: {slow} {_readable(pair.slow_s)}, {fast} {_readable(pair.fast_s)} ({ratio:.2f})", file=out)
    if is_gate:
        print(f"bench: {name} ratio={ratio:.2f}", file=out, flush=True)


def _readable(seconds: float) -> str:
    return f"{seconds * 1000:,.3f} ms" if seconds < 1 else f"{seconds:,.2f} s"
