"""The canary's requests as a table: which requests of both versions are compared, at the same time and weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# The measures of one request, between 0 and 1 but for the last; NaN where the request doesn't tell.
MEASURES: Final = ("failed", "refused", "flagged", "warned", "score", "latency_ms")
# A row's key is a whole number below 2 ** HASH_BITS: the hash of the routing key's keyed hash.
HASH_BITS: Final = 52
# So few that one outage of everything makes at most twice as many pairs that tell against the candidate, whose evidence
# takes nothing back; so many that six requests in seven find a pair.
MOST_WAITING: Final = 3

# What a version says of a loan: asked again, it says the same.
_SAYINGS: Final = ("flagged", "score")


@dataclass(frozen=True)
class Series:
    """Observations of one kind.

    Attributes
    ----------
    values, minutes : ndarray of shape (n,)
        What was observed, and in which minute since the rollout began.
    is_in_step : ndarray of bool of shape (n,)
        Whether it was observed at the newest weight.
    counts : ndarray of int of shape (n,)
        How many requests it stands for.
    """

    values: Floats
    minutes: NDArray[np.int64]
    is_in_step: NDArray[np.bool_]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: Floats, minutes: ArrayLike = 0, is_in_step: ArrayLike = True, counts: ArrayLike = 1) -> Series:
        """Return a series; a single minute, step or count is that of all its values."""
        return cls(
            values,
            np.broadcast_to(np.asarray(minutes, dtype=np.int64), values.shape),
            np.broadcast_to(np.asarray(is_in_step, dtype=bool), values.shape),
            np.broadcast_to(np.asarray(counts, dtype=np.int64), values.shape),
        )

    def __len__(self) -> int:
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """The mean, of one observation or more."""
        return float(np.average(self.values, weights=self.counts))

    @property
    def in_step(self) -> Series:
        """The observations at the newest weight."""
        here = self.is_in_step
        return Series(self.values[here], self.minutes[here], here[here], self.counts[here])


@dataclass(frozen=True)
class Comparison:
    """One measure of the candidate and of the version in charge.

    Attributes
    ----------
    candidate, main : Series of n_pairs
        A request of each, at the same alias revision and from equal shares of all keys.
    alone : Series
        The candidate's requests that have no counterpart: it had all traffic, or more than half of it.
    reference : Series
        All of the main version's requests, which ``alone`` is compared with.
    """

    candidate: Series
    main: Series
    alone: Series
    reference: Series


class CanaryTable:
    """The requests of both versions, in the order of their own times; ``start`` is the rollout's, in seconds."""

    def __init__(self, keys: NDArray[np.int64], values: Floats, weights: Mapping[int, float], start: float) -> None:
        order = np.argsort(values[:, 2], kind="stable")
        self._keys, values = keys[order], values[order]
        self._is_candidate = values[:, 0] == 1
        self._revisions = values[:, 1].astype(np.int64)
        self._minutes = minutes_since(start, values[:, 2])
        revisions, places = np.unique(self._revisions, return_inverse=True)
        of_revisions = [weights.get(int(revision), math.nan) for revision in revisions]
        self._weight = np.array(of_revisions, dtype=np.float64)[places]
        # Not by the newest revision: a hold by a person is a revision too, and the step goes on after it.
        self._is_in_step = self._weight == weights.get(max(weights, default=-1), math.nan)
        self._is_split = (self._weight > 0) & (self._weight < 1)
        is_drawn = self._is_drawn()
        self._is_compared = self._is_split & is_drawn
        # Above a weight of .5 too, most of the candidate's requests have no counterpart.
        self._is_alone = self._is_candidate & ((self._weight == 1) | (self._is_split & ~is_drawn))
        self._measures = dict(zip(MEASURES, values[:, 3:].T, strict=True))
        self._measures["slow"] = self._slow()
        is_told = ~np.isnan(self._measures["score"])
        is_repeated = self._is_repeated((self._is_compared | self._is_alone) & is_told)
        for measure in _SAYINGS:
            self._measures[measure] = np.where(is_repeated, math.nan, self._measures[measure])

    def compare(self, measure: str) -> Comparison:
        """Return a measure of both versions: one of ``MEASURES``, or ``slow``."""
        is_told = ~np.isnan(self._measures[measure])
        pairs = [np.empty((0, 2), dtype=np.int64)]
        for revision in np.unique(self._revisions[self._is_compared]):
            places = np.flatnonzero(self._is_compared & is_told & (self._revisions == revision))
            pairs.append(places[_pair(self._is_candidate[places])])
        candidate, main = np.concatenate(pairs).T
        of_candidate, of_main = self._series(measure, candidate), self._series(measure, main)
        return Comparison(
            # A pair is complete with the later request.
            candidate=replace(of_candidate, minutes=np.maximum(of_candidate.minutes, of_main.minutes)),
            main=of_main,
            alone=self._series(measure, np.flatnonzero(self._is_alone & is_told)),
            reference=self._series(measure, np.flatnonzero(~self._is_candidate & is_told)),
        )

    def _series(self, measure: str, places: NDArray[np.int64]) -> Series:
        return Series.of(self._measures[measure][places], self._minutes[places], self._is_in_step[places])

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

    def _is_drawn(self) -> NDArray[np.bool_]:
        """Draw as large a share of all keys for each version: the smaller one of the two that the weight gives them.

        ::

            weight .1    candidate  .1 of all keys: all are drawn
                         main       .9 of all keys: one in nine is drawn
            weight .8    candidate  .8 of all keys: one in four is drawn, the others are alone
                         main       .2 of all keys: all are drawn

        A key is drawn by its hash, which has nothing to do with how it was routed. One that is drawn for the main
        version stays drawn at each higher weight.
        """
        weight = np.where(self._is_split, self._weight, 0.5)
        share = np.where(self._is_candidate, weight, 1 - weight)
        return np.asarray(self._keys / 2**HASH_BITS * share < np.minimum(weight, 1 - weight))

    def _is_repeated(self, is_judged: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which of the rows that are judged have a key of which the version has an earlier one."""
        positions = np.flatnonzero(is_judged)
        ids = self._keys[positions] * 2 + self._is_candidate[positions]
        repeated = is_judged.copy()
        repeated[positions[np.unique(ids, return_index=True)[1]]] = False
        return repeated

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


def _pair(is_candidate: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pair each request with the newest earlier one of the other version that has no pair yet.

    At most ``MOST_WAITING`` requests wait for a pair, the newest ones::

        request    c  c  m  c  m  m  m
        pairs         a  a
                   d        b  b  d

    Both versions fail while the machine or the bucket does. If many good requests of the main version waited when that
    begins, each would meet a failed one of the candidate, which would be blamed for it.

    Parameters
    ----------
    is_candidate : ndarray of bool of shape (n,)
        Whose each request is, in their order.

    Returns
    -------
    ndarray of int of shape (n_pairs, 2)
        The places of the candidate's and of the main version's request of each pair.
    """
    sides = is_candidate.tolist()
    waiting: list[int] = []
    found: list[tuple[int, int]] = []
    for place, side in enumerate(sides):
        if waiting and sides[waiting[-1]] != side:
            found.append((waiting.pop(), place))
        else:
            waiting.append(place)
            del waiting[:-MOST_WAITING]
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return np.where(is_candidate[pairs[:, :1]], pairs, pairs[:, ::-1])


def minutes_since(start: float, times: ArrayLike) -> NDArray[np.int64]:
    """Return the minutes between two times in seconds, none if an environment's clock is behind."""
    return np.asarray(np.maximum((np.asarray(times) - start) // 60, 0), dtype=np.int64)
