"""What is to be done about a version: one verdict with its reason in one sentence. Pure.

    refit               it ranks worse than its manifest promises
    recalibrate         it ranks as promised, and its probabilities are off
    look                its inputs have changed, and no outcomes say yet whether that does harm
    ok                  nothing of this, and the data would show it
    not enough data     nothing of this, and the data couldn't show it

The first that holds is the verdict. All tests may be looked at each night (``evidence.daily``), and an alarm stays: the
version is what it is until another one is in charge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import add
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from model_monitor import verdict_sentences
from model_monitor.evidence import calibration, discrimination
from model_monitor.evidence.daily import Evidence, evidence, in_order
from model_monitor.evidence.inputs import input_evidence
from model_monitor.input_shifts import TrainingInputs
from model_monitor.joined.outcome_tally import OutcomeTally
from model_monitor.mature_figures import MatureFigures, measure, scored_tally
from model_monitor.settings import MonitorSettings
from model_registry.manifest import TrainingProfile
from model_watch.outcome_figures import Floats
from model_watch.tally import PROBABILITY_UNIT, SCORE_BINS, VersionTally

Kind = Literal["ok", "not enough data", "look", "recalibrate", "refit"]
# Their numbers are those of the metric ``MonitorVerdict``: append new ones.
KINDS: Final[tuple[Kind, ...]] = ("ok", "not enough data", "look", "recalibrate", "refit")


@dataclass(frozen=True)
class Verdict:
    """What is to be done, and why, in one sentence."""

    kind: Kind
    reason: str

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"kind": self.kind, "reason": self.reason}


@dataclass(frozen=True)
class Assessment:
    """The verdict on a version, and the tests that it rests on.

    ``tests`` are those of discrimination (if the manifest promises a ROC-AUC), calibration, and each input.
    """

    verdict: Verdict
    tests: tuple[Evidence, ...]


def judge(
    outcomes: Mapping[date, OutcomeTally],
    traffic: Mapping[date, VersionTally],
    profile: TrainingProfile | None,
    metrics: Mapping[str, Any],
    settings: MonitorSettings,
    today: date,
) -> Assessment:
    """Judge the version in charge.

    Parameters
    ----------
    outcomes : mapping of date to OutcomeTally
        What became of the loans that it scored, by the day of scoring; days that aren't mature may be among them.
    traffic : mapping of date to VersionTally
        What it answered, by day. Today counts once it is over.
    profile, metrics
        Those of its manifest.
    settings : MonitorSettings
        What is tolerated.
    today : date
        The day of this look.
    """
    mature = {day: tally for day, tally in outcomes.items() if tally.mature}
    over = {day: tally for day, tally in traffic.items() if day < today}
    promise = discrimination.promised(metrics, "roc_auc")
    ranking = _discrimination(mature, promise, settings)
    probabilities = _calibration(mature, settings)
    inputs = input_evidence(over, TrainingInputs(profile, metrics), metrics, settings)
    verdict = _verdict(mature, promise, ranking, probabilities, inputs, settings, today)
    return Assessment(verdict, (*([ranking] if ranking else []), probabilities, *inputs))


def _discrimination(
    mature: Mapping[date, OutcomeTally], promise: tuple[float, float] | None, settings: MonitorSettings
) -> Evidence | None:
    least = 0.0 if promise is None else promise[0] - settings.discrimination.margin
    if not 0 < least < 1:
        return None
    days, late, loans, _ = _stacked(mature)
    factors = discrimination.log_factors(late, loans - late, least)
    threshold, window = settings.threshold("refit"), settings.outcome_window_days
    return evidence("discrimination", threshold, days, factors, discrimination.PRIOR, delay=window)


def _calibration(mature: Mapping[date, OutcomeTally], settings: MonitorSettings) -> Evidence:
    days, late, loans, probabilities = _stacked(mature)
    factors = calibration.log_factors(late, loans, probabilities, settings)
    threshold, window = settings.threshold("recalibrate"), settings.outcome_window_days
    return evidence("calibration", threshold, days, factors, calibration.PRIOR, delay=window)


def _stacked(mature: Mapping[date, OutcomeTally]) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Return the days, and late loans, all loans and mean probabilities of the bins that have loans, by day and bin."""
    days, tallies = in_order(mature)
    columns = (np.array([getattr(tally, name) for tally in tallies]) for name in ("late", "on_time", "probability_sum"))
    late, on_time, probability_sum = (column.reshape(len(days), SCORE_BINS).astype(np.float64) for column in columns)
    loans = late + on_time
    filled = loans.any(axis=0)
    late, loans, probability_sum = late[:, filled], loans[:, filled], probability_sum[:, filled]
    return days, late, loans, probability_sum * PROBABILITY_UNIT / np.maximum(loans, 1)


def _verdict(
    mature: Mapping[date, OutcomeTally],
    promise: tuple[float, float] | None,
    ranking: Evidence | None,
    probabilities: Evidence,
    inputs: tuple[Evidence, ...],
    settings: MonitorSettings,
    today: date,
) -> Verdict:
    if promise and ranking and ranking.since:
        return Verdict("refit", verdict_sentences.of_refit(_figures(mature, ranking.since), ranking, promise[0]))
    if probabilities.since:
        figures = _figures(mature, probabilities.since)
        return Verdict("recalibrate", verdict_sentences.of_recalibrate(figures, probabilities, settings))
    changed = [test for test in inputs if test.since]
    unclear = [test for test in changed if _lack(mature, settings, today, test.since)]
    if unclear:
        return Verdict("look", verdict_sentences.of_look(unclear))
    lack = _lack(mature, settings, today)
    if lack:
        return Verdict("not enough data", lack)
    return Verdict(
        "ok", verdict_sentences.of_ok(_figures(mature, date.min), changed, is_ranking_judged=ranking is not None)
    )


def _lack(
    mature: Mapping[date, OutcomeTally], settings: MonitorSettings, today: date, since: date | None = None
) -> str | None:
    """Return what the recent outcomes lack to show that the version is right, None if they suffice."""
    latest = today - timedelta(days=settings.outcome_window_days)
    begin = max(latest - timedelta(days=settings.recent_days), since or date.min)
    recent = _sum(mature, begin)
    enough = settings.enough
    if not recent.mature:
        return verdict_sentences.OF_NOTHING_MATURE
    if recent.known < enough.known_share * recent.mature:
        return verdict_sentences.of_unknown_outcomes(recent, enough)
    if recent.expected_late < enough.expected_late:
        return verdict_sentences.of_few_late_loans(recent, enough)
    return None


def _sum(mature: Mapping[date, OutcomeTally], since: date) -> OutcomeTally:
    return reduce(add, (tally for day, tally in mature.items() if day >= since), OutcomeTally())


def _figures(mature: Mapping[date, OutcomeTally], since: date) -> MatureFigures:
    return measure(scored_tally(_sum(mature, since)))
