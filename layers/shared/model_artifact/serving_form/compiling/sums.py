"""Writes a sum of contributions, one for each column of the matrix, as contributions of the record's own fields."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.schema import CATEGORY_NAMES
from model_artifact.serving_form.compiling.column import LINEAR_STEPS, Column, Pieces, Step
from model_artifact.serving_form.compiling.columns import Columns
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.form import CurvesForm, Labels, LinearForm, n_codes
from model_artifact.serving_form.number_functions import FUNCTION_NAMES

Floats = NDArray[np.float64]

# A curve's field, its steps, and where its pieces start.
_CurveKey = tuple[int, tuple[Step, ...], tuple[float, ...]]
# The coefficients of its pieces, and a missing number's contribution.
_Curve = tuple[Floats, float]


@dataclass(frozen=True)
class Contribution:
    """A column's contribution to the log-odds: ``constant + weight * u + square * u²``, with ``u = x - start``."""

    weight: float
    start: float = 0.0
    constant: float = 0.0
    square: float = 0.0

    @property
    def is_linear(self) -> bool:
        """Whether it consists of a weight alone."""
        return not (self.start or self.constant or self.square)

    def of(self, x: Any) -> Any:
        """Return the contribution of a column's value."""
        u = x - self.start
        return self.constant + u * (self.weight + u * self.square)


def sum_form(intercept: float, contributions: Sequence[Contribution], columns: Columns) -> LinearForm:
    """Return the form of a sum of contributions, one for each column.

    Raises ``NotCompilableError`` if a missing value would reach the classifier, which refuses it.
    """
    total = _Sum(intercept, columns.labels)
    for column, contribution in zip(columns.columns, contributions, strict=True):
        if column.by_code is None:
            total.add_number(column, contribution)
        else:
            total.add_category(column, contribution)
    return total.form()


class _Sum:
    """The sum so far."""

    def __init__(self, intercept: float, labels: Labels) -> None:
        self._intercept = intercept
        self._labels = labels
        self._by_code = np.zeros((len(CATEGORY_NAMES), n_codes(labels)))
        self._terms: list[tuple[float, ...]] = []
        self._curves: dict[_CurveKey, _Curve] = {}

    def add_category(self, column: Column, contribution: Contribution) -> None:
        by_code = contribution.of(column.by_code)
        if not np.isfinite(by_code).all():
            raise NotCompilableError(f"a linear model that a missing or unseen {column.name} reaches")
        self._by_code[CATEGORY_NAMES.index(column.name), : len(by_code)] += by_code

    def add_number(self, column: Column, contribution: Contribution) -> None:
        missing = contribution.of(column.missing)
        if not np.isfinite(missing):
            raise NotCompilableError(f"a linear model that a missing {column.name} reaches")
        if column.level is not None:
            # Such as an indicator: a missing number differs from all others.
            constant = contribution.of(column.level)
            self._intercept += constant
            self._terms.append((column.field, 0.0, 1.0, 0.0, missing - constant))
        elif contribution.is_linear and not column.is_curved:
            scale = _as_one_scale(column.steps)
            self._terms.append((column.field, scale.a, scale.b, contribution.weight, missing))
        else:
            pieces = _contributed(column, contribution)
            key = (column.field, column.steps, pieces.starts)
            # The bins or splines of one number are one curve.
            coefficients, of_missing = self._curves.get(key, (0.0, 0.0))
            self._curves[key] = (coefficients + np.array(pieces.coefficients), of_missing + missing)

    def form(self) -> LinearForm:
        """Return the form of the sum."""
        fields, shifts, scales, weights, missing = zip(*self._terms, strict=True) if self._terms else ((),) * 5
        form = LinearForm(
            labels=self._labels,
            intercept=self._intercept,
            term_field=array("b", map(int, fields)),
            term_shift=array("d", shifts),
            term_scale=array("d", scales),
            term_weight=array("d", weights),
            term_missing=array("d", missing),
            category_contributions=array("d", self._by_code.ravel().tolist()),
        )
        return _with_curves(form, self._curves) if self._curves else form


def _as_one_scale(steps: Sequence[Step]) -> Step:
    """Return the one ``scale`` that equals scales and multiplications one after another, apart from rounding."""
    shift, scale = 0.0, 1.0
    for step in steps:
        # A multiplication is the scale with shift -addend / factor and scale 1 / factor.
        a, b = (step.a, step.b) if step.name == LINEAR_STEPS[0] else (-step.b / step.a, 1 / step.a)
        shift, scale = shift + a * scale, scale * b
    return Step("scale", shift, scale)


def _contributed(column: Column, contribution: Contribution) -> Pieces:
    """Return the pieces of a column's contribution."""
    if column.pieces is None:
        return Pieces((contribution.start,), ((contribution.constant, contribution.weight, contribution.square, 0.0),))
    coefficients = np.array(column.pieces.coefficients)
    if contribution.is_linear:
        coefficients *= contribution.weight
    elif column.pieces.levels is not None:
        coefficients[:, 0] = contribution.of(coefficients[:, 0])
    else:
        raise NotCompilableError("a GaussianNB of splines")
    return Pieces(column.pieces.starts, tuple(tuple(row) for row in coefficients.tolist()))


def _with_curves(form: LinearForm, curves: Mapping[_CurveKey, _Curve]) -> CurvesForm:
    steps = [step for _, of_curve, _ in curves for step in of_curve]
    starts = [start for *_, of_curve in curves for start in of_curve]
    coefficients = [values.ravel().tolist() for values, _ in curves.values()]
    return CurvesForm(
        **vars(form),
        curve_field=array("b", [field for field, *_ in curves]),
        curve_missing=array("d", [missing for _, missing in curves.values()]),
        curve_steps=array("i", [len(of_curve) for _, of_curve, _ in curves]),
        curve_pieces=array("i", [len(of_curve) for *_, of_curve in curves]),
        step_function=array("b", [FUNCTION_NAMES.index(step.name) for step in steps]),
        step_a=array("d", [step.a for step in steps]),
        step_b=array("d", [step.b for step in steps]),
        piece_start=array("d", starts),
        piece_coefficients=array("d", [value for of_curve in coefficients for value in of_curve]),
    )
