"""Lines of the prediction log, for tests: the requests of a rollout of version 2 in place of version 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from model_registry.routing import routing_point
from model_watch.prediction_log import LogLine, PlatformLine, ShadowEntry

MAIN, CANDIDATE = 1, 2
ROLLOUT = "live-rollout-1"
SHADOW_REVISION, CANARY_REVISION, BAKE_REVISION = 4, 5, 6
WEIGHTS = {SHADOW_REVISION: 0.0, CANARY_REVISION: 0.1, BAKE_REVISION: 1.0}
START = datetime(2026, 3, 12, 19, 0, tzinfo=UTC)
SCORES = (0.004, 0.008, 0.012, 0.03)
THRESHOLD = 0.025


class Traffic:
    """Makes log lines, one after the other: each of another loan, a tenth of a second later."""

    def __init__(self) -> None:
        self._numbers = count()

    def skip(self, requests: int) -> None:
        """Leave so many loans out."""
        self._numbers = count(next(self._numbers) + requests)

    def lines(
        self,
        requests: int,
        *,
        weight: float = 0.1,
        revision: int = CANARY_REVISION,
        change: Callable[[LogLine], Any] | None = None,
    ) -> Iterator[LogLine]:
        """Yield the lines of requests, split by the weight; ``change`` is applied to those of the candidate."""
        for _ in range(requests):
            line = self.line(weight=weight, revision=revision)
            yield change(line) if change and line.routed_version == CANDIDATE else line

    def line(self, *, weight: float = 0.0, revision: int = CANARY_REVISION, **members: Any) -> LogLine:
        """Return the next line; its loan's hash decides which version it is routed to."""
        number = next(self._numbers)
        version = CANDIDATE if routing_point(ROLLOUT, f"loan-{number}") < weight else MAIN
        score = SCORES[number % len(SCORES)]
        facts: dict[str, Any] = {
            "time": START + timedelta(seconds=number / 10),
            "invocation_id": f"invocation-{number}",
            "request_id": f"request-{number}",
            "route": "/predict",
            "status": 200,
            "latency_ms": 5.0 + number % 7 / 10,
            "score_ms": 0.1,
            "rows": 1,
            "version": version,
            "routed_version": version,
            "alias": "live",
            "alias_revision": revision,
            "rollout": ROLLOUT,
            "key": f"key-{number}",
            "threshold": THRESHOLD,
            "loans": (f"key-{number}",),
            "late_probabilities": (score,),
            "is_late": (score >= THRESHOLD,),
        }
        return LogLine(**facts | members)

    def shadowed(self, requests: int, **entry: Any) -> Iterator[LogLine]:
        """Yield lines of the main version with the candidate in their shadow."""
        for _ in range(requests):
            line = self.line(revision=SHADOW_REVISION)
            if entry.get("outcome", "scored") == "scored":
                scored: dict[str, Any] = {"late_probabilities": line.late_probabilities, "is_late": line.is_late}
            else:
                scored = {}
            members: dict[str, Any] = {"version": CANDIDATE, "outcome": "scored", "ms": 0.1} | scored | entry
            yield replace(line, shadow=ShadowEntry(**members))


def failed(line: LogLine) -> LogLine:
    """Return the line of the request if its model had raised."""
    return replace(line, status=500, late_probabilities=(), is_late=(), loans=())


def answered_by_main(line: LogLine) -> LogLine:
    """Return the line of the request if the version that it was routed to was not loaded."""
    return replace(line, version=MAIN)


def refused(line: LogLine) -> LogLine:
    """Return the line of the request if the candidate had been refused, or was taken out of charge within it."""
    return replace(line, version=MAIN, refused_versions=(CANDIDATE,))


def crash(number: int, minutes: float = 1) -> PlatformLine:
    """Return Lambda's report of an execution that timed out."""
    return PlatformLine(time=START + timedelta(minutes=minutes), invocation_id=f"crash-{number}", status="timeout")
