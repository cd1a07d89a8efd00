"""Results by segment: grade, purpose and home ownership. Small segments get no ROC-AUC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_watch.intervals import Interval, over_expected, wilson
from model_watch.outcome_figures import Floats, roc_auc
from training.evidence.intervals import bootstrap
from training.evidence.tally import Labels

SEGMENT_COLUMNS = ("grade", "purpose", "home_ownership")

# With fewer, the interval of the AUC is wider than any difference that anybody would act on.
LEAST_LOANS = 200
LEAST_LATE = 10

_ROUNDS = 500


@dataclass(frozen=True)
class Segment:
    """The loans with one label in a column.

    ``rate`` is the share that is late, ``expected`` the sum of the probabilities, ``over_expected`` late over expected
    loans, ``flagged`` how many loans are at or above the threshold. ``roc_auc`` is None where the loans are too few.
    """

    column: str
    label: str
    loans: int
    late: int
    rate: Interval
    expected: float
    over_expected: Interval
    roc_auc: Interval | None
    flagged: int


def each_segment(features: pd.DataFrame) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield each segment's column, label and mask of shape (n_rows,)."""
    for column in SEGMENT_COLUMNS:
        labels = features[column].astype(object).where(features[column].notna(), "missing")
        for label in sorted(labels.unique(), key=str):
            yield column, str(label), (labels == label).to_numpy()


def has_enough(target: Labels, least_late: int = LEAST_LATE) -> bool:
    """Return whether a segment with these outcomes is large enough to measure its ranking."""
    late = int(target.sum())
    return len(target) >= LEAST_LOANS and late >= least_late and late < len(target)


def segment_results(
    features: pd.DataFrame, target: Labels, probabilities: Floats, threshold: float
) -> tuple[Segment, ...]:
    """Return the results of all segments; a loan is called late from ``threshold`` on."""
    segments = []
    for column, label, rows in each_segment(features):
        outcomes, scores = target[rows], probabilities[rows]
        expected = float(scores.sum())
        segments.append(
            Segment(
                column=column,
                label=label,
                loans=len(outcomes),
                late=int(outcomes.sum()),
                rate=wilson(int(outcomes.sum()), len(outcomes)),
                expected=expected,
                over_expected=over_expected(int(outcomes.sum()), expected),
                roc_auc=_auc(outcomes, scores) if has_enough(outcomes) else None,
                flagged=int(np.sum(scores >= threshold)),
            )
        )
    return tuple(segments)


def _auc(target: Labels, probabilities: Floats) -> Interval:
    return bootstrap(target, probabilities, lambda counts: {"auc": roc_auc(counts)}, rounds=_ROUNDS)["auc"]
