"""Writes a ``SplineTransformer``'s columns as pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.interpolate import BSpline, PPoly
from sklearn.preprocessing import SplineTransformer

from model_artifact.serving_form.compiling.column import Pieces
from model_artifact.serving_form.errors import NotCompilableError

_CUBIC = 3


def spline_pieces(step: SplineTransformer) -> list[list[Pieces]]:
    """Return for each input column the pieces of its splines, in the transformer's order."""
    if step.degree > _CUBIC or step.extrapolation not in ("constant", "linear", "continue"):
        raise NotCompilableError("a SplineTransformer above degree 3, or with extrapolation='periodic' or 'error'")
    result = []
    for splines in step.bsplines_:
        n_splines = splines.c.shape[1] - (not step.include_bias)
        result.append([_pieces(splines, number, step.extrapolation) for number in range(n_splines)])
    return result


def _pieces(splines: Any, number: int, extrapolation: str) -> Pieces:
    degree = splines.k
    spline = BSpline(splines.t, splines.c[:, number], degree, extrapolate=True)
    polynomials = PPoly.from_spline(spline)
    # Only the base interval: knots were added at both of its ends.
    base = slice(degree, len(splines.t) - degree - 1)
    starts = polynomials.x[base]
    coefficients = np.zeros((len(starts), _CUBIC + 1))
    coefficients[:, : degree + 1] = polynomials.c[::-1, base].T
    if extrapolation == "continue":
        return _as_pieces(starts, coefficients)
    ends = starts[0], splines.t[len(splines.t) - degree - 1]
    beyond = np.zeros((2, _CUBIC + 1))
    beyond[:, 0] = spline(ends)
    if extrapolation == "linear":
        beyond[:, 1] = spline(ends, nu=1)
    return _as_pieces(np.array([ends[0], *starts, ends[1]]), np.vstack([beyond[:1], coefficients, beyond[1:]]))


def _as_pieces(starts: Any, coefficients: Any) -> Pieces:
    return Pieces(tuple(starts.tolist()), tuple(tuple(row) for row in coefficients.tolist()))
