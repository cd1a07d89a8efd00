"""What the prediction log shows of two versions: pairs where one was the other's shadow, else each one's own loans.

A loan counts once: for a version by its first line in the log, for the pairs by its first pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np

from model_registry.manifest import Manifest
from model_watch.intervals import LEVEL, Interval
from model_watch.prediction_log import LogLine
from model_watch.stability import Stability, stability
from peerloan.comparing.paired_scores import Floats, PairedScores, ScoredVersion
from peerloan.errors import CommandError

# A mean of fewer loans says nothing, nor does an index of the bins that they lie in.
LEAST_LOANS = 100


class TooFewLoggedError(CommandError):
    """The log has too few loans of a version."""

    def __init__(self, counts: Mapping[int, int], period: str) -> None:
        named = " and ".join(f"{count:,} loans of version {version}" for version, count in counts.items())
        super().__init__(
            f"Within {period} the log has {named}; at least {LEAST_LOANS} of each are needed, or as many that one "
            "version answered while the other was its shadow. Name loans with --records FILE, or look further back."
        )
        self.counts = dict(counts)


@dataclass(frozen=True)
class LoggedSides:
    """Two versions' scores of different loans: those that each one answered.

    ``shifts`` compare the profiles of the two versions' loans by column, the most different first. They are empty
    unless both versions have the same training profile.
    """

    main: ScoredVersion
    candidate: ScoredVersion
    source: str
    shifts: tuple[Stability, ...]

    @property
    def mean_difference(self) -> Interval:
        """The candidate's mean minus the main version's, with its interval (Welch 1947, by the normal distribution)."""
        sides = (self.main.probabilities, self.candidate.probabilities)
        difference = float(sides[1].mean() - sides[0].mean())
        error = float(np.sqrt(sum(side.var(ddof=1) / len(side) for side in sides)))
        half = NormalDist().inv_cdf((1 + LEVEL) / 2) * error
        return Interval(difference, difference - half, difference + half)

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        versions = {"main": self.main, "candidate": self.candidate}
        return {
            "source": self.source,
            **{name: {**side.to_document(), "loans": len(side.probabilities)} for name, side in versions.items()},
            "mean_difference": self.mean_difference.to_dict(),
            "profile_shifts": [asdict(shift) for shift in self.shifts],
        }


@dataclass
class _Side:
    """The loans that one version answered; ``loans`` are the hashes of their ids."""

    loans: set[str] = field(default_factory=set)
    probabilities: list[float] = field(default_factory=list)
    columns: list[Counter[str]] = field(default_factory=list)

    def add(self, probability: float, profile: str) -> None:
        self.probabilities.append(probability)
        self.columns = self.columns or [Counter() for _ in profile]
        for counter, character in zip(self.columns, profile, strict=False):
            counter[character] += 1


def find_logged_scores(
    lines: Iterable[LogLine], main: Manifest, candidate: Manifest, period: str
) -> PairedScores | LoggedSides:
    """Return the pairs of the log, if there are enough; else what each version said of its own loans.

    Raises ``TooFewLoggedError`` if there are too few of both.
    """
    pairs: list[tuple[float, float]] = []
    sides = {main.version: _Side(), candidate.version: _Side()}
    paired: set[str] = set()
    for line in lines:
        if line.version not in sides or line.status != 200:
            continue
        side = sides[line.version]
        for place in _new_loans(line, side.loans):
            side.add(line.late_probabilities[place], line.profiles[place] if line.profiles else "")
        shadow = line.shadow
        if shadow is None or shadow.outcome != "scored" or {shadow.version, line.version} != set(sides):
            continue
        for place in _new_loans(line, paired):
            pair = (line.late_probabilities[place], shadow.late_probabilities[place])
            pairs.append(pair if line.version == main.version else pair[::-1])
    if len(pairs) >= LEAST_LOANS:
        first, second = np.array(pairs).T
        source = f"the log of {period}, which one version answered while the other was its shadow"
        return PairedScores(_scored(main, first), _scored(candidate, second), source)
    counts = {version: len(side.probabilities) for version, side in sides.items()}
    if min(counts.values()) < LEAST_LOANS:
        raise TooFewLoggedError(counts, period)
    before, after = sides.values()
    return LoggedSides(
        _scored(main, np.array(before.probabilities)),
        _scored(candidate, np.array(after.probabilities)),
        f"the log of {period}",
        _shifts(main, candidate, before.columns, after.columns),
    )


def _new_loans(line: LogLine, seen: set[str]) -> Iterator[int]:
    """Yield the places of the loans that weren't seen before, and remember them; one without an id is always new."""
    for place, loan in enumerate(line.loans):
        if loan is None or loan not in seen:
            yield place
        if loan is not None:
            seen.add(loan)


def _scored(manifest: Manifest, probabilities: Floats) -> ScoredVersion:
    form = "pickle" if manifest.serving_form is None else "arrays"
    return ScoredVersion(manifest.version, form, manifest.threshold.value, probabilities)


def _shifts(
    main: Manifest, candidate: Manifest, before: Sequence[Counter[str]], after: Sequence[Counter[str]]
) -> tuple[Stability, ...]:
    if main.profile is None or candidate.profile is None:
        return ()
    shifts = []
    columns = zip(main.profile.columns, candidate.profile.columns, before, after, strict=False)
    for column, other, *counts in columns:
        if (column.name, column.edges, column.labels) != (other.name, other.edges, other.labels):
            return ()
        bins = sorted(counts[0] | counts[1])
        shares = (np.array([count[character] for character in bins], dtype=np.float64) for count in counts)
        shifts.append(stability(column.name, bins, *shares))
    return tuple(sorted(shifts, key=lambda shift: -shift.psi))
