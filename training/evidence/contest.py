"""Compares a candidate with the version in charge, on the same loans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from model_artifact.pipeline import late_probabilities
from model_watch.intervals import LEVEL, Interval
from model_watch.outcome_figures import Floats, calibration_line, observed_over_expected
from training.data import Quarter
from training.evidence.comparison import Comparison, compare
from training.evidence.intervals import bootstrap
from training.evidence.segments import each_segment, has_enough
from training.evidence.sweeps import Sweep, sweep_all
from training.evidence.tally import Labels, tally

# Refusing a candidate takes more late loans than printing a figure: with ten, too much is chance.
LEAST_LATE = 20

# Intervals for many segments reach far into the tails, which takes more draws.
_SEGMENT_ROUNDS = 2000


@dataclass(frozen=True)
class Contest:
    """The comparison that the gates judge.

    Attributes
    ----------
    is_held_out : bool or None
        Whether the candidate was trained on other loans, as far as anybody says; None if nobody says.
    whole : Comparison
        The candidate's metrics minus those of the version in charge, on all loans.
    slope, over_expected : Interval
        The candidate's calibration.
    sweeps : tuple of Sweep
        Whether the candidate's probability moves the right way.
    segments : mapping of str to Comparison
        The same for each segment with enough loans, by column and label. These intervals are wider than 95%, so that
        any segment is wrongly called worse in at most one of twenty contests (Bonferroni).
    claimed_by : str
        Who says which loans the candidate was trained on.
    """

    is_held_out: bool | None
    whole: Comparison
    slope: Interval
    over_expected: Interval
    sweeps: tuple[Sweep, ...]
    segments: Mapping[str, Comparison]
    claimed_by: str = "its record"


def hold_contest(candidate: Any, in_charge: Any, quarter: Quarter, recorded_data: Mapping[str, Any]) -> Contest:
    """Score both models on the same loans and compare them.

    Parameters
    ----------
    candidate, in_charge : object
        Fitted pipelines.
    quarter : Quarter
        The loans.
    recorded_data : mapping
        The ``data`` of the candidate's training record.
    """
    target, features = quarter.target, quarter.features
    with threadpool_limits(limits=1):
        first, second = (late_probabilities(pipeline, features) for pipeline in (candidate, in_charge))
        calibration = _calibration(target, first)
        enough = [segment for segment in each_segment(features) if has_enough(target[segment[2]], LEAST_LATE)]
        level = 1 - (1 - LEVEL) / max(len(enough), 1)
        return Contest(
            is_held_out=_is_held_out(quarter, recorded_data),
            whole=compare(target, first, second),
            slope=calibration["slope"],
            over_expected=calibration["over_expected"],
            sweeps=sweep_all(candidate, features),
            segments={
                f"{column} {label}": compare(
                    target[rows], first[rows], second[rows], level=level, rounds=_SEGMENT_ROUNDS
                )
                for column, label, rows in enough
            },
            claimed_by=recorded_data.get("train", {}).get("claimed_by", "its record"),
        )


def _calibration(target: Labels, probabilities: Floats) -> dict[str, Interval]:
    line = calibration_line(tally(target, probabilities))
    return bootstrap(
        target,
        probabilities,
        lambda counts: {
            "slope": calibration_line(counts, line)[1],
            "over_expected": observed_over_expected(counts),
        },
    )


def _is_held_out(quarter: Quarter, recorded_data: Mapping[str, Any]) -> bool | None:
    trained_on = recorded_data.get("train", {})
    if trained_on.get("sha256") is None:
        return None
    return quarter.fingerprint.sha256 not in {trained_on["sha256"], *trained_on.get("files", ())}
