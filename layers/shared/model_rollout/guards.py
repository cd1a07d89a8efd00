"""Judges a candidate by its guards: each passes, fails, or can't tell yet. Pure.

A guard compares the candidate with the version in charge and tolerates a difference. It fails once the hypothesis "the
difference is tolerated" is rejected, passes once "it isn't tolerated" is rejected, and is inconclusive until then. Both
tests hold however often somebody looks (``model_watch.sequential_tests``). A failed guard takes the rollout back; the
rollout goes on only when all pass. Only the sample ratio holds it when it fails: then the figures can't be trusted.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from model_rollout.canary_table import CanaryTable
from model_rollout.evidence import Sample, e_values, estimate, samples_of, weighted_mean
from model_rollout.guard_sentences import Verdict, guard_sentence, ratio_sentence
from model_rollout.guard_settings import GUARDS, SAMPLE_RATIO, Bounds, GuardSettings
from model_rollout.observations import Observations
from model_rollout.plan import StageKind
from model_watch.sequential_tests import e_value, log_ratio_e_value

# Which measure of a request a canary guard compares.
_MEASURES: Final = {
    "failed_answers": "failed",
    "refused_loads": "refused",
    "slow_answers": "slow",
    "flagged": "flagged",
    "mean_score": "score",
    "warnings": "warned",
}
_SHADOW_MEASURES: Final = {
    "shadow_failures": "failed",
    "shadow_slow": "times_slower",
    "score_difference": "difference",
    "flag_difference": "flag_change",
    "flips": "flipped",
}
# A sound version has none of these, so the candidate is judged even where nothing is known of the main version.
_EXPECTED_ZERO: Final = frozenset({"failed_answers", "refused_loads", "crashes"})


@dataclass(frozen=True)
class Judgement:
    """What one guard says now.

    Attributes
    ----------
    guard : str
        Its name.
    verdict : {"pass", "fail", "inconclusive"}
    n, in_step : int
        How many observations it rests on: pairs of requests, requests, or keys; and how many of the candidate's came at
        the newest weight.
    candidate, main, estimate : float or None
        The figures of both versions and their difference; None where unknown.
    low, high : float or None
        The tolerated difference; ``low`` is None where only more is worse, both are for the sample ratio.
    e_fail, e_pass : float
        The evidence against "it is tolerated" and against "it isn't"; at most 1e12.
    fail_at, pass_at : float
        The evidence from which on the guard fails or passes.
    sentence : str
        All of this for people.
    """

    guard: str
    verdict: Verdict
    n: int
    in_step: int
    candidate: float | None
    main: float | None
    estimate: float | None
    low: float | None
    high: float | None
    e_fail: float
    e_pass: float
    fail_at: float
    pass_at: float
    sentence: str

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values, all of which JSON has."""
        return asdict(self)


def judge(settings: GuardSettings, observations: Observations, stage: StageKind) -> tuple[Judgement, ...]:
    """Return what each guard of a stage says, in the order of ``GUARDS``.

    Parameters
    ----------
    settings : GuardSettings
        As stored with the rollout.
    observations : Observations
        All lines of the rollout so far. Evidence of earlier steps counts. To pass, a guard also needs
        ``settings.least_in_step`` requests of the present one, whose own difference is tolerated.
    stage : {"shadow", "canary", "bake"}
    """
    table = observations.table()
    return tuple(_judge_guard(guard, settings, observations, table) for guard in GUARDS[stage])


def _judge_guard(guard: str, settings: GuardSettings, observations: Observations, table: CanaryTable) -> Judgement:
    if guard == SAMPLE_RATIO:
        return _judge_ratio(settings, observations, table)
    scale = {"mean_score": settings.most_score, "score_difference": settings.most_difference}.get(guard, 1.0)
    if guard in _SHADOW_MEASURES:
        series = observations.shadow(_SHADOW_MEASURES[guard])
        if guard == "shadow_slow":
            series = replace(series, values=(series.values > settings.slow_shadow_times).astype(np.float64))
        scaled = replace(series, values=np.clip(series.values / scale, -1, 1))
        samples = [Sample(scaled, is_share=settings.bounds[guard].low is None)] if len(series) else []
    else:
        comparison = observations.crashes() if guard == "crashes" else table.compare(_MEASURES[guard])
        samples = samples_of(comparison, scale, is_expected_zero=guard in _EXPECTED_ZERO)
    return _decide(guard, settings, samples, scale, (observations.candidate, observations.main))


def _decide(
    guard: str, settings: GuardSettings, samples: list[Sample], scale: float, versions: tuple[int, int]
) -> Judgement:
    bounds = settings.bounds[guard]
    scaled = Bounds(None if bounds.low is None else max(bounds.low / scale, -0.999), min(bounds.high / scale, 0.999))
    e_fail, e_pass = e_values(samples, scaled)
    difference, n = estimate(samples)
    in_step, n_in_step = estimate(samples, in_step=True)
    candidate = weighted_mean((sample.candidate, len(sample.series)) for sample in samples)
    main = weighted_mean((sample.main, len(sample.series)) for sample in samples)
    candidate, main, difference, in_step = figures = tuple(
        None if figure is None else figure * scale for figure in (candidate, main, difference, in_step)
    )
    verdict: Verdict = "inconclusive"
    if e_fail >= settings.fail_at:
        verdict = "fail"
    elif e_pass >= settings.pass_at and n_in_step >= settings.least_in_step and bounds.holds(in_step):
        verdict = "pass"
    sentence = guard_sentence(
        guard, verdict, versions, figures, (bounds.low, bounds.high), (n, n_in_step), settings.least_in_step
    )
    return Judgement(
        guard, verdict, n, n_in_step, candidate, main, difference, bounds.low, bounds.high, e_fail, e_pass,
        settings.fail_at, settings.pass_at, sentence,
    )  # fmt: skip


def _judge_ratio(settings: GuardSettings, observations: Observations, table: CanaryTable) -> Judgement:
    counts = table.split_counts()
    keys, all_keys = sum(count for count, _, _ in counts), sum(total for _, total, _ in counts)
    expected = math.fsum(total * weight for _, total, weight in counts)
    against = e_value(math.fsum(log_ratio_e_value(count, total, weight) for count, total, weight in counts))
    is_off = against >= settings.pass_at
    verdict: Verdict = "fail" if is_off else "pass" if all_keys >= settings.least_in_step else "inconclusive"
    return Judgement(
        guard=SAMPLE_RATIO,
        verdict=verdict,
        n=all_keys,
        in_step=all_keys,
        candidate=keys / all_keys if all_keys else None,
        main=None,
        estimate=(keys - expected) / all_keys if all_keys else None,
        low=None,
        high=None,
        e_fail=against,
        e_pass=1.0,
        fail_at=settings.pass_at,
        pass_at=settings.pass_at,
        sentence=ratio_sentence(observations.candidate, keys, all_keys, expected, is_off=is_off),
    )
