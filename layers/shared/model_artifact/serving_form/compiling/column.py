"""One column of a classifier's matrix as a function of one field of the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import boxcox
from scipy.stats import yeojohnson

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.number_functions import FUNCTION_NAMES

Floats = NDArray[np.float64]

_PARAMETRIC: Mapping[str, Callable[[Floats, float, float], Any]] = {
    "scale": lambda x, shift, scale: (x - shift) / scale,
    "multiply": lambda x, factor, addend: x * factor + addend,
    "clip": np.clip,
    "yeo-johnson": lambda x, power, _: yeojohnson(x, power),
    "box-cox": lambda x, power, _: boxcox(x, power),
}
LINEAR_STEPS = ("scale", "multiply")
_NOT_INCREASING = frozenset({"square", "absolute", "negative", "reciprocal"})


@dataclass(frozen=True)
class Step:
    """A function of one number; see ``number_functions``."""

    name: str
    a: float = 0.0
    b: float = 1.0

    def apply(self, x: Floats) -> Floats:
        """Compute it as scikit-learn's transformers do, bit for bit."""
        with np.errstate(all="ignore"):
            if self.name in _PARAMETRIC:
                return np.asarray(_PARAMETRIC[self.name](x, self.a, self.b))
            return np.asarray(getattr(np, self.name)(x))

    @property
    def is_increasing(self) -> bool:
        """Whether a larger number never gives a smaller result."""
        return self.name not in _NOT_INCREASING and (self.name != "multiply" or self.a > 0)


@dataclass(frozen=True)
class Pieces:
    """Cubic polynomials, one after another: piece i is valid from ``starts[i]``, the first one also before that.

    ``coefficients[i]`` are those of 1, u, u² and u³, with ``u = x - starts[i]``.
    """

    starts: tuple[float, ...]
    coefficients: tuple[tuple[float, float, float, float], ...]

    @classmethod
    def constant(cls, value: float) -> Pieces:
        """Return a single piece that is always this value."""
        return cls((0.0,), ((value, 0.0, 0.0, 0.0),))

    @property
    def levels(self) -> list[float] | None:
        """The values of the pieces if each is constant."""
        return None if any(any(rest) for _, *rest in self.coefficients) else [first for first, *_ in self.coefficients]

    def apply(self, x: Floats) -> Floats:
        """Return the values at x."""
        place = np.searchsorted(self.starts[1:], x, side="right")
        c0, c1, c2, c3 = np.array(self.coefficients).take(place, axis=0).T
        u = x - np.array(self.starts).take(place)
        return np.asarray(c0 + u * (c1 + u * (c2 + u * c3)))


@dataclass(frozen=True)
class Column:
    """One column of the matrix: functions of a number and perhaps pieces, or a table by a category's code.

    ``missing`` is the value for a missing number. ``by_code`` is None for a number. ``is_text`` is true before the
    encoder.
    """

    field: int
    is_text: bool
    steps: tuple[Step, ...] = ()
    pieces: Pieces | None = None
    missing: float = np.nan
    by_code: Floats | None = None

    @property
    def name(self) -> str:
        """The field's name."""
        return FIELD_NAMES[self.field]

    @property
    def level(self) -> float | None:
        """The value for every number, if that is always the same."""
        levels = None if self.pieces is None else self.pieces.levels
        return levels[0] if levels is not None and len(levels) == 1 else None

    @property
    def is_category(self) -> bool:
        """Whether the field is a category, so that the column is a table."""
        return self.name in CATEGORY_NAMES

    def then(self, *steps: Step) -> Column:
        """Return the column after more functions."""
        if self.pieces is None:
            return replace(self, steps=self.steps + steps)
        column = self
        for step in steps:
            column = replace(column, pieces=_scaled(column.pieces, step))
        return column

    def apply(self, x: Floats) -> Floats:
        """Return the column's values for the record's own numbers."""
        for step in self.steps:
            x = step.apply(x)
        return x if self.pieces is None else self.pieces.apply(x)

    @property
    def is_changed(self) -> bool:
        """Whether the column isn't the record's own number."""
        return bool(self.steps) or self.pieces is not None

    @property
    def is_curved(self) -> bool:
        """Whether the column is more than a scaled number."""
        return self.pieces is not None or any(step.name not in LINEAR_STEPS for step in self.steps)

    @property
    def is_increasing(self) -> bool:
        """Whether a larger number never gives a smaller value."""
        levels: list[float] | None = [] if self.pieces is None else self.pieces.levels
        return all(step.is_increasing for step in self.steps) and levels is not None and levels == sorted(levels)


def ufunc_step(function: Any) -> Step | None:
    """Return the step of a NumPy ufunc, or None if the scorers don't have it."""
    name = getattr(function, "__name__", "")
    is_known = type(function) is np.ufunc and name in FUNCTION_NAMES and name not in _PARAMETRIC
    return Step(name) if is_known else None


def _scaled(pieces: Pieces | None, step: Step) -> Pieces:
    if pieces is None or step.name not in LINEAR_STEPS:
        raise NotCompilableError(f"the function {step.name!r} of bins or splines")
    coefficients = np.array(pieces.coefficients)
    if step.name == "scale":
        coefficients[:, 0] -= step.a
        coefficients /= step.b
    else:
        coefficients *= step.a
        coefficients[:, 0] += step.b
    return Pieces(pieces.starts, tuple(tuple(row) for row in coefficients.tolist()))
