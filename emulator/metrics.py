"""Counts the requests of the last minute by route, status and latency. Pure but for its clock."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

WINDOW_S = 60
# Requests per second are averaged over this many whole seconds, few enough to show a change soon.
_RATE_OVER_S = 5
# Latencies are counted in classes from 10 µs to 15 minutes, each 9 % wider than the last.
_CLASSES_PER_DOUBLING = 8
_SHORTEST_S = 1e-5
_CLASSES = 8 * 27


# Route, status and latency class → number of requests.
_Counts = Counter[tuple[str, int, int]]


class RequestMeter:
    """Counts requests by route; the clock gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds: deque[tuple[int, _Counts]] = deque([(int(clock()), Counter())], maxlen=WINDOW_S + 1)

    def record(self, route_key: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        now = int(self._clock())
        if self._seconds[-1][0] != now:
            self._seconds.append((now, Counter()))
        self._seconds[-1][1][route_key, status, _class_of(seconds)] += 1

    def summary(self) -> dict[str, Any]:
        """Return the last minute's figures for JSON: of all requests, and of each route."""
        now = int(self._clock())
        counts: _Counts = Counter()
        latest: _Counts = Counter()
        for second, of_second in self._seconds:
            if now - WINDOW_S <= second <= now:
                counts.update(of_second)
            if now - _RATE_OVER_S <= second < now:
                latest.update(of_second)
        routes = sorted({route for route, _, _ in counts})
        return {
            "windowSeconds": WINDOW_S,
            "all": _figures(counts, latest),
            "routes": {route: _figures(_of_route(route, counts), _of_route(route, latest)) for route in routes},
        }


def _of_route(route: str, counts: _Counts) -> _Counts:
    return Counter({key: count for key, count in counts.items() if key[0] == route})


def _figures(counts: _Counts, latest: _Counts) -> dict[str, Any]:
    statuses: Counter[int] = Counter()
    latencies: Counter[int] = Counter()
    for (_, status, latency_class), count in counts.items():
        statuses[status] += count
        latencies[latency_class] += count
    return {
        "requests": counts.total(),
        "requestsPerSecond": latest.total() / _RATE_OVER_S,
        "statuses": {str(status): statuses[status] for status in sorted(statuses)},
        "latencyMs": {f"p{share}": _percentile_ms(latencies, share / 100) for share in (50, 90, 99)},
    }


def _class_of(seconds: float) -> int:
    if seconds <= _SHORTEST_S:
        return 0
    return min(int(math.log2(seconds / _SHORTEST_S) * _CLASSES_PER_DOUBLING), _CLASSES)


def _percentile_ms(latencies: Counter[int], share: float) -> float | None:
    """Return a percentile, exact to 4.5 % (half of its class)."""
    rank = math.ceil(latencies.total() * share)
    cumulative = 0
    for latency_class in sorted(latencies):
        cumulative += latencies[latency_class]
        if cumulative >= rank:
            return round(_SHORTEST_S * 2 ** ((latency_class + 0.5) / _CLASSES_PER_DOUBLING) * 1000, 4)
    return None
