"""Fits the line of outcomes on log-odds, and judges it on loans that it wasn't fitted on. Pure.

The loans are those that one version scored and whose outcome is known, counted by score bin. They are cut into an older
and a newer half. The line of the older one is judged on the newer one; what is published is the line of both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from model_monitor.joined.outcome_tally import OutcomeTally
from model_monitor.joined.vintage import Vintage
from model_monitor.mature_figures import MatureFigures, measure, scored_tally
from model_monitor.report_sections import outcomes_by_day
from model_watch.intervals import Interval, two_sided_z
from model_watch.outcome_figures import Floats, Tally, clipped, log_odds, logistic, sum_of_products
from peerloan.errors import CommandError
from training.evidence.intervals import in_words
from training.gates import OVER_EXPECTED_BAND, SLOPE_BAND, Verdict, band

# With fewer late loans in a half the line is little more than luck: its level is off by a quarter either way.
LEAST_LATE = 15

Outcomes = Mapping[date, OutcomeTally]
_NEWTON_STEPS = 50


class TooFewLateError(CommandError):
    """The outcomes have too few late loans for a line."""

    def __init__(self, what: str, late: int, loans: int) -> None:
        super().__init__(
            f"{what} there are {late:,} late loans among {loans:,} with a known outcome, and at least {LEAST_LATE} are "
            "needed in each half. Import more outcomes (peerloan outcomes import), wait until more loans are mature, "
            "or begin earlier: --since DATE."
        )
        self.late = late
        self.loans = loans


class OneDayError(CommandError):
    """All loans are of one day, so there is no newer half to judge a line on."""

    def __init__(self, day: date) -> None:
        super().__init__(
            f"All mature loans with a known outcome were scored on {day}, and the line is judged on loans of later "
            "days than those that it is fitted on. Wait until later loans are mature, import more outcomes (peerloan "
            "outcomes import), or begin earlier: --since DATE."
        )
        self.day = day


@dataclass(frozen=True)
class Line:
    """What the log-odds become: ``intercept + slope * log-odds``."""

    intercept: float
    slope: float

    def of(self, probabilities: Any) -> Floats:
        """Return the recalibrated probabilities."""
        return logistic(self.intercept + self.slope * log_odds(probabilities))

    def of_tally(self, counts: Tally) -> Tally:
        """Return counted loans with their recalibrated probabilities."""
        return Tally(self.of(counts.probabilities), counts.late, counts.on_time)


@dataclass(frozen=True)
class JudgedLine:
    """A line, the loans that it was fitted on, and the verdicts on the line of their older half.

    ``before`` and ``after`` are the figures of the newer half without and with the line of the older one.
    """

    line: Line
    counts: Tally
    since: date
    until: date
    newer_since: date
    before: MatureFigures
    after: MatureFigures
    verdicts: tuple[Verdict, ...]

    @property
    def sentence(self) -> str:
        """What was fitted, and how it did."""
        loans, late = int(self.counts.loans.sum()), int(self.counts.late.sum())
        before, after = (in_words(half.observed_over_expected, 2) for half in (self.before, self.after))
        return (
            f"Intercept {self.line.intercept:+.3f} and slope {self.line.slope:.3f} on {loans:,} mature loans from "
            f"{self.since} to {self.until}, {late:,} of them late. The line of the older half, on the "
            f"{self.after.loans:,} loans since {self.newer_since}: late loans over expected ones "
            f"{after}, before {before}."
        )


def outcomes_of(vintages: Sequence[Vintage], version: int) -> dict[date, OutcomeTally]:
    """Return a version's days that have mature loans, in order."""
    days = outcomes_by_day(vintages, version)
    return {day: days[day] for day in sorted(days) if days[day].mature}


def fit_and_judge(outcomes: Outcomes, since: date) -> JudgedLine:
    """Fit the line on the loans since a day, and judge that of their older half on the newer one.

    Raises ``TooFewLateError`` if a half has too few late loans, ``OneDayError`` if there are no two halves.
    """
    days = {day: tally for day, tally in outcomes.items() if day >= since and tally.known}
    if len(days) == 1:
        raise OneDayError(*days)
    border = _middle(days)
    older, newer = (_counts(days, border, is_newer=is_newer) for is_newer in (False, True))
    for what, half in ((f"Before {border}", older), (f"Since {border}", newer)):
        late = int(half.late.sum())
        if late < LEAST_LATE or late == int(half.loans.sum()):
            raise TooFewLateError(what, late, int(half.loans.sum()))
    trial = fit_line(older)
    whole = scored_tally(reduce(add, days.values(), OutcomeTally()))
    before, after = measure(newer), measure(trial.of_tally(newer))
    return JudgedLine(
        line=fit_line(whole),
        counts=whole,
        since=min(days),
        until=max(days),
        newer_since=border,
        before=before,
        after=after,
        verdicts=_judge(newer, trial, after),
    )


def fit_line(counts: Tally) -> Line:
    """Fit outcomes on log-odds. A slope whose interval has 1 in it stays 1: few late loans say little about it."""
    figures = measure(counts)
    slope = figures.slope
    if math.isfinite(slope.value) and slope.low > 0 and not slope.low <= 1 <= slope.high:
        return Line(figures.intercept.value, slope.value)
    return Line(_level(counts), 1.0)


def _level(counts: Tally) -> float:
    """Return what must be added to the log-odds for as many late loans to be expected as there were."""
    x, late = log_odds(counts.probabilities), float(counts.late.sum())
    shift = 0.0
    for _ in range(_NEWTON_STEPS):
        fitted = logistic(x + shift)
        step = (late - sum_of_products(counts.loans, fitted)) / sum_of_products(counts.loans, fitted * (1 - fitted))
        shift += min(max(step, -1.0), 1.0)
        if abs(step) < 1e-12:
            break
    return shift


def _middle(days: Outcomes) -> date:
    """Return the first day of the newer half, the day from which on half of the loans are."""
    if not days:
        raise TooFewLateError("Of this version", 0, 0)
    known = np.cumsum([tally.known for tally in days.values()])
    return list(days)[min(int(np.searchsorted(known, known[-1] / 2)) + 1, len(days) - 1)]


def _counts(days: Outcomes, border: date, *, is_newer: bool) -> Tally:
    tallies = (tally for day, tally in days.items() if (day >= border) == is_newer)
    return scored_tally(reduce(add, tallies, OutcomeTally()))


def _judge(newer: Tally, trial: Line, after: MatureFigures) -> tuple[Verdict, ...]:
    gain = _log_loss_gain(newer, trial)
    return (
        Verdict(
            "log-loss",
            gain.value > 0,
            f"log loss fell by {in_words(gain, 5)} on {after.loans:,} newer loans, {after.late:,} of them late; "
            "required: a fall",
        ),
        band("calibration-slope", "calibration slope", after.slope, SLOPE_BAND),
        band(
            "observed-over-expected", "late loans over expected ones", after.observed_over_expected, OVER_EXPECTED_BAND
        ),
    )


def _log_loss_gain(counts: Tally, line: Line) -> Interval:
    """Return how far the mean log loss falls with the line, with its interval by the normal distribution."""
    old, new = clipped(counts.probabilities), clipped(line.of(counts.probabilities))
    gains = np.concatenate([np.log(new) - np.log(old), np.log1p(-new) - np.log1p(-old)])
    loans = np.concatenate([counts.late, counts.on_time])
    mean = float(np.average(gains, weights=loans))
    half = two_sided_z() * math.sqrt(float(np.average((gains - mean) ** 2, weights=loans)) / float(loans.sum()))
    return Interval(mean, mean - half, mean + half)
