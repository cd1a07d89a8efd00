"""What is counted of the requests of one day, by the version that answered: additive counts alone. Pure.

``counts.Counts`` says how they add up and what their documents are. ``folding`` makes them of log lines.

All versions and all days have one grid of scores: log-odds from -10 to 10 in steps of 0.05, and one bin at either end.
A sum of probabilities is kept in whole units of 1e-9, so that it is exact, too::

    bin            0       1            …   201          …   400          401
    log-odds       < -10   -10 … -9.95      0 … 0.05         9.95 … 10    >= 10
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_watch.counts import Counts, Ints, zeros
from model_watch.profile_characters import CHARACTERS

Floats = NDArray[np.float64]

SCORE_EDGES: Final[Floats] = np.arange(-200, 201) / 20
SCORE_BINS: Final = len(SCORE_EDGES) + 1
PROBABILITY_UNIT: Final = 1e-9

# Ten bins for each power of ten, from 0.1 ms on: a bin's ends are 26 % apart.
LATENCY_EDGES_MS: Final[Floats] = 0.1 * 10 ** (np.arange(63) / 10)
LATENCY_BINS: Final = len(LATENCY_EDGES_MS) + 1


def _probabilities(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)), dtype=np.float64)


# The middle of each bin, in log-odds; of the bins at the ends, half a step beyond the last edge.
BIN_PROBABILITIES: Final[Floats] = _probabilities((np.arange(SCORE_BINS) - 200.5) / 20)
# Probabilities are compared with the edges. Rejected: taking each one's log-odds. NumPy's logarithm differs between
# machines in the last bit, and so would the tally.
_PROBABILITY_EDGES: Final[Floats] = _probabilities(SCORE_EDGES)


def score_bin(probabilities: ArrayLike) -> NDArray[np.intp]:
    """Return the number of the bin that each probability is in, from 0 to ``SCORE_BINS`` - 1."""
    return np.asarray(_PROBABILITY_EDGES.searchsorted(np.asarray(probabilities), side="right"))


def probability_units(probabilities: ArrayLike) -> Ints:
    """Return each probability in whole units of ``PROBABILITY_UNIT``."""
    return np.rint(np.asarray(probabilities, dtype=np.float64) * 1e9).astype(np.int64)


@dataclass(frozen=True, eq=False)
class ScoreCounts(Counts):
    """How many probabilities each bin of the grid has, and their sum in units of 1e-9."""

    records: Ints = field(default_factory=zeros(SCORE_BINS))
    probability_sum: Ints = field(default_factory=zeros(SCORE_BINS))

    @classmethod
    def of(cls, probabilities: ArrayLike) -> ScoreCounts:
        """Count probabilities, which are from 0 to 1."""
        bins = score_bin(probabilities)
        sums = np.zeros(SCORE_BINS, dtype=np.int64)
        np.add.at(sums, bins, probability_units(probabilities))
        return cls(np.bincount(bins, minlength=SCORE_BINS), sums)

    @property
    def mean(self) -> float | None:
        """The mean probability; None without a record."""
        records = int(self.records.sum())
        return int(self.probability_sum.sum()) * PROBABILITY_UNIT / records if records else None


@dataclass(frozen=True, eq=False)
class ShadowTally(Counts):
    """What one shadow version made of the requests that another version answered.

    Attributes
    ----------
    requests : int
        Requests that had it as their shadow, whether or not it had the time to score them.
    failures : int
        Those that it failed at, or for which it couldn't be loaded.
    records : int
        Records that it scored; ``scores`` has its probabilities.
    flips : int
        Those of them for which it decided otherwise than the version that answered.
    """

    requests: int = 0
    failures: int = 0
    records: int = 0
    flips: int = 0
    scores: ScoreCounts = field(default_factory=ScoreCounts)


@dataclass(frozen=True, eq=False)
class VersionTally(Counts):
    """The requests that one version answered or failed at; the records are those of the answers with status 200.

    Attributes
    ----------
    requests : int
    failures : int
        Requests with a status of 500 or more.
    latency : ndarray of shape (LATENCY_BINS,)
        Requests by their time: bin i holds those from ``LATENCY_EDGES_MS[i - 1]`` to just below the next edge.
    records : int
    flagged : int
        Records that were called late.
    warned : int
        Records with any warning; ``warnings`` has the records with each code.
    scores : ScoreCounts
        The probabilities of all records.
    profiles : ndarray of shape (n_columns, 64)
        Records by column of the training profile, and by character of ``profile_characters.CHARACTERS``: 62 bins or
        labels, then missing, then unseen. It has no rows before there is a profile.
    profiled : int
        Records that have a profile.
    shadows : mapping of int to ShadowTally
    """

    requests: int = 0
    failures: int = 0
    latency: Ints = field(default_factory=zeros(LATENCY_BINS))
    records: int = 0
    flagged: int = 0
    warned: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)
    scores: ScoreCounts = field(default_factory=ScoreCounts)
    profiles: Ints = field(default_factory=zeros(0, len(CHARACTERS)))
    profiled: int = 0
    shadows: Mapping[int, ShadowTally] = field(default_factory=dict)

    def latency_quantile_ms(self, share: float) -> float | None:
        """Return the time that a share of the requests doesn't exceed, within a bin by interpolation; None without any.

        Times beyond the last edge count as that edge.
        """
        if not self.requests:
            return None
        until = np.cumsum(self.latency)
        number = int(until.searchsorted(share * until[-1], side="left"))
        if number >= len(LATENCY_EDGES_MS):
            return float(LATENCY_EDGES_MS[-1])
        lower = float(LATENCY_EDGES_MS[number - 1]) if number else 0.0
        within = int(self.latency[number])
        part = (share * float(until[-1]) - (int(until[number]) - within)) / max(within, 1)
        return lower + part * (float(LATENCY_EDGES_MS[number]) - lower)


@dataclass(frozen=True, eq=False)
class DayTally(Counts):
    """One day (UTC) of the log, by the lines' own time.

    Attributes
    ----------
    day : date
    versions : mapping of int to VersionTally
    crashes : int
        Invocations that Lambda reports as ended badly, of whatever version.
    unversioned : int
        Requests that no version answered, such as those that were refused for their form.
    damaged : int
        Lines that can't be used, and objects that break off. They count for the day under which they were delivered.
    """

    day: date
    versions: Mapping[int, VersionTally] = field(default_factory=dict)
    crashes: int = 0
    unversioned: int = 0
    damaged: int = 0
