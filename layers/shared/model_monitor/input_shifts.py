"""How the requests' inputs and scores differ from the training loans', beside what sampling alone makes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_monitor.evidence.discrimination import IN_SAMPLE
from model_registry.manifest import ColumnProfile, TrainingProfile
from model_watch.intervals import LEVEL
from model_watch.outcome_figures import Floats, log_odds
from model_watch.profile_characters import CHARACTERS, MISSING, UNSEEN
from model_watch.stability import interval_names, stability
from model_watch.tally import SCORE_EDGES, VersionTally

SCORE: Final = "score"
_MISSING, _UNSEEN = CHARACTERS.index(MISSING), CHARACTERS.index(UNSEEN)


@dataclass(frozen=True)
class Shift:
    """The shift of a column, or of the score, against the training loans.

    ``psi`` is 0 for equal distributions, and about ``by_chance`` for two samples from one. Sampling alone takes any of
    the columns beyond its ``limit`` in one case of twenty. Repeated requests for one loan are no new sample: many of
    them make the limit too narrow. ``before`` and ``after`` are the shares of the ``bins``; small bins are merged.
    """

    column: str
    psi: float
    by_chance: float
    limit: float
    unseen_share: float
    missing_share: float
    before: tuple[float, ...]
    after: tuple[float, ...]
    bins: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class TrainingCounts:
    """The training loans of a column by bin; the last two bins are missing and unseen values."""

    name: str
    bins: tuple[str, ...]
    counts: Floats


class TrainingInputs:
    """What requests are compared with: the training loans' columns, and scores of loans that the model hadn't seen.

    Parameters
    ----------
    profile : TrainingProfile or None
        The manifest's; without it no column can be compared.
    metrics : mapping
        The manifest's, whose ``score_bins`` are taken if the profile has no scores, unless they are of loans that the
        model was trained on.

    Attributes
    ----------
    columns : tuple of TrainingCounts
        Those of the profile, in its order, and the score last if it can be compared.
    score_edges : ndarray of shape (n_edges,)
        The inner edges of the score's bins, which are open at both ends; empty if it can't be compared.
    """

    def __init__(self, profile: TrainingProfile | None, metrics: Mapping[str, Any]) -> None:
        self.score_edges, scores = _score_bins(profile, metrics)
        columns = profile.columns if profile else ()
        counted = [TrainingCounts(column.name, _names(column), _training_counts(column)) for column in columns]
        if scores is not None:
            names = (*interval_names(self.score_edges), "missing", "unseen")
            counted.append(TrainingCounts(SCORE, names, np.append(scores, [0.0, 0.0])))
        self.columns = tuple(counted)

    def live_counts(self, tally: VersionTally) -> list[Floats]:
        """Return the records of each of the ``columns`` by its bins."""
        counts = []
        for number, column in enumerate(self.columns):
            if column.name == SCORE:
                counts.append(np.append(_by_edges(tally.scores.records, self.score_edges), [0.0, 0.0]))
            elif number < len(tally.profiles):
                places = [*range(len(column.bins) - 2), _MISSING, _UNSEEN]
                counts.append(tally.profiles[number, places].astype(np.float64))
            else:
                counts.append(np.zeros(len(column.bins)))
        return counts


def shifts(training: TrainingInputs, tally: VersionTally) -> tuple[Shift, ...]:
    """Return the shifts of all columns that have records, in the profile's order, and the score last."""
    # Bonferroni: of all columns together, one case in twenty is beyond a limit.
    level = 1 - (1 - LEVEL) / max(len(training.columns), 1)
    live = training.live_counts(tally)
    return tuple(
        _shift(column, counts, level)
        for column, counts in zip(training.columns, live, strict=True)
        if counts.sum() and column.counts.sum()
    )


def _shift(column: TrainingCounts, live: Floats, level: float) -> Shift:
    change = stability(column.name, column.bins, column.counts, live, level=level)
    missing, unseen = (live[-2:] / live.sum()).tolist()
    return Shift(
        column=column.name,
        psi=change.psi,
        by_chance=change.by_chance,
        limit=change.limit,
        unseen_share=unseen,
        missing_share=missing,
        before=change.before,
        after=change.after,
        bins=change.bins,
    )


def _names(column: ColumnProfile) -> tuple[str, ...]:
    if column.edges is None:
        names = list(column.labels or ())
    else:
        names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(column.edges)]
    return (*names, "missing", "unseen")


def _training_counts(column: ColumnProfile) -> Floats:
    return np.array([*column.counts, column.missing, 0], dtype=np.float64)


def _score_bins(profile: TrainingProfile | None, metrics: Mapping[str, Any]) -> tuple[Floats, Floats | None]:
    """Return the inner edges and the training counts of the score; no counts if nobody knows them."""
    if profile and profile.score and profile.score.edges:
        return np.array(profile.score.edges[1:-1]), np.array(profile.score.counts, dtype=np.float64)
    # A manifest of an earlier release. In-sample figures come alone, or beside a test file, of which the bins are then.
    bins = metrics.get("score_bins")
    if not isinstance(bins, Mapping) or (IN_SAMPLE in metrics and "test" not in metrics):
        return np.empty(0), None
    edges, counts = (np.array(bins.get(name, ()), dtype=np.float64) for name in ("edges", "loans"))
    return (edges, counts) if len(counts) == len(edges) + 1 else (np.empty(0), None)


def _by_edges(records: NDArray[np.int64], edges: Floats) -> Floats:
    """Return the records of the grid of scores by other edges; a grid's bin is shared out evenly in log-odds."""
    until = np.cumsum(records)
    # The bins at the ends of the grid are open: what is in them lies beyond its first and last edge.
    below = np.interp(log_odds(edges), SCORE_EDGES, until[:-1].astype(np.float64))
    return np.diff(below, prepend=0.0, append=float(until[-1]))
