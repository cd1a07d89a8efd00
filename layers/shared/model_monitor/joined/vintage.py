"""A vintage: the loans that were predicted in one calendar quarter, and what became of them. Pure.

Of each version, a loan's first prediction in the vintage counts. A day is in the vintage by its predictions' own time
(UTC).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from model_monitor.joined.maturity import KnownOutcomes, day_number, is_mature
from model_monitor.joined.outcome_tally import OutcomeTally, tally_outcomes
from model_monitor.joined.pair_tally import PairTally, tally_pairs
from model_monitor.joined.predictions import Predictions
from model_watch.folding.identities import Identities
from model_watch.log_objects import ONE_DAY

_NAME = re.compile(r"([0-9]{4})-Q([1-4])")

DayTallies = Mapping[date, Mapping[int, OutcomeTally]]


@dataclass(frozen=True, order=True)
class Quarter:
    """A calendar quarter; ``number`` is 1 to 4."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Quarter:
        """Return the quarter of a day."""
        return cls(day.year, (day.month + 2) // 3)

    @classmethod
    def parse(cls, name: str) -> Quarter | None:
        """Return the quarter of a vintage's name, such as 2026-Q1; None for another text."""
        match = _NAME.fullmatch(name)
        return cls(int(match[1]), int(match[2])) if match else None

    @property
    def name(self) -> str:
        """The vintage's name."""
        return f"{self.year:04d}-Q{self.number}"

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.next().first - ONE_DAY

    @property
    def days(self) -> list[date]:
        """All of its days."""
        return [self.first + number * ONE_DAY for number in range((self.last - self.first).days + 1)]

    def next(self) -> Quarter:
        """Return the quarter after it."""
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    def previous(self) -> Quarter:
        """Return the quarter before it."""
        return Quarter.of(self.first - ONE_DAY)


@dataclass(frozen=True)
class Vintage:
    """What became of the loans of a quarter.

    Attributes
    ----------
    name : str
        Such as 2026-Q1.
    days : mapping of date to mapping of int to OutcomeTally
        By day and version, for days with predictions. Of days that aren't mature the number of loans alone is known.
    fingerprint : str
        Changes if the log or the outcomes that it was counted from do.
    damaged : int
        Lines of the log that can't be read.
    """

    name: str
    days: DayTallies
    fingerprint: str
    damaged: int = 0

    def by_version(self) -> dict[int, OutcomeTally]:
        """Return the sums over its days, by version."""
        sums: defaultdict[int, OutcomeTally] = defaultdict(OutcomeTally)
        for versions in self.days.values():
            for version, tally in versions.items():
                sums[version] += tally
        return dict(sorted(sums.items()))


def as_of(days: DayTallies, today: date, window_days: int, known_share: float) -> dict[date, dict[int, OutcomeTally]]:
    """Return what is known by a day: of the days that aren't mature by then the number of loans alone.

    A late loan is reported within its window, and one on time only after it. So the first outcomes of a day are those
    of its late loans: until ``known_share`` of its mature loans have one, none of them counts.
    """
    return {
        day: _known(day, versions, today, window_days, known_share) for day, versions in days.items() if day <= today
    }


def _known(
    day: date, versions: Mapping[int, OutcomeTally], today: date, window_days: int, known_share: float
) -> dict[int, OutcomeTally]:
    if not is_mature(day, today, window_days):
        return {version: tally.immature() for version, tally in versions.items()}
    mature, known = (sum(getattr(tally, name) for tally in versions.values()) for name in ("mature", "known"))
    if known < known_share * mature:
        return {version: tally.unreported() for version, tally in versions.items()}
    return dict(versions)


class VintageCounter:
    """Counts the days of one vintage in their order, as if all were mature."""

    def __init__(self, outcomes: KnownOutcomes, window_days: int) -> None:
        self._outcomes = outcomes
        self._window_days = window_days
        self._seen: defaultdict[int, Identities] = defaultdict(Identities)

    def count(self, day: date, predictions: Predictions) -> dict[int, OutcomeTally]:
        """Return the tallies of a day's predictions by version, of loans that the version meets for the first time."""
        predictions = predictions.select(np.argsort(predictions.times, kind="stable"))
        versions = np.unique(predictions.versions).tolist()
        tallies = {
            version: self._count(day, version, predictions.select(predictions.versions == version))
            for version in versions
        }
        return {version: tally for version, tally in tallies.items() if tally.records or tally.unhashed}

    def _count(self, day: date, version: int, predictions: Predictions) -> OutcomeTally:
        hashed = predictions.select(predictions.has_hash)
        first = hashed.select(self._seen[version].add_new(hashed.loans.view(np.int64)))
        days = np.full(len(first), day_number(day), dtype=np.int64)
        outcomes = self._outcomes.of(first.loans, days, self._window_days)
        return tally_outcomes(
            first.late_probabilities,
            first.is_flagged,
            outcomes,
            unhashed=len(predictions) - len(hashed),
            pairs=_pairs(first, outcomes),
        )


def _pairs(predictions: Predictions, outcomes: np.ndarray[tuple[int], np.dtype[np.int8]]) -> dict[int, PairTally]:
    pairs = {}
    for version in np.unique(predictions.shadow_versions).tolist():
        if version:
            is_paired = predictions.shadow_versions == version
            paired = predictions.select(is_paired)
            pairs[version] = tally_pairs(
                (paired.late_probabilities, paired.shadow_probabilities),
                (paired.is_flagged, paired.is_shadow_flagged),
                outcomes[is_paired],
            )
    return pairs
