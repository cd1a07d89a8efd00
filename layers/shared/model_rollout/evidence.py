"""Evidence that a candidate's figures lie within or outside the tolerated window, from samples of requests. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from model_rollout.canary_table import Comparison, Floats, Series
from model_rollout.guard_settings import Bounds
from model_watch.sequential_tests import e_value, log_e_value, log_factors, log_renewed_e_value


@dataclass(frozen=True)
class Sample:
    """Observations of one kind, and what they are compared with.

    Attributes
    ----------
    series : Series
        Differences between -1 and 1, or shares between 0 and 1 if ``is_share``.
    usual, doubt : float
        The main version's figure, for shares of the candidate alone, and how far that figure may be off; else 0.
    candidate, main : float or None
        The mean of each version, for people.
    """

    series: Series
    is_share: bool
    usual: float = 0.0
    doubt: float = 0.0
    candidate: float | None = None
    main: float | None = None

    @property
    def most_usual(self) -> float:
        """The highest figure that the main version may have."""
        return self.usual + self.doubt

    @property
    def least_usual(self) -> float:
        """The lowest figure that the main version may have."""
        return max(self.usual - self.doubt, 0.0)


class _Part(NamedTuple):
    """Values that are compared with a bound, and the lowest and the highest that they can have."""

    series: Series
    values: Floats
    bound: float
    lowest: float
    highest: float


def samples_of(comparison: Comparison, scale: float, *, is_expected_zero: bool) -> list[Sample]:
    """Return the pairs of requests, and the candidate's requests while it had all traffic.

    Parameters
    ----------
    comparison : Comparison
        Values from 0 on.
    scale : float
        The size that counts as 1; more counts as 1, too.
    is_expected_zero : bool
        Whether the candidate is judged even if nothing is known of the main version.
    """
    candidate, main, alone, reference = (
        replace(series, values=np.minimum(series.values / scale, 1.0))
        for series in (comparison.candidate, comparison.main, comparison.alone, comparison.reference)
    )
    samples = []
    if len(candidate):
        pairs = replace(candidate, values=candidate.values - main.values)
        samples.append(Sample(pairs, is_share=False, candidate=candidate.mean, main=main.mean))
    if len(alone) and len(reference):
        usual, count = reference.mean, len(reference)
        spread = math.sqrt(np.average((reference.values - usual) ** 2, weights=reference.counts))
        doubt = 2 * spread / math.sqrt(count) + 1 / count
        samples.append(Sample(alone, is_share=True, usual=usual, doubt=doubt, candidate=alone.mean, main=usual))
    elif len(alone) and is_expected_zero:
        samples.append(Sample(alone, is_share=True, candidate=alone.mean))
    return samples


def weighted_mean(figures: Iterable[tuple[float | None, int]]) -> float | None:
    """Return the mean of figures that are known, each weighted by its number of observations."""
    known = [(figure, count) for figure, count in figures if figure is not None]
    total = sum(count for _, count in known)
    return math.fsum(figure * count for figure, count in known) / total if total else None


def estimate(samples: Sequence[Sample], *, in_step: bool = False) -> tuple[float | None, int]:
    """Return the mean difference and the number of observations, of all or of those at the newest weight."""
    parts = [(sample.series.in_step if in_step else sample.series, sample.usual) for sample in samples]
    means = [(series.mean - usual, len(series)) for series, usual in parts if len(series)]
    return weighted_mean(means), sum(count for _, count in means)


def e_values(samples: Sequence[Sample], bounds: Bounds) -> tuple[float, float]:
    """Return the evidence against "the difference is tolerated", and against "it isn't".

    Whichever figure the main version may have, the evidence is at least this. Against "it is tolerated" what was
    observed of late counts for itself, too, so that a version which was good for long doesn't live on its past.
    """
    too_high = _log_e(_above(samples, bounds.high), is_renewed=True)
    low_enough = _log_e(_below(samples, bounds.high), is_renewed=False)
    if bounds.low is None:
        return e_value(too_high), e_value(low_enough)
    too_low = _log_e(_below(samples, bounds.low), is_renewed=True)
    high_enough = _log_e(_above(samples, bounds.low), is_renewed=False)
    # The mean of two e-values is one. To pass, both ends must be rejected, so the weaker evidence counts.
    return (e_value(too_high) + e_value(too_low)) / 2, min(e_value(low_enough), e_value(high_enough))


def _above(samples: Sequence[Sample], bound: float) -> list[_Part]:
    """Return what is to be shown above the bound: the difference, from whatever the main version's figure may be."""
    return [
        _Part(sample.series, sample.series.values, bound + sample.most_usual, 0.0 if sample.is_share else -1.0, 1.0)
        for sample in samples
    ]


def _below(samples: Sequence[Sample], bound: float) -> list[_Part]:
    """Return what is to be shown below the bound, with the signs changed."""
    return [
        _Part(sample.series, -sample.series.values, -bound - sample.least_usual, -1.0, 0.0 if sample.is_share else 1.0)
        for sample in samples
    ]


def _log_e(parts: Sequence[_Part], *, is_renewed: bool) -> float:
    """Return the evidence against "the mean is at most the bound" of all parts.

    A part tells nothing if no value can be above its bound, or none at or below it. If in all parts none can be at or
    below it, the hypothesis is false.
    """
    telling = [part for part in parts if part.lowest < part.bound < part.highest]
    if parts and all(part.bound <= part.lowest for part in parts):
        return math.inf
    if not telling:
        return 0.0
    minutes, places = np.unique(np.concatenate([part.series.minutes for part in telling]), return_inverse=True)
    factors = [
        log_factors(part.values, part.bound, part.lowest) * part.series.counts[:, np.newaxis] for part in telling
    ]
    wealths: Floats = np.stack([np.bincount(places, bet) for bet in np.concatenate(factors).T], axis=1)
    return log_renewed_e_value(wealths, minutes) if is_renewed else float(log_e_value(wealths.sum(axis=0)))
