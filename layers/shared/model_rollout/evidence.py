"""Evidence that a candidate's figures lie within or outside the tolerated window, from samples of requests. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from model_rollout.canary_table import Comparison, Floats
from model_rollout.guard_settings import Bounds
from model_watch.sequential_tests import e_value, log_e_value, log_wealths


@dataclass(frozen=True)
class Sample:
    """Observations of one kind, and what they are compared with.

    Attributes
    ----------
    values : ndarray of shape (n,)
        Differences between -1 and 1, or shares between 0 and 1 if ``is_share``.
    usual, doubt : float
        The main version's figure, for shares of the candidate alone, and how far that figure may be off; else 0.
    candidate, main : float or None
        The mean of each version, for people.
    """

    values: Floats
    is_share: bool
    usual: float = 0.0
    doubt: float = 0.0
    candidate: float | None = None
    main: float | None = None

    @property
    def estimate(self) -> float:
        """The mean difference."""
        return float(self.values.mean()) - self.usual


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
        np.minimum(values / scale, 1.0)
        for values in (comparison.candidate, comparison.main, comparison.alone, comparison.reference)
    )
    samples = []
    if len(candidate):
        means = float(candidate.mean()), float(main.mean())
        samples.append(Sample(candidate - main, is_share=False, candidate=means[0], main=means[1]))
    if len(alone) and len(reference):
        usual = float(reference.mean())
        doubt = 2 * float(reference.std()) / math.sqrt(len(reference)) + 1 / len(reference)
        samples.append(
            Sample(alone, is_share=True, usual=usual, doubt=doubt, candidate=float(alone.mean()), main=usual)
        )
    elif len(alone) and is_expected_zero:
        samples.append(Sample(alone, is_share=True, candidate=float(alone.mean())))
    return samples


def weighted_mean(figures: Iterable[tuple[float | None, int]]) -> float | None:
    """Return the mean of figures that are known, each weighted by its number of observations."""
    known = [(figure, count) for figure, count in figures if figure is not None]
    total = sum(count for _, count in known)
    return math.fsum(figure * count for figure, count in known) / total if total else None


def e_values(samples: Sequence[Sample], bounds: Bounds) -> tuple[float, float]:
    """Return the evidence against "the difference is tolerated", and against "it isn't"."""
    too_high, low_enough = _log_e_above(samples, bounds.high, doubts=1), _log_e_below(samples, bounds.high, doubts=0)
    if bounds.low is None:
        return e_value(too_high), e_value(low_enough)
    too_low, high_enough = _log_e_below(samples, bounds.low, doubts=1), _log_e_above(samples, bounds.low, doubts=0)
    # The mean of two e-values is one. To pass, both ends must be rejected, so the weaker evidence counts.
    return (e_value(too_high) + e_value(too_low)) / 2, min(e_value(low_enough), e_value(high_enough))


def _log_e_above(samples: Sequence[Sample], bound: float, doubts: int) -> float:
    """Return the evidence against "the difference is at most the bound"."""
    return _log_e(
        (sample.values, bound + sample.usual + doubts * sample.doubt, 0.0 if sample.is_share else -1.0, 1.0)
        for sample in samples
    )


def _log_e_below(samples: Sequence[Sample], bound: float, doubts: int) -> float:
    """Return the evidence against "the difference is at least the bound"."""
    return _log_e(
        (-sample.values, -bound - sample.usual + doubts * sample.doubt, -1.0, 0.0 if sample.is_share else 1.0)
        for sample in samples
    )


def _log_e(parts: Iterable[tuple[Floats, float, float, float]]) -> float:
    """Return the evidence against "the mean is at most the bound" of all parts.

    A part is values, bound, lowest and highest value. It tells nothing if no value can be above its bound, or none at
    or below it. If in all parts none can be at or below it, the hypothesis is false.
    """
    parts = list(parts)
    telling = [(values, bound, lowest) for values, bound, lowest, highest in parts if lowest < bound < highest]
    if parts and all(bound <= lowest for _, bound, lowest, _ in parts):
        return math.inf
    if not telling:
        return 0.0
    return float(log_e_value(sum(log_wealths(values, bound, lowest) for values, bound, lowest in telling)))
