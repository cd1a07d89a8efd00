"""Folds the prediction log's lines into what the guards judge: measures of each request, by version and alias revision.

What ``table`` returns depends on the lines that were added, not on their order or batches. A key counts once for a
version: retries and a client that sends one loan again and again add nothing (docs/reliability.md, fault 32).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from operator import ne
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_rollout.canary_table import MEASURES, NOT_LOADED, CanaryTable, Floats, resolve_refusals
from model_watch.prediction_log import MODEL_REFUSED, LoadLine, LogLine, PlatformLine, ShadowEntry

# The measures of one request that the candidate scored in the shadow.
SHADOW_MEASURES: Final = ("failed", "flipped", "flag_change", "difference", "times_slower")
# Beyond this many lines the oldest half is forgotten. A million take about 150 MB.
MOST_ROWS: Final = 500_000
# Arrays take microseconds, and a pause of the machine many times as long. Nobody notices less than this.
_UNNOTICED_MS: Final = 1.0


class _Rows:
    """Rows of numbers in little memory; each id is taken once, and the oldest half is forgotten when it is full."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._values = array("d")
        self._keys = array("q")
        self._ids: set[int] = set()

    def add(self, identity: tuple[object, ...], key: int, values: Sequence[float]) -> None:
        if (number := _hash(*identity)) in self._ids:
            return
        if len(self._keys) >= MOST_ROWS:
            half = MOST_ROWS // 2
            del self._values[: half * self._width], self._keys[:half]
            self._ids.clear()
        self._ids.add(number)
        self._keys.append(key)
        self._values.extend(values)

    def keys(self) -> NDArray[np.int64]:
        return np.array(self._keys, dtype=np.int64)

    def values(self) -> Floats:
        return np.array(self._values, dtype=np.float64).reshape(-1, self._width)


class Observations:
    """Collects the lines that matter to one rollout.

    Give it lines from before the start, too: the main version's latencies and figures of then are what the candidate is
    compared with when it has all traffic.

    Attributes
    ----------
    weights : mapping of int to float
        The candidate's weight at each alias revision of this rollout, 0 in the shadow stage; set it anew after each
        alias update. Lines of a revision that isn't named count once it is.
    requests, crashes : int
        Requests of all versions since the start, and executions that ended without an answer.
    """

    def __init__(
        self, candidate: int, main: int, rollout: str, start: datetime, weights: Mapping[int, float] | None = None
    ) -> None:
        self.candidate = candidate
        self.main = main
        self.weights: Mapping[int, float] = dict(weights or {})
        self.requests = 0
        self.crashes = 0
        self._rollout = rollout
        self._start = start
        self._first_refusal = math.inf
        self._rows = _Rows(4 + len(MEASURES))
        self._shadow_rows = _Rows(1 + len(SHADOW_MEASURES))

    def add(self, lines: Iterable[LogLine | LoadLine | PlatformLine]) -> None:
        """Take lines in; each request once only, as ``LogReader`` returns them."""
        for line in lines:
            if isinstance(line, LogLine):
                self._add_request(line)
            elif isinstance(line, LoadLine):
                if line.kind == MODEL_REFUSED and line.version == self.candidate and line.time >= self._start:
                    self._first_refusal = min(self._first_refusal, line.time.timestamp())
            elif line.status != "success" and line.time >= self._start:
                self.crashes += 1

    def _add_request(self, line: LogLine) -> None:
        self.requests += line.time >= self._start
        version = self._version_of(line)
        # What the client did wrong says nothing about a version.
        if version is None or 400 <= line.status < 500:
            return
        is_ours = line.rollout == self._rollout
        if version == self.candidate and not is_ours:
            return
        revision = line.alias_revision or 0 if is_ours else 0
        # Without a hash key in the configuration no line has a key: then each request counts.
        key = _hash(line.key or line.invocation_id)
        side = float(version == self.candidate)
        # A request that failed before it was routed has no point: it gets one that depends on nothing else.
        point = math.nan if line.point is None else line.point
        values = (side, revision, line.time.timestamp(), point, *self._measure(line, version))
        self._rows.add((side, revision, key), key, values)
        if is_ours and line.shadow is not None and line.shadow.version == self.candidate:
            self._shadow_rows.add((key,), key, (line.time.timestamp(), *_measure_shadow(line, line.shadow)))

    def _version_of(self, line: LogLine) -> int | None:
        """Return the version that a request counts for: the one that it was meant for, not the one that helped out."""
        if line.routed_version == self.candidate or self.candidate in line.refused_versions:
            return self.candidate
        return self.main if line.routed_version == self.main else None

    def _measure(self, line: LogLine, version: int) -> tuple[float, ...]:
        failed = float(line.status >= 500)
        if version in line.refused_versions:
            refused = 1.0
        elif line.version is not None and line.version != version:
            refused = NOT_LOADED
        else:
            refused = 0.0
        if refused or failed:
            return (failed if failed or not refused else math.nan, refused, *[math.nan] * 4)
        rows = max(len(line.late_probabilities), 1)
        return (
            failed,
            refused,
            sum(line.is_late) / rows,
            len(line.warnings) / rows,
            math.fsum(line.late_probabilities) / rows,
            math.nan if line.cold_start else line.latency_ms,
        )

    def table(self) -> CanaryTable:
        """Return the canary's rows, each key once."""
        return CanaryTable(self._rows.keys(), self._rows.values(), self.weights, self._first_refusal)

    def shadow(self, measure: str) -> Floats:
        """Return one of ``SHADOW_MEASURES`` of all requests that tell it."""
        values = self._shadow_rows.values()
        column = values[:, 1 + SHADOW_MEASURES.index(measure)]
        if measure == "failed":
            column = resolve_refusals(column, values[:, 0], self._first_refusal)
        return column[~np.isnan(column)]


def _measure_shadow(line: LogLine, shadow: ShadowEntry) -> tuple[float, ...]:
    if shadow.outcome != "scored":
        failed = {"failed": 1.0, "not_loaded": NOT_LOADED}.get(shadow.outcome, math.nan)
        # A request that was passed over, since earlier ones took too long, was measured by these.
        is_begun = shadow.outcome == "over_budget" and shadow.ms >= _UNNOTICED_MS
        return failed, *[math.nan] * 3, _times_slower(shadow.ms, line.score_ms or 0.0) if is_begun else math.nan
    if len({len(line.is_late), len(line.late_probabilities), len(shadow.is_late), len(shadow.late_probabilities)}) > 1:
        # The version in charge failed, or the line was damaged.
        return 0.0, *[math.nan] * 4
    rows = max(len(line.late_probabilities), 1)
    difference = (math.fsum(shadow.late_probabilities) - math.fsum(line.late_probabilities)) / rows
    flipped = sum(map(ne, line.is_late, shadow.is_late)) / rows
    flag_change = (sum(shadow.is_late) - sum(line.is_late)) / rows
    return 0.0, flipped, flag_change, difference, _times_slower(shadow.ms, line.score_ms or 0.0)


def _times_slower(shadow_ms: float, span_ms: float) -> float:
    """Return how many times as long the shadow took as the version in charge; NaN where that isn't known."""
    if span_ms <= 0:
        return math.nan
    return shadow_ms / span_ms if shadow_ms >= span_ms + _UNNOTICED_MS else min(shadow_ms / span_ms, 1.0)


def _hash(*parts: object) -> int:
    # Not Python's own hash: which row is drawn must not differ between two controllers.
    digest = blake2b("\x00".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 12
