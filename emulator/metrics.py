"""Counts the requests of the last minute by route, status and latency. Pure but for its clock."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

WINDOW_S = 60
# Requests per second are averaged over this many whole seconds, few enough to show a change soon.
_RATE_OVER_S = 5
# Latencies are counted in classes from 10 µs to 15 minutes, each 9 % wider than the last.
_CLASSES_PER_DOUBLING = 8
_SHORTEST_S = 1e-5
_CLASSES = 8 * 27


@dataclass(slots=True)
class _Second:
    """Statuses and latency classes of one second's requests, by route."""

    number: int
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    latencies: dict[str, Counter[int]] = field(default_factory=dict)


class RequestMeter:
    """Counts requests by route.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds: deque[_Second] = deque(maxlen=WINDOW_S + 1)
        self._now = _Second(int(clock()))
        self._seconds.append(self._now)

    def record(self, route_key: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        number = int(self._clock())
        if number != self._now.number:
            self._now = _Second(number)
            self._seconds.append(self._now)
        now = self._now
        if route_key not in now.statuses:
            now.statuses[route_key], now.latencies[route_key] = Counter(), Counter()
        now.statuses[route_key][status] += 1
        now.latencies[route_key][_class_of(seconds)] += 1

    def summary(self) -> dict[str, Any]:
        """Return the last minute's figures for JSON: of all requests, and of each route."""
        now = int(self._clock())
        recent = [second for second in self._seconds if now - WINDOW_S <= second.number <= now]
        routes = sorted({route for second in recent for route in second.statuses})
        return {
            "windowSeconds": WINDOW_S,
            "all": _figures(recent, routes, now),
            "routes": {route: _figures(recent, [route], now) for route in routes},
        }


def _figures(recent: Iterable[_Second], routes: Iterable[str], now: int) -> dict[str, Any]:
    statuses: Counter[int] = Counter()
    latencies: Counter[int] = Counter()
    counted_for_rate = 0
    for second in recent:
        for route in routes:
            statuses.update(second.statuses.get(route, {}))
            latencies.update(second.latencies.get(route, {}))
            if now - _RATE_OVER_S <= second.number < now:
                counted_for_rate += sum(second.statuses.get(route, {}).values())
    return {
        "requests": sum(statuses.values()),
        "requestsPerSecond": counted_for_rate / _RATE_OVER_S,
        "statuses": {str(status): statuses[status] for status in sorted(statuses)},
        "latencyMs": {f"p{share}": _percentile_ms(latencies, share / 100) for share in (50, 90, 99)},
    }


def _class_of(seconds: float) -> int:
    if seconds <= _SHORTEST_S:
        return 0
    return min(int(math.log2(seconds / _SHORTEST_S) * _CLASSES_PER_DOUBLING), _CLASSES)


def _percentile_ms(latencies: Counter[int], share: float) -> float | None:
    """Return a percentile, exact to 4.5 % (half of its class)."""
    rank = math.ceil(sum(latencies.values()) * share)
    cumulative = 0
    for latency_class in sorted(latencies):
        cumulative += latencies[latency_class]
        if cumulative >= rank:
            return round(_SHORTEST_S * 2 ** ((latency_class + 0.5) / _CLASSES_PER_DOUBLING) * 1000, 4)
    return None
