"""Linear models with curves: the log-odds are a sum in which a number may contribute any function of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from math import isnan, nan
from typing import TYPE_CHECKING

from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form.form import CurvesForm
from model_artifact.serving_form.number_functions import FUNCTIONS, NumberFunction
from model_artifact.serving_form.scorers.base import Columns, Record
from model_artifact.serving_form.scorers.linear import Linear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COEFFICIENTS = 4


class Curve:
    """A function of one number: steps, and then the polynomial of one of its pieces."""

    def __init__(
        self,
        steps: Sequence[tuple[NumberFunction, float, float]],
        starts: Sequence[float],
        coefficients: Sequence[Sequence[float]],
        missing: float,
    ) -> None:
        self._steps = steps
        self._starts = starts
        self._coefficients = coefficients
        self._missing = missing

    def __call__(self, value: float | None) -> float:
        """Return the contribution of a number, or of a missing one; NaN outside a function's domain."""
        if value is None or isnan(value):
            return self._missing
        # A whole number may be an int, which would round in another way than a float.
        x = float(value)
        try:
            for function, a, b in self._steps:
                x = function(x, a, b)
        except (ValueError, ArithmeticError):
            return nan
        piece = bisect_right(self._starts, x, 1) - 1
        c0, c1, c2, c3 = self._coefficients[piece]
        x -= self._starts[piece]
        return c0 + x * (c1 + x * (c2 + x * c3))


class Curves(Linear):
    """Scores a ``CurvesForm``."""

    def __init__(self, form: CurvesForm) -> None:
        super().__init__(form)
        self._curves = _curves_of(form)

    def contributions(self, record: Record) -> dict[str, float]:
        """See ``Linear``."""
        contributions = super().contributions(record)
        for name, curve in self._curves:
            contributions[name] += curve(record.get(name))
        return contributions

    def contributions_of_columns(self, columns: Columns) -> dict[str, NDArray[np.float64]]:
        """See ``Linear``."""
        import numpy as np

        contributions = super().contributions_of_columns(columns)
        for name, curve in self._curves:
            numbers = np.asarray(columns[name], dtype=np.float64)
            # Number by number, so that a record gets the same probability alone and in a batch: NumPy's logarithm
            # rounds in another way than Python's.
            contributions[name] = contributions[name] + np.fromiter(map(curve, numbers.tolist()), np.float64)
        return contributions


def _curves_of(form: CurvesForm) -> list[tuple[str, Curve]]:
    functions = tuple(FUNCTIONS.values())
    steps = zip((functions[number] for number in form.step_function), form.step_a, form.step_b, strict=True)
    coefficients = zip(*(iter(form.piece_coefficients),) * _COEFFICIENTS, strict=True)
    starts = iter(form.piece_start)
    curves = []
    for number, field in enumerate(form.curve_field):
        n_steps, n_pieces = form.curve_steps[number], form.curve_pieces[number]
        pieces = list(islice(starts, n_pieces)), list(islice(coefficients, n_pieces))
        curves.append((FIELD_NAMES[field], Curve(list(islice(steps, n_steps)), *pieces, form.curve_missing[number])))
    return curves
