"""Folds the prediction log's lines into what the guards judge: measures of each request, by version and alias revision.

What ``table`` returns depends on the lines that were added, not on their order or batches. A key counts once for a
version at a revision of the alias, with its earliest request that tells something: retries and a client that sends one
loan again and again add nothing (docs/reliability.md, fault 32). What a version says of a loan counts once in the whole
rollout.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from operator import ne
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_rollout.canary_table import HASH_BITS, MEASURES, CanaryTable, Comparison, Floats, Series, minutes_since
from model_watch.prediction_log import LogLine, PlatformLine, ShadowEntry

# The measures of one request that the candidate scored in the shadow.
SHADOW_MEASURES: Final = ("failed", "flipped", "flag_change", "difference", "times_slower")
# Beyond this many lines of a version its oldest half is forgotten. A million take about 150 MB.
MOST_ROWS: Final = 250_000
# Arrays take microseconds, and a pause of the machine many times as long. Nobody notices less than this.
_UNNOTICED_MS: Final = 1.0


class _Rows:
    """Rows of numbers in little memory: the earliest of each id. The oldest half is forgotten when it is full."""

    def __init__(self, width: int, time_column: int) -> None:
        self._width = width
        self._time_column = time_column
        self._values = array("d")
        self._keys = array("q")
        # The number of each id's row, counted with those that are forgotten.
        self._ids: dict[int, int] = {}
        self._forgotten = 0

    def add(self, identity: tuple[object, ...], key: int, values: Sequence[float]) -> None:
        name = _hash(*identity)
        number = self._ids.get(name)
        if number is not None:
            begin = (number - self._forgotten) * self._width
            if values[self._time_column] < self._values[begin + self._time_column]:
                self._values[begin : begin + self._width] = array("d", values)
            return
        if len(self._keys) >= MOST_ROWS:
            half = MOST_ROWS // 2
            del self._values[: half * self._width], self._keys[:half]
            self._ids = dict(list(self._ids.items())[half:])
            self._forgotten += half
        self._ids[name] = self._forgotten + len(self._keys)
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
    """

    def __init__(
        self, candidate: int, main: int, rollout: str, start: datetime, weights: Mapping[int, float] | None = None
    ) -> None:
        self.candidate = candidate
        self.main = main
        self.weights: Mapping[int, float] = dict(weights or {})
        self._rollout = rollout
        self._start = start
        # Requests and crashes of all versions in each minute since the start, and of all time before it (None).
        self._executions: defaultdict[int | None, list[int]] = defaultdict(lambda: [0, 0])
        # Apart, so that the candidate's requests in the bake never displace what they are compared with.
        self._rows = {version: _Rows(3 + len(MEASURES), time_column=2) for version in (main, candidate)}
        self._shadow_rows = _Rows(1 + len(SHADOW_MEASURES), time_column=0)

    def add(self, lines: Iterable[LogLine | PlatformLine]) -> None:
        """Take lines in; each request once only, as ``LogReader`` returns them."""
        for line in lines:
            if isinstance(line, LogLine):
                self._add_request(line)
            elif isinstance(line, PlatformLine) and line.status != "success":
                self._executions[self._minute_of(line)][1] += 1

    def _add_request(self, line: LogLine) -> None:
        self._executions[self._minute_of(line)][0] += 1
        # What the client got wrong is refused before a version is chosen, and counts for none.
        version = self._version_of(line)
        if version is None:
            return
        is_ours = line.rollout == self._rollout
        if version == self.candidate and not is_ours:
            return
        revision = line.alias_revision or 0 if is_ours else 0
        # Without a hash key in the configuration no line has a key: then each request counts.
        key = _hash(line.key or line.invocation_id)
        side = float(version == self.candidate)
        measures = self._measure(line, version)
        # A request that tells nothing, since the version wasn't loaded yet, doesn't stand for the key's later ones.
        identity = (revision, key, all(map(math.isnan, measures)))
        self._rows[version].add(identity, key, (side, revision, line.time.timestamp(), *measures))
        if is_ours and line.shadow is not None and line.shadow.version == self.candidate:
            measures = _measure_shadow(line, line.shadow)
            self._shadow_rows.add((key, math.isnan(measures[0])), key, (line.time.timestamp(), *measures))

    def _minute_of(self, line: LogLine | PlatformLine) -> int | None:
        return int((line.time - self._start).total_seconds() // 60) if line.time >= self._start else None

    def _version_of(self, line: LogLine) -> int | None:
        """Return the version that a request counts for: the one that it was meant for, not the one that helped out."""
        if line.routed_version == self.candidate or self.candidate in line.refused_versions:
            return self.candidate
        return self.main if line.routed_version == self.main else None

    def _measure(self, line: LogLine, version: int) -> tuple[float, ...]:
        # Once a version was chosen, a refusal is that version's: with 413 it is too slow for so many reasons.
        failed = float(line.status >= 400)
        if version in line.refused_versions:
            refused = 1.0
        elif line.version is not None and line.version != version:
            # It is on its way, or the bucket doesn't answer: neither is the version's fault.
            refused = math.nan
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
        keys = np.concatenate([rows.keys() for rows in self._rows.values()])
        values = np.concatenate([rows.values() for rows in self._rows.values()])
        return CanaryTable(keys, values, self.weights, self._start.timestamp())

    def crashes(self) -> Comparison:
        """Return which executions crashed since the start, and before it, whatever version they were for."""
        minutes = sorted(minute for minute in self._executions if minute is not None)
        counts = [count for minute in minutes for count in self._executions[minute]]
        before = self._executions.get(None, [0, 0])
        nothing = Series.of(np.empty(0))
        return Comparison(
            candidate=nothing,
            main=nothing,
            alone=Series.of(np.tile([0.0, 1.0], len(minutes)), np.repeat(minutes, 2), counts=counts),
            reference=Series.of(np.array([0.0, 1.0]), counts=before) if any(before) else nothing,
        )

    def shadow(self, measure: str) -> Series:
        """Return one of ``SHADOW_MEASURES`` of all requests that tell it."""
        values = self._shadow_rows.values()
        times, column = values[:, 0], values[:, 1 + SHADOW_MEASURES.index(measure)]
        is_told = ~np.isnan(column)
        return Series.of(column[is_told], minutes_since(self._start.timestamp(), times[is_told]))


def _measure_shadow(line: LogLine, shadow: ShadowEntry) -> tuple[float, ...]:
    if shadow.outcome != "scored":
        failed = 1.0 if shadow.outcome in ("failed", "refused") else math.nan
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
    return int.from_bytes(digest, "big") >> (64 - HASH_BITS)
