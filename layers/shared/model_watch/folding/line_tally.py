"""Counts lines of the prediction log, by day and version. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date
from itertools import chain
from operator import ne
from typing import Final

import numpy as np

from model_watch.counts import Ints
from model_watch.prediction_log import LogLine, PlatformLine, ShadowEntry
from model_watch.profile_characters import CHARACTERS
from model_watch.tally import (
    LATENCY_BINS,
    LATENCY_EDGES_MS,
    DayTally,
    Floats,
    ScoreCounts,
    ShadowTally,
    VersionTally,
)

Line = LogLine | PlatformLine

# So many lines or records are held at once: some ten megabytes.
_BATCH: Final = 20_000
# The shadow's outcomes that are its own fault.
SHADOW_FAILURES: Final = ("failed", "refused")
# A character's place in ``CHARACTERS``, by its code.
_PLACES = np.zeros(256, dtype=np.intp)
_PLACES[list(CHARACTERS.encode("ascii"))] = np.arange(len(CHARACTERS))


def fold(lines: Iterable[Line]) -> dict[date, DayTally]:
    """Return the tallies of lines by their own day (UTC); each request once only, as ``LogReader`` returns them.

    Parts of the log may be folded apart: ``add_days`` adds what was counted.
    """
    days: dict[date, DayTally] = {}
    for batch in _batches(lines):
        days = add_days(days, _fold_batch(batch))
    return days


def add_days(one: Mapping[date, DayTally], other: Mapping[date, DayTally]) -> dict[date, DayTally]:
    """Return the sums of two foldings, day by day."""
    return {**one, **{day: one[day] + tally if day in one else tally for day, tally in other.items()}}


def latency_counts(latencies_ms: Floats) -> Ints:
    """Return how many times are in each bin of ``VersionTally.latency``."""
    return np.bincount(LATENCY_EDGES_MS.searchsorted(latencies_ms, side="right"), minlength=LATENCY_BINS)


def count_profiles(profiles: Sequence[str]) -> Ints:
    """Return how often each column has each character; see ``VersionTally.profiles``.

    A version has one training profile. Should its profiles be of several lengths, each column counts those that have
    it.
    """
    lengths = set(map(len, profiles))
    if len(lengths) > 1:
        parts = [count_profiles([profile for profile in profiles if len(profile) == length]) for length in lengths]
        return sum([VersionTally(profiles=part) for part in parts], VersionTally()).profiles
    columns, size = sum(lengths), len(CHARACTERS)
    codes = "".join(profiles).encode("ascii")
    places = _PLACES.take(np.frombuffer(codes, dtype=np.uint8)).reshape(len(profiles), columns)
    places += np.arange(columns) * size
    return np.bincount(places.ravel(), minlength=columns * size).reshape(columns, size)


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += 1 if isinstance(line, PlatformLine) else max(1, len(line.late_probabilities))
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def _fold_batch(lines: Iterable[Line]) -> dict[date, DayTally]:
    crashes: Counter[date] = Counter()
    requests: defaultdict[date, defaultdict[int | None, list[LogLine]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        day = line.time.astimezone(UTC).date()
        if isinstance(line, LogLine):
            requests[day][line.version].append(line)
        elif line.status != "success":
            crashes[day] += 1
    return {
        day: DayTally(
            day,
            {version: _count(of_version) for version, of_version in requests[day].items() if version is not None},
            crashes=crashes[day],
            unversioned=len(requests[day].get(None, ())),
        )
        for day in {*requests, *crashes}
    }


def _count(lines: Sequence[LogLine]) -> VersionTally:
    """Count the requests of one version."""
    answers = [line for line in lines if line.status == 200]
    codes = [set(codes) for line in answers for codes in line.warnings.values() if codes]
    probabilities = [probability for line in answers for probability in line.late_probabilities]
    profiles = [profile for line in answers for profile in line.profiles]
    return VersionTally(
        requests=len(lines),
        failures=sum(line.status >= 500 for line in lines),
        latency=latency_counts(np.array([line.latency_ms for line in lines])),
        records=len(probabilities),
        flagged=sum(sum(line.is_late) for line in answers),
        warned=len(codes),
        warnings=Counter(chain.from_iterable(codes)),
        scores=ScoreCounts.of(np.array(probabilities, dtype=np.float64)),
        profiles=count_profiles(profiles),
        profiled=len(profiles),
        shadows=_count_shadows(answers),
    )


def _count_shadows(lines: Sequence[LogLine]) -> dict[int, ShadowTally]:
    shadowed: defaultdict[int, list[tuple[LogLine, ShadowEntry]]] = defaultdict(list)
    for line in lines:
        if line.shadow is not None:
            shadowed[line.shadow.version].append((line, line.shadow))
    return {version: _count_shadow(pairs) for version, pairs in shadowed.items()}


def _count_shadow(pairs: Sequence[tuple[LogLine, ShadowEntry]]) -> ShadowTally:
    scored = [(line, shadow) for line, shadow in pairs if shadow.outcome == "scored"]
    probabilities = [probability for _, shadow in scored for probability in shadow.late_probabilities]
    return ShadowTally(
        requests=len(pairs),
        failures=sum(shadow.outcome in SHADOW_FAILURES for _, shadow in pairs),
        records=len(probabilities),
        flips=sum(sum(map(ne, line.is_late, shadow.is_late)) for line, shadow in scored),
        scores=ScoreCounts.of(np.array(probabilities, dtype=np.float64)),
    )
