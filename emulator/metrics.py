"""Requests of the last minute: how many, with what outcome, how long. Pure but for its clock."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

WINDOW_S = 60
# Requests a second are those of the last whole seconds, so that a change shows soon.
_RATE_OVER_S = 5
# Latencies are counted in classes, each 9 % wider than the one before: from 10 µs on, up to 15 minutes.
_CLASSES_PER_DOUBLING = 8
_SHORTEST_S = 1e-5
_CLASSES = 8 * 27


@dataclass(slots=True)
class _Second:
    """What one second brought, by route."""

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
        """Count one request that was answered."""
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
        """Return figures of the last minute, of all requests and of each route, for JSON."""
        now = int(self._clock())
        recent = [one for one in self._seconds if now - WINDOW_S <= one.number <= now]
        routes = sorted({route for one in recent for route in one.statuses})
        return {
            "windowSeconds": WINDOW_S,
            "all": _figures(recent, routes, now),
            "routes": {route: _figures(recent, [route], now) for route in routes},
        }


def _figures(recent: Iterable[_Second], routes: Iterable[str], now: int) -> dict[str, Any]:
    statuses: Counter[int] = Counter()
    latencies: Counter[int] = Counter()
    lately = 0
    for one in recent:
        for route in routes:
            statuses.update(one.statuses.get(route, {}))
            latencies.update(one.latencies.get(route, {}))
            if now - _RATE_OVER_S <= one.number < now:
                lately += sum(one.statuses.get(route, {}).values())
    return {
        "requests": sum(statuses.values()),
        "requestsPerSecond": lately / _RATE_OVER_S,
        "statuses": {str(status): statuses[status] for status in sorted(statuses)},
        "latencyMs": {f"p{share}": _percentile_ms(latencies, share / 100) for share in (50, 90, 99)},
    }


def _class_of(seconds: float) -> int:
    if seconds <= _SHORTEST_S:
        return 0
    return min(int(math.log2(seconds / _SHORTEST_S) * _CLASSES_PER_DOUBLING), _CLASSES)


def _percentile_ms(latencies: Counter[int], share: float) -> float | None:
    """Return a percentile, to within half of its class: 4.5 %."""
    wanted = math.ceil(sum(latencies.values()) * share)
    seen = 0
    for number in sorted(latencies):
        seen += latencies[number]
        if seen >= wanted:
            return round(_SHORTEST_S * 2 ** ((number + 0.5) / _CLASSES_PER_DOUBLING) * 1000, 4)
    return None
