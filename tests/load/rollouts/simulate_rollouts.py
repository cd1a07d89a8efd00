"""Simulates rollouts that are looked at after every request, with the guards' defaults: `make simulate`.

It prints how often a rollout of a version that differs in nothing is taken back (all guards together), how many
requests a version that always fails gets, and for some faults how often and how soon the rollout is taken back.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from simulated_traffic import (
    MEAN_SCORE,
    THRESHOLD,
    Counts,
    Floats,
    Plan,
    Stream,
    Version,
    draw_scores,
    draw_streams,
)

from model_rollout.guard_settings import GuardSettings, default_settings
from model_rollout.window import AnnouncedWindow
from model_watch.sequential_tests import BETS, LATER, PRIOR
from peerloan.comparing.announced import announced_window

SEED = 20261129
HELD_OUT_LOANS = 6_843
# So many observations at a time, in as many rollouts as this makes: their arrays take some megabytes.
CHUNK = 200_000
# So many observations of a guard in a minute, where none has a time.
A_MINUTE = 64
NEVER = np.iinfo(np.int64).max

USUAL = Version()
FAULTS = {
    "none": USUAL,
    "failures 0.5 % -> 5 %": Version(failed=0.05),
    "flag rate +20 %": Version(threshold=math.exp((1.17499 - 1.2816) * 0.79)),
    "mean score +10 %": Version(scores=1.1),
    "mean score +50 %": Version(scores=1.5),
}
# Requests a second, and the candidate's weight.
TRAFFIC = ((1.0, 0.1), (10.0, 0.01), (10.0, 0.1), (10.0, 0.5), (100.0, 0.1))
CANARY_S = 1_800
# Beyond so many requests of the candidate a canary is decided, or will hardly ever be.
MOST_REQUESTS = 6_000


@dataclass(frozen=True)
class Outcomes:
    """How rollouts end, one entry a rollout; ``NEVER`` where that doesn't happen.

    Attributes
    ----------
    failed, asked : ndarray of int
        All requests since the start, and those that the candidate answered, until the first guard fails.
    passed, passed_asked : ndarray of int
        The same until the last guard has passed.
    """

    failed: Counts
    asked: Counts
    passed: Counts
    passed_asked: Counts

    @property
    def is_back(self) -> NDArray[np.bool_]:
        """Which are taken back."""
        return self.failed != NEVER

    @property
    def is_promoted(self) -> NDArray[np.bool_]:
        """Which pass, and aren't taken back before; all others are held."""
        return (self.passed != NEVER) & ~self.is_back


def simulate(random: Generator, settings: GuardSettings, plan: Plan, candidate: Version, rollouts: int) -> Outcomes:
    """Return how so many rollouts of a version end that are looked at after every request."""
    size = max(CHUNK // max(plan.shadow, plan.canary, plan.bake), 1)
    chunks = []
    for begun in range(0, rollouts, size):
        count = min(size, rollouts - begun)
        chunks.append(_outcomes(settings, draw_streams(random, settings, plan, (candidate, USUAL), count), count))
    return Outcomes(*(np.concatenate(columns) for columns in zip(*chunks, strict=True)))


def _outcomes(
    settings: GuardSettings, streams: Iterable[tuple[str, list[Stream]]], rollouts: int
) -> tuple[Counts, Counts, Counts, Counts]:
    failed, asked = (np.full(rollouts, NEVER) for _ in range(2))
    passed, passed_asked = (np.zeros(rollouts, dtype=np.int64) for _ in range(2))
    for guard, parts in streams:
        bounds = settings.bounds[guard]
        scale = {"mean_score": settings.most_score, "score_difference": settings.most_difference}.get(guard, 1.0)
        low, high = None if bounds.low is None else bounds.low / scale, bounds.high / scale
        when, of_candidate = _first(parts, failing_e(parts, low, high) >= settings.fail_at)
        failed, asked = np.minimum(failed, when), np.minimum(asked, of_candidate)
        when, of_candidate = _first(parts, passing_e(parts, low, high) >= settings.pass_at)
        passed, passed_asked = np.maximum(passed, when), np.maximum(passed_asked, of_candidate)
    return failed, asked, passed, passed_asked


def _first(parts: Sequence[Stream], is_enough: NDArray[np.bool_]) -> tuple[Counts, Counts]:
    """Return all requests and those of the candidate until the evidence is enough for the first time."""
    first = np.where(is_enough.any(axis=1), is_enough.argmax(axis=1), -1)
    counts = []
    for counter in ("requests", "asked"):
        columns = [np.broadcast_to(getattr(part, counter), part.values.shape) for part in parts]
        count = np.concatenate(columns, axis=1)[np.arange(len(first)), first]
        counts.append(np.where(first >= 0, count, NEVER))
    return counts[0], counts[1]


def failing_e(parts: Sequence[Stream], low: float | None, high: float) -> Floats:
    """Return the evidence against "the difference is tolerated", after each observation."""
    too_high = _running_e(parts, high, above=True, is_renewed=True)
    return too_high if low is None else (too_high + _running_e(parts, low, above=False, is_renewed=True)) / 2


def passing_e(parts: Sequence[Stream], low: float | None, high: float) -> Floats:
    """Return the evidence against "the difference isn't tolerated", after each observation."""
    low_enough = _running_e(parts, high, above=False, is_renewed=False)
    if low is None:
        return low_enough
    return np.minimum(low_enough, _running_e(parts, low, above=True, is_renewed=False))


def _running_e(parts: Sequence[Stream], bound: float, *, above: bool, is_renewed: bool) -> Floats:
    """Return the evidence that the mean is above, or below, a bound: that of ``model_rollout.evidence``.

    There it is made of sums of logarithms. Here it is needed after each observation, and products are ten times faster.
    """
    sign = 1.0 if above else -1.0
    columns = []
    for part in parts:
        lowest = 0.0 if above and part.is_share else -1.0
        limits = np.float64(sign * bound)
        if part.usual is not None and part.doubt is not None:
            limits = sign * (bound + (part.usual + part.doubt if above else np.maximum(part.usual - part.doubt, 0.0)))
        columns.append((sign * part.values - lowest) / (limits - lowest) - 1)
    gains = np.concatenate(columns, axis=1)
    evidence = np.zeros_like(gains)
    with np.errstate(over="ignore", under="ignore"):
        for bet, prior in zip(BETS, PRIOR, strict=True):
            multiples = 1 + bet * gains
            evidence += prior * (_renewed(multiples) if is_renewed else np.multiply.accumulate(multiples, axis=1))
    return evidence


def _renewed(multiples: Floats) -> Floats:
    """Return the wealth after each observation if new money is staked in each minute."""
    rollouts, observations = multiples.shape
    minutes = np.arange(-(-observations // A_MINUTE))
    padded = np.ones((rollouts, len(minutes) * A_MINUTE))
    padded[:, :observations] = multiples
    within = np.multiply.accumulate(padded.reshape(rollouts, len(minutes), A_MINUTE), axis=2)
    wealth = np.zeros((len(minutes), rollouts, 1))
    for minute in minutes:
        if minute:
            wealth[minute] = wealth[minute - 1] * within[:, minute - 1, -1:] + LATER / (minute * (minute + 1))
        else:
            wealth[minute] = 1 - LATER
    return (wealth.swapaxes(0, 1) * within).reshape(rollouts, -1)[:, :observations]


def announced_settings(random: Generator, candidate: Version) -> GuardSettings:
    """Return the defaults around what a plan announces that expects this candidate."""
    scores = draw_scores(random, USUAL, (HELD_OUT_LOANS,))
    others = draw_scores(random, candidate, (HELD_OUT_LOANS,), scores)
    window: AnnouncedWindow = announced_window(
        scores.tolist(),
        others.tolist(),
        main_threshold=THRESHOLD,
        candidate_threshold=THRESHOLD * candidate.threshold,
    )
    return default_settings(window, mean_score=float(MEAN_SCORE))


def at_tolerance(settings: GuardSettings) -> Version:
    """Return a version that is as bad as is tolerated by each guard whose figure is a plain share."""
    bounds = settings.bounds
    return replace(
        USUAL,
        failed=USUAL.failed + bounds["failed_answers"].high,
        refused=USUAL.refused + bounds["refused_loads"].high,
        slow=USUAL.slow + bounds["slow_answers"].high,
        warned=USUAL.warned + bounds["warnings"].high,
        crashed=bounds["crashes"].high,
        shadow_failed=bounds["shadow_failures"].high,
        shadow_slow=bounds["shadow_slow"].high,
    )


def report(random: Generator, rollouts: int) -> Iterator[str]:
    """Yield the lines of the report."""
    settings = announced_settings(random, USUAL)
    plan = Plan(shadow=1_000, canary=500, weight=0.1, bake=500)
    same = simulate(random, settings, plan, USUAL, rollouts)
    yield f"rollout: false_rollback ratio={same.is_back.mean():.4f}"
    worst = simulate(random, settings, plan, at_tolerance(settings), rollouts // 10)
    yield f"rollout: false_rollback_at_the_tolerances ratio={worst.is_back.mean():.4f}"
    dead = simulate(random, settings, Plan(0, 60, 0.1), replace(USUAL, failed=1.0), 1_000)
    yield f"rollout: dead_canary requests={np.median(dead.asked):.0f}"
    for words, version in (("never fails", replace(USUAL, failed=0.0)), ("fails as often as main, 0.5 %", USUAL)):
        good = simulate(random, settings, Plan(8_000, 4_000, 0.1), version, max(rollouts // 100, 20))
        yield f"A version that {words}: passes after {np.median(good.passed_asked):,.0f} canary requests"
    yield ""
    yield "| fault | requests a second | weight | shadow | rolled back | canary requests | after | held | promoted |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for fault, candidate in FAULTS.items():
        for rate, weight in TRAFFIC:
            for shadow_s in (0, 600):
                traffic = rate, weight, shadow_s
                yield _table_line(random, settings, fault, candidate, traffic, max(rollouts // 100, 20))


def _table_line(
    random: Generator,
    settings: GuardSettings,
    fault: str,
    candidate: Version,
    traffic: tuple[float, float, int],
    rollouts: int,
) -> str:
    rate, weight, shadow_s = traffic
    canary = min(round(rate * weight * CANARY_S), MOST_REQUESTS)
    found = simulate(random, settings, Plan(round(rate * shadow_s), canary, weight), candidate, rollouts)
    cells = [fault, f"{rate:g}", f"{weight:.0%}", f"{shadow_s // 60} min", f"{found.is_back.mean():.0%}"]
    if found.is_back.any():
        cells += [f"{np.median(found.asked[found.is_back]):,.0f}"]
        cells += [f"{np.median(found.failed[found.is_back]) / rate:,.0f} s"]
    else:
        cells += ["", ""]
    cells += [f"{(~found.is_back & ~found.is_promoted).mean():.0%}", f"{found.is_promoted.mean():.0%}"]
    return "| " + " | ".join(cells) + " |"


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=10_000, help="rollouts of a version that differs in nothing")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> None:
    """Simulate, and print each line as soon as it is known."""
    for line in report(np.random.default_rng(SEED), _options(words).rollouts):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
