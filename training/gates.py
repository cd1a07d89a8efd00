"""Judges a candidate by the rules that it must pass to replace a version. Pure: values in, verdicts out.

Each rule looks at an interval, not at a single figure. Where the interval leaves the question open, the candidate
passes, except under ``better-than``, which asks for proof.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from model_watch.intervals import Interval
from training.evidence.comparison import Comparison
from training.evidence.contest import Contest
from training.evidence.intervals import in_words

SLOPE_BAND = (0.9, 1.2)
OVER_EXPECTED_BAND = (0.8, 1.25)

# How much ROC-AUC a candidate may lose under ``no-worse-than``.
MARGIN = 0.01


class Requirement(Enum):
    """The rule for a candidate's ROC-AUC; the other rules are the same for all requirements."""

    BETTER_THAN = "better-than"
    """The whole interval of the gain is above zero."""

    NO_WORSE_THAN = "no-worse-than"
    """The whole interval of the gain is above -.01."""


@dataclass(frozen=True)
class Verdict:
    """Whether a rule is passed, and the figures that decided it.

    ``is_told`` is False where the interval leaves the band on both sides: the loans are too few to tell.
    """

    rule: str
    passed: bool
    figures: str
    is_told: bool = True

    @property
    def word(self) -> str:
        """The verdict in words."""
        return ("passed" if self.is_told else "could not be told") if self.passed else "FAILED"


def judge(requirement: Requirement, contest: Contest) -> tuple[Verdict, ...]:
    """Apply every rule to a contest; return a verdict for each one, passed or not."""
    return (
        _holdout(contest),
        _ranking(requirement, contest.whole),
        band("calibration-slope", "calibration slope", contest.slope, SLOPE_BAND),
        band("observed-over-expected", "late loans over expected ones", contest.over_expected, OVER_EXPECTED_BAND),
        _monotonicity(contest),
        _segments(contest),
    )


def failures(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts of the rules that were not passed."""
    return tuple(verdict for verdict in verdicts if not verdict.passed)


def _holdout(contest: Contest) -> Verdict:
    figures = {
        True: f"{contest.claimed_by} says that it was trained on other loans",
        False: f"{contest.claimed_by} says that it was trained on these loans",
        None: "nobody says which loans it was trained on; say it with --trained-on",
    }
    return Verdict("held-out-loans", contest.is_held_out is True, figures[contest.is_held_out])


def _ranking(requirement: Requirement, whole: Comparison) -> Verdict:
    gain = whole.roc_auc
    least = 0.0 if requirement is Requirement.BETTER_THAN else -MARGIN
    return Verdict(
        requirement.value,
        bool(gain.low > least),
        f"ROC-AUC gained {in_words(gain, 3)} on {whole.loans:,} loans, {whole.late:,} of them late; required: the "
        f"whole interval above {least:g}",
    )


def band(rule: str, name: str, interval: Interval, allowed: tuple[float, float]) -> Verdict:
    """Judge a figure by whether its interval overlaps a band."""
    low, high = allowed
    is_known = np.isfinite([interval.low, interval.high]).all()
    is_told = not (interval.low < low and interval.high > high)
    too_wide = "" if is_told else "; this one reaches beyond both ends"
    return Verdict(
        rule,
        bool(is_known and interval.low <= high and interval.high >= low),
        f"{name} {in_words(interval, 2)}; required: an interval that overlaps {low:g} to {high:g}{too_wide}",
        is_told=is_told,
    )


def _monotonicity(contest: Contest) -> Verdict:
    against = [sweep for sweep in contest.sweeps if not sweep.is_monotone]
    if not against:
        return Verdict("monotonicity", True, f"{', '.join(sweep.column for sweep in contest.sweeps)} are monotone")
    return Verdict(
        "monotonicity",
        False,
        "; ".join(
            f"as {sweep.column} rises the probability {'falls' if sweep.direction > 0 else 'rises'} for "
            f"{sweep.loans_against} of {sweep.loans} loans, by up to {sweep.largest_step_against:.4f}"
            for sweep in against
        ),
    )


def _segments(contest: Contest) -> Verdict:
    worse = [
        f"{segment} ({comparison.loans:,} loans, {comparison.late} late): ROC-AUC gained "
        f"{in_words(comparison.roc_auc, 3)}, log loss added {in_words(comparison.log_loss, 4)}"
        for segment, comparison in contest.segments.items()
        if comparison.roc_auc.high < 0 or comparison.log_loss.low > 0
    ]
    if worse:
        return Verdict("segments", False, "; ".join(worse))
    figures = f"not shown to be worse in any of {len(contest.segments)} segments with enough loans"
    return Verdict("segments", True, figures)
