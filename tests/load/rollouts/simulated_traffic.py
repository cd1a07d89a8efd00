"""Draws what the guards observe in many rollouts at once: arrays with a row for each rollout.

The figures are those of the project's own models on its held-out quarter: the late rate is 1.4 %; the improved model's
scores have the mean .0144, standard deviation .012, median .0105, 90th percentile .032 and 99th .057; its threshold
flags a tenth of the loans; the same recipe fitted to other loans gives scores that differ by .0025 (standard deviation)
and other decisions for 2 to 3 % of the loans. A log-normal distribution has nearly these quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model_rollout.canary_table import MOST_WAITING
from model_rollout.guard_settings import GuardSettings

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MEDIAN_SCORE, LOG_SPREAD, HIGHEST_SCORE = 0.0105, 0.79, 0.2
MEAN_SCORE = MEDIAN_SCORE * math.exp(LOG_SPREAD**2 / 2)
# The 90th percentile.
THRESHOLD = MEDIAN_SCORE * math.exp(1.2816 * LOG_SPREAD)
# How far two fits of one recipe lie apart, in the logarithm of the score.
REFIT_SPREAD = 0.15
# The members of `Version` that canary guards observe.
_SHARES: Final = {
    "failed_answers": "failed",
    "refused_loads": "refused",
    "slow_answers": "slow",
    "warnings": "warned",
}
_CANARY_GUARDS: Final = (*_SHARES, "flagged", "mean_score")


@dataclass(frozen=True)
class Version:
    """How a version behaves: shares of its requests, and its scores and threshold as multiples of the usual ones."""

    failed: float = 0.005
    refused: float = 0.001
    slow: float = 0.01
    warned: float = 0.02
    crashed: float = 0.0005
    shadow_failed: float = 0.0
    shadow_slow: float = 0.01
    scores: float = 1.0
    threshold: float = 1.0

    def decide(self, scores: Floats) -> NDArray[np.bool_]:
        """Say which loans the version flags."""
        return scores >= THRESHOLD * self.threshold


@dataclass(frozen=True)
class Plan:
    """The requests of a rollout's stages, and the candidate's weight in the canary.

    ``shadow`` and ``bake`` are all requests of these stages, ``canary`` those of the candidate.
    """

    shadow: int
    canary: int
    weight: float
    bake: int = 0

    @property
    def requests(self) -> int:
        """All requests."""
        return self.shadow + round(self.canary / self.weight) + self.bake


@dataclass(frozen=True)
class Stream:
    """What one guard observes in one stage; the members are those of ``model_rollout.evidence.Sample``.

    ``values`` are of shape (n_rollouts, n), ``usual`` and ``doubt`` of shape (n_rollouts, 1). ``requests`` are all
    requests since the start when each value was known, ``asked`` those that the candidate answered; both are
    broadcastable to the shape of ``values``.
    """

    values: Floats
    requests: Counts
    asked: Counts
    is_share: bool = False
    usual: Floats | None = None
    doubt: Floats | None = None


def draw_scores(random: Generator, version: Version, shape: tuple[int, ...], of: Floats | None = None) -> Floats:
    """Return a version's scores: of loans that another version gave the scores ``of``, or else of any loans."""
    if of is None:
        of = random.lognormal(np.log(MEDIAN_SCORE), LOG_SPREAD, shape)
    refit = np.exp(random.normal(-(REFIT_SPREAD**2) / 2, REFIT_SPREAD, shape))
    return np.minimum(version.scores * of * refit, HIGHEST_SCORE)


def draw_streams(
    random: Generator, settings: GuardSettings, plan: Plan, versions: tuple[Version, Version], rollouts: int
) -> Iterator[tuple[str, list[Stream]]]:
    """Yield each guard's name and what it observes of the candidate and the main version."""
    yield from _draw_shadow(random, settings, plan, versions, rollouts)
    yield "crashes", [_draw_crashes(random, plan, versions, rollouts)]
    asked = _asked_until_pair(random, (rollouts, plan.canary))
    for guard in _CANARY_GUARDS if plan.canary else ():
        candidate, main = (
            _draw_measure(random, settings, guard, version, (rollouts, plan.canary)) for version in versions
        )
        requests = plan.shadow + np.ceil(asked / plan.weight).astype(np.int64)
        yield (
            guard,
            [Stream(candidate - main, requests, asked), *_draw_bake(random, settings, plan, guard, versions, rollouts)],
        )


def _draw_shadow(
    random: Generator, settings: GuardSettings, plan: Plan, versions: tuple[Version, Version], rollouts: int
) -> Iterator[tuple[str, list[Stream]]]:
    if not plan.shadow:
        return
    candidate, main = versions
    shape = rollouts, plan.shadow
    requests, asked = np.arange(1, plan.shadow + 1), np.zeros(1, dtype=np.int64)
    scores = draw_scores(random, main, shape)
    shadow_scores = draw_scores(random, candidate, shape, scores)
    most = settings.most_difference
    differences = np.clip((shadow_scores - scores) / most, -1, 1)
    flags = candidate.decide(shadow_scores).astype(np.float64) - main.decide(scores)
    for guard, values, is_share in (
        ("shadow_failures", _draw_shares(random, candidate.shadow_failed, shape), True),
        ("shadow_slow", _draw_shares(random, candidate.shadow_slow, shape), True),
        ("flips", np.abs(flags), True),
        ("flag_difference", flags, False),
        ("score_difference", differences, False),
    ):
        yield guard, [Stream(values, requests, asked, is_share)]


def _draw_crashes(random: Generator, plan: Plan, versions: tuple[Version, Version], rollouts: int) -> Stream:
    """Draw the crashes since the start; the log has no requests of before it to compare them with."""
    candidate, main = versions
    requests = np.arange(1, plan.requests + 1)
    share = np.where(requests <= plan.shadow, 0.0, np.where(requests > plan.requests - plan.bake, 1.0, plan.weight))
    rate = main.crashed + share * (candidate.crashed - main.crashed)
    crashes = (random.random((rollouts, plan.requests)) < rate).astype(np.float64)
    return Stream(crashes, requests, np.ceil(np.cumsum(share)).astype(np.int64), is_share=True)


def _draw_bake(
    random: Generator, settings: GuardSettings, plan: Plan, guard: str, versions: tuple[Version, Version], rollouts: int
) -> list[Stream]:
    if not plan.bake:
        return []
    candidate, main = versions
    earlier = plan.shadow + round(plan.canary / plan.weight * (1 - plan.weight))
    reference = _draw_measure(random, settings, guard, main, (rollouts, earlier))
    requests = plan.requests - plan.bake + np.arange(1, plan.bake + 1)
    return [
        Stream(
            values=_draw_measure(random, settings, guard, candidate, (rollouts, plan.bake)),
            requests=requests,
            asked=requests - plan.shadow - round(plan.canary / plan.weight * (1 - plan.weight)),
            is_share=True,
            usual=reference.mean(axis=1, keepdims=True),
            doubt=2 * reference.std(axis=1, keepdims=True) / np.sqrt(earlier) + 1 / earlier,
        )
    ]


def _draw_measure(
    random: Generator, settings: GuardSettings, guard: str, version: Version, shape: tuple[int, int]
) -> Floats:
    if guard in _SHARES:
        return _draw_shares(random, getattr(version, _SHARES[guard]), shape)
    scores = draw_scores(random, version, shape)
    if guard == "flagged":
        return version.decide(scores).astype(np.float64)
    return np.minimum(scores / settings.most_score, 1.0)


def _draw_shares(random: Generator, share: float, shape: tuple[int, int]) -> Floats:
    return (random.random(shape) < share).astype(np.float64)


def _asked_until_pair(random: Generator, shape: tuple[int, int]) -> Counts:
    """Return how many requests the candidate has had when each pair is complete.

    Requests of the candidate and of as large a share of all keys of the main version come in random order. The newest
    ``MOST_WAITING`` of them wait for one of the other version (``model_rollout.canary_table``).
    """
    rollouts, pairs = shape
    asked, done = np.zeros(rollouts, dtype=np.int64), np.zeros(rollouts, dtype=np.int64)
    # The candidate's requests that wait; if negative, the main version's.
    waiting = np.zeros(rollouts, dtype=np.int64)
    until = np.zeros(shape, dtype=np.int64)
    while done.min() < pairs:
        steps = np.where(random.random(rollouts) < 0.5, 1, -1)
        asked += steps == 1
        complete = np.flatnonzero((steps * waiting < 0) & (done < pairs))
        until[complete, done[complete]] = asked[complete]
        done[complete] += 1
        waiting = np.clip(waiting + steps, -MOST_WAITING, MOST_WAITING)
    return until
