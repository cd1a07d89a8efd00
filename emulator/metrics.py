"""Counts the requests of the last minute by route, status and latency, and by one header of the answers.

Pure but for its clock.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

WINDOW_S = 60
# Requests per second are averaged over this many whole seconds, few enough to show a change soon.
_RATE_OVER_S = 5
# Latencies are counted in classes from 10 µs to 15 minutes, each 9 % wider than the last.
_CLASSES_PER_DOUBLING = 8
_SHORTEST_S = 1e-5
_CLASSES = 8 * 27
# A longer value of the counted header is cut.
_LONGEST_VALUE = 64


class _Kind(NamedTuple):
    """Requests that are counted together; ``value`` is that of the counted header, empty without one."""

    route: str
    status: int
    latency_class: int
    value: str


_Counts = Counter[_Kind]


class RequestMeter:
    """Counts requests by route; the clock gives monotonic seconds.

    If ``counted_header`` names one, requests are also counted by the value of that header of their answers.
    """

    def __init__(self, clock: Callable[[], float], counted_header: str | None = None) -> None:
        self._clock = clock
        self._header = counted_header
        self._seconds: deque[tuple[int, _Counts]] = deque([(int(clock()), Counter())], maxlen=WINDOW_S + 1)

    def record(self, route_key: str, status: int, seconds: float, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Count an answered request."""
        value = ""
        if self._header is not None:
            header = self._header.lower()
            value = next((text[:_LONGEST_VALUE] for name, text in headers if name.lower() == header), "")
        now = int(self._clock())
        if self._seconds[-1][0] != now:
            self._seconds.append((now, Counter()))
        self._seconds[-1][1][_Kind(route_key, status, _class_of(seconds), value)] += 1

    def clear(self) -> None:
        """Forget all requests."""
        self._seconds.clear()
        self._seconds.append((int(self._clock()), Counter()))

    def summary(self) -> dict[str, Any]:
        """Return the last minute's figures for JSON: of all requests, of each route, and of each header's value."""
        now = int(self._clock())
        counts: _Counts = Counter()
        latest: _Counts = Counter()
        for second, of_second in self._seconds:
            if now - WINDOW_S <= second <= now:
                counts.update(of_second)
            if now - _RATE_OVER_S <= second < now:
                latest.update(of_second)
        summary = {
            "windowSeconds": WINDOW_S,
            "all": _figures(counts, latest),
            "routes": _figures_by("route", counts, latest),
        }
        if self._header is not None:
            values = _figures_by("value", counts, latest)
            values.pop("", None)
            summary["byHeader"] = {"name": self._header, "values": values}
        return summary


def _figures_by(attribute: str, counts: _Counts, latest: _Counts) -> dict[str, Any]:
    """Return the figures of each route, or of each value of the counted header."""

    def of(group: str, counts: _Counts) -> _Counts:
        return Counter({kind: count for kind, count in counts.items() if getattr(kind, attribute) == group})

    groups = sorted({getattr(kind, attribute) for kind in counts})
    return {group: _figures(of(group, counts), of(group, latest)) for group in groups}


def _figures(counts: _Counts, latest: _Counts) -> dict[str, Any]:
    statuses: Counter[int] = Counter()
    latencies: Counter[int] = Counter()
    for kind, count in counts.items():
        statuses[kind.status] += count
        latencies[kind.latency_class] += count
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
