"""The canary's requests as a table: which requests of both versions are compared, over the same time and hash width."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The measures of one request, between 0 and 1 but for the last; NaN where the request doesn't tell.
MEASURES: Final = ("failed", "refused", "flagged", "warned", "score", "latency_ms")
# Another version answered. That is a refusal only if the log says that the version was refused.
NOT_LOADED: Final = 2.0


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
        self._measures["refused"] = resolve_refusals(self._measures["refused"], times, first_refusal)
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


def resolve_refusals(column: Floats, times: Floats, first_refusal: float) -> Floats:
    """Count requests that another version answered from the moment on at which this one was refused.

    Before, it may have been on its way: a pickle is opened beside the requests.
    """
    return np.where(column == NOT_LOADED, np.where(times >= first_refusal, 1.0, math.nan), column)
