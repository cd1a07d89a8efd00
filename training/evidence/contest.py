"""A candidate against the version in charge, on loans that neither was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from model_artifact.pipeline import late_probabilities
from training.data import Quarter
from training.evidence import tally
from training.evidence.comparison import Comparison, compare
from training.evidence.intervals import LEVEL, Interval, bootstrap
from training.evidence.segments import each_segment, has_enough
from training.evidence.sweeps import Sweep, sweep_all

# A refusal takes more than a figure in a table: with ten late loans one lucky order of a bad model looks unbeatable.
LEAST_LATE = 20

# The intervals of many segments reach far into the tails, which takes more draws.
_SEGMENT_ROUNDS = 2000


@dataclass(frozen=True)
class SegmentContest:
    """The comparison on one segment's loans.

    Its intervals are wider than 95%, so that one segment of all is wrongly found to be worse in at most one of twenty
    contests (Bonferroni).
    """

    column: str
    label: str
    comparison: Comparison


@dataclass(frozen=True)
class Contest:
    """What the gates judge.

    Attributes
    ----------
    is_held_out : bool or None
        Whether the candidate was trained on other loans, as far as its record says; None without a record.
    whole : Comparison
        The candidate less the version in charge, on all loans.
    slope, over_expected : Interval
        The candidate's calibration.
    sweeps : tuple of Sweep
        The candidate's directions.
    segments : tuple of SegmentContest
        Segments with enough loans.
    """

    is_held_out: bool | None
    whole: Comparison
    slope: Interval
    over_expected: Interval
    sweeps: tuple[Sweep, ...]
    segments: tuple[SegmentContest, ...]


def hold(candidate: Any, in_charge: Any, quarter: Quarter, recorded_data: Mapping[str, Any]) -> Contest:
    """Score both models on the same loans and compare them.

    Parameters
    ----------
    candidate, in_charge : object
        Fitted pipelines.
    quarter : Quarter
        The loans.
    recorded_data : mapping
        What the candidate's record says of its data.
    """
    target, features = quarter.target, quarter.features
    with threadpool_limits(limits=1):
        first, second = (late_probabilities(pipeline, features) for pipeline in (candidate, in_charge))
        calibration = bootstrap(target, first, _calibration_from(tally.calibration_line(tally.tally(target, first))))
        enough = [segment for segment in each_segment(features) if has_enough(target[segment[2]], LEAST_LATE)]
        level = 1 - (1 - LEVEL) / max(len(enough), 1)
        return Contest(
            is_held_out=_is_held_out(quarter, recorded_data),
            whole=compare(target, first, second),
            slope=calibration["slope"],
            over_expected=calibration["over_expected"],
            sweeps=sweep_all(candidate, features),
            segments=tuple(
                SegmentContest(
                    column,
                    label,
                    compare(target[rows], first[rows], second[rows], level=level, rounds=_SEGMENT_ROUNDS),
                )
                for column, label, rows in enough
            ),
        )


def _calibration_from(line: tuple[float, float]) -> Callable[[tally.Tally], dict[str, float]]:
    # A draw's line is near that of all loans: from there it takes two steps to it.
    start = line if np.isfinite(line[1]) else None
    return lambda counts: {
        "slope": tally.calibration_line(counts, start)[1],
        "over_expected": tally.observed_over_expected(counts),
    }


def _is_held_out(quarter: Quarter, recorded_data: Mapping[str, Any]) -> bool | None:
    trained_on = recorded_data.get("train", {}).get("sha256")
    return None if trained_on is None else bool(trained_on != quarter.fingerprint.sha256)
