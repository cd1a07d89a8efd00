"""Folds the prediction log's lines into what the guards judge: measures of each request, by version and alias revision.

What ``table`` returns depends on the lines that were added, not on their order or batches. A key counts once for a
version: retries and a client that sends one loan again and again add nothing (docs/reliability.md, fault 32).
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from operator import ne
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_watch.prediction_log import MODEL_REFUSED, LoadLine, LogLine, PlatformLine, ShadowEntry

Floats = NDArray[np.float64]

# The measures of one request, between 0 and 1 but for the last two; NaN where the request doesn't tell.
MEASURES: Final = ("failed", "refused", "flagged", "warned", "score", "latency_ms")
# The measures of one request that the candidate scored in the shadow.
SHADOW_MEASURES: Final = ("failed", "flipped", "flag_change", "difference", "times_slower")
# Beyond this many lines the oldest half is forgotten. A million take about 150 MB.
MOST_ROWS: Final = 500_000

_NOT_LOADED = 2.0  # Another version answered. That is a refusal only if the log says that the version was refused.
# Of so many requests the middle one's time is how far the log was seen: one environment's clock may be an hour ahead.
_NEWEST = 9


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


@dataclass(frozen=True)
class Comparison:
    """One measure of the candidate and of the version in charge.

    Attributes
    ----------
    candidate, main : ndarray of shape (n_pairs,)
        The i-th request of each, at the same alias revision and over the same width of the hash range.
    alone : ndarray of shape (n_alone,)
        The candidate's requests that have no counterpart: it had all traffic, or more than half of it.
    reference : ndarray of shape (n_reference,)
        All of the main version's requests, which ``alone`` is compared with.
    in_step : int
        How many of the candidate's requests came at the newest weight.
    """

    candidate: Floats
    main: Floats
    alone: Floats
    reference: Floats
    in_step: int


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
        self._newest: deque[datetime] = deque(maxlen=_NEWEST)
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

    @property
    def seen_until(self) -> datetime | None:
        """Until when the log was seen, by the clocks of most environments; None without requests since the start."""
        return sorted(self._newest)[len(self._newest) // 2] if self._newest else None

    def _add_request(self, line: LogLine) -> None:
        if line.time >= self._start:
            self.requests += 1
            self._newest.append(line.time)
        version = self._version_of(line)
        # What the client did wrong says nothing about a version.
        if version is None or 400 <= line.status < 500:
            return
        is_ours = line.rollout == self._rollout
        if version == self.candidate and not is_ours:
            return
        revision = line.alias_revision or 0 if is_ours else 0
        # Without a hash key in the configuration no line has a key: then each request counts.
        key = _hash(line.key or line.request_id)
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
            refused = _NOT_LOADED
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
            column = _resolve_refusals(column, values[:, 0], self._first_refusal)
        return column[~np.isnan(column)]


class CanaryTable:
    """The requests of both versions, in the order of their own times."""

    def __init__(
        self, keys: NDArray[np.int64], values: Floats, weights: Mapping[int, float], first_refusal: float
    ) -> None:
        order = np.argsort(values[:, 2], kind="stable")
        self._keys, values = keys[order], values[order]
        self._is_candidate = values[:, 0] == 1
        self._weights = weights
        self._revisions, times, points = values[:, 1].astype(np.int64), values[:, 2], values[:, 3]
        revisions, places = np.unique(self._revisions, return_inverse=True)
        of_revisions = [weights.get(int(revision), math.nan) for revision in revisions]
        self._weight = np.array(of_revisions, dtype=np.float64)[places]
        self._measures = dict(zip(MEASURES, values[:, 4:].T, strict=True))
        self._measures["refused"] = _resolve_refusals(self._measures["refused"], times, first_refusal)
        self._is_split = (self._weight > 0) & (self._weight < 1)
        is_in_range = self._is_in_range(points)
        self._is_compared = self._first_of_version(self._is_split & is_in_range)
        # Above a weight of .5 too, most of the candidate's requests have no counterpart.
        self._is_alone = self._is_candidate & ((self._weight == 1) | (self._is_split & ~is_in_range))
        self._is_alone &= ~np.isin(self._keys, self._keys[self._is_compared & self._is_candidate])
        self._is_alone = self._first_of_version(self._is_alone)
        self._measures["slow"] = self._slow()

    def compare(self, measure: str) -> Comparison:
        """Return a measure of both versions: one of ``MEASURES``, or ``slow``."""
        column = self._measures[measure]
        is_told = ~np.isnan(column)
        candidate, main = [], []
        for revision in np.unique(self._revisions[self._is_compared]):
            here = self._is_compared & is_told & (self._revisions == revision)
            first, second = column[here & self._is_candidate], column[here & ~self._is_candidate]
            pairs = min(len(first), len(second))
            candidate.append(first[:pairs])
            main.append(second[:pairs])
        current = self._weights[max(self._weights)] if self._weights else math.nan
        is_judged = (self._is_compared & self._is_candidate) | self._is_alone
        return Comparison(
            candidate=np.concatenate([*candidate, np.empty(0)]),
            main=np.concatenate([*main, np.empty(0)]),
            alone=column[self._is_alone & is_told],
            reference=column[~self._is_candidate & is_told],
            in_step=int(np.count_nonzero(is_judged & is_told & (self._weight == current))),
        )

    def split_counts(self) -> list[tuple[int, int, float]]:
        """Return keys of the candidate, keys of both, and the weight: each key where it came first."""
        first = np.zeros(len(self._keys), dtype=bool)
        positions = np.flatnonzero(self._is_split)
        first[positions[np.unique(self._keys[positions], return_index=True)[1]]] = True
        return [
            (
                int(np.count_nonzero(first & (self._weight == weight) & self._is_candidate)),
                int(np.count_nonzero(first & (self._weight == weight))),
                float(weight),
            )
            for weight in np.unique(self._weight[first])
        ]

    def _is_in_range(self, points: Floats) -> NDArray[np.bool_]:
        """Say which rows lie in parts of the hash range that are equally wide for both versions.

        ::

            0 ......... w ......... 2w .................. 1      w up to .5
            candidate   main        main, no counterpart

            0 ....... 1-w ..................... w ....... 1      w above .5
            candidate     candidate, alone      main
        """
        weight = np.where(self._is_split, self._weight, 0.5)
        width = np.minimum(weight, 1 - weight)
        drawn = (self._keys % 10_000) / 10_000
        drawn = np.where(self._is_candidate, drawn * weight, weight + drawn * (1 - weight))
        points = np.where(np.isnan(points), drawn, points)
        return np.asarray(points < np.where(self._is_candidate, width, weight + width))

    def _first_of_version(self, candidates: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Keep the first row of each key and version."""
        positions = np.flatnonzero(candidates)
        ids = self._keys[positions] * 2 + self._is_candidate[positions]
        kept = np.zeros(len(self._keys), dtype=bool)
        kept[positions[np.unique(ids, return_index=True)[1]]] = True
        return kept

    def _slow(self) -> Floats:
        """Return 1 where a request took longer than the main version's p99, 0 where it didn't.

        The p99 is that of before the canary. With too few requests of then it is that of all.
        """
        latency = self._measures["latency_ms"]
        is_main = ~self._is_candidate & ~np.isnan(latency)
        before = latency[is_main & ~self._is_split]
        usual = before if len(before) >= 100 else latency[is_main]
        if not len(usual):
            return np.full(len(latency), math.nan)
        return np.where(np.isnan(latency), math.nan, (latency > np.quantile(usual, 0.99)).astype(float))


def _measure_shadow(line: LogLine, shadow: ShadowEntry) -> tuple[float, ...]:
    if shadow.outcome != "scored":
        failed = {"failed": 1.0, "not_loaded": _NOT_LOADED}.get(shadow.outcome, math.nan)
        return failed, *[math.nan] * 3, math.inf if shadow.outcome == "over_budget" else math.nan
    span_ms = line.score_ms or 0.0
    if len({len(line.is_late), len(line.late_probabilities), len(shadow.is_late), len(shadow.late_probabilities)}) > 1:
        # The version in charge failed, or the line was damaged.
        return 0.0, *[math.nan] * 4
    rows = max(len(line.late_probabilities), 1)
    difference = (math.fsum(shadow.late_probabilities) - math.fsum(line.late_probabilities)) / rows
    flipped = sum(map(ne, line.is_late, shadow.is_late)) / rows
    flag_change = (sum(shadow.is_late) - sum(line.is_late)) / rows
    return 0.0, flipped, flag_change, difference, shadow.ms / span_ms if span_ms > 0 else math.nan


def _resolve_refusals(column: Floats, times: Floats, first_refusal: float) -> Floats:
    """Count requests that another version answered from the moment on at which this one was refused.

    Before, it may have been on its way: a pickle is opened beside the requests.
    """
    return np.where(column == _NOT_LOADED, np.where(times >= first_refusal, 1.0, math.nan), column)


def _hash(*parts: object) -> int:
    # Not Python's own hash: which row is drawn must not differ between two controllers.
    digest = blake2b("\x00".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 12
