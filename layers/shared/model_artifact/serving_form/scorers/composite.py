"""Weighted sums of other scorers: votes, stacks, and the folds of a calibration."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import islice
from math import isnan
from typing import TYPE_CHECKING, Any

from model_artifact.serving_form.form import CompositeForm
from model_artifact.serving_form.scorers.base import Columns, Record, RecordScorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Isotonic:
    """A calibration: linear between its knots, constant beyond the first and the last one."""

    def __init__(self, x: Sequence[float], y: Sequence[float]) -> None:
        self._x = x
        self._y = y

    def __call__(self, value: float) -> float:
        """Return the calibrated value; NaN stays NaN."""
        if isnan(value):
            return value
        right = bisect_right(self._x, value)
        if right == 0:
            return self._y[0]
        low = self._y[right - 1]
        if right == len(self._x):
            return low
        start, end, high = self._x[right - 1], self._x[right], self._y[right]
        # Rounding may not lead beyond the next knot.
        return min(low + (high - low) / (end - start) * (value - start), high)


class Composite(RecordScorer):
    """Scores a ``CompositeForm``, given the scorers of its parts."""

    def __init__(self, form: CompositeForm, scorers: Sequence[RecordScorer]) -> None:
        self.form = form
        self.few_records = min(scorer.few_records for scorer in scorers)
        calibrations = _calibrations_of(form)
        self._parts = list(zip(form.part_weight, scorers, form.part_is_score, calibrations, strict=True))
        self._single = [
            (weight, scorer.score if is_score else scorer.late_probability, calibrate)
            for weight, scorer, is_score, calibrate in self._parts
        ]
        if form.output == "mean":
            self.divisor = 0.0
            # In the order in which the parts are added: then parts that are all 1 have a mean of exactly 1.
            for weight in form.part_weight:
                self.divisor += weight

    def score(self, record: Record) -> float:
        """See ``RecordScorer``."""
        total = self.form.base
        for weight, value_of, calibrate in self._single:
            value = value_of(record)
            total += weight * (value if calibrate is None else calibrate(value))
        return total

    def scores_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """See ``RecordScorer``."""
        import numpy as np

        total: Any = self.form.base
        for weight, scorer, is_score, calibrate in self._parts:
            values = scorer.scores_of_columns(columns) if is_score else scorer.late_probabilities_of_columns(columns)
            if calibrate is not None:
                values = np.fromiter(map(calibrate, values.tolist()), np.float64, len(values))
            total = total + weight * values
        return np.asarray(total)


def _calibrations_of(form: CompositeForm) -> list[Callable[[float], float] | None]:
    x, y = iter(form.knot_x), iter(form.knot_y)
    return [
        Isotonic(list(islice(x, n_knots)), list(islice(y, n_knots))) if n_knots else None for n_knots in form.part_knots
    ]
