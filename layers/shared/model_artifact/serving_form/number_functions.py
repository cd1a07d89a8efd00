"""The functions of one number that a curve applies before its polynomial: scaling, a logarithm, a power.

Each takes the number and two parameters, which some of them don't need. Outside its domain a function raises
``ValueError``, ``OverflowError`` or ``ZeroDivisionError``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

NumberFunction = Callable[[float, float, float], float]

_EPSILON = 2.0**-52


def _clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def _yeo_johnson(x: float, power: float, _: float) -> float:
    # As scipy.stats.yeojohnson.
    if x >= 0:
        return math.log1p(x) if abs(power) < _EPSILON else math.expm1(power * math.log1p(x)) / power
    return -math.log1p(-x) if abs(power - 2) <= _EPSILON else -math.expm1((2 - power) * math.log1p(-x)) / (2 - power)


def _box_cox(x: float, power: float, _: float) -> float:
    # As scipy.special.boxcox.
    return math.log(x) if abs(power) < 1e-19 else math.expm1(power * math.log(x)) / power


# A stored form has their positions: append new ones.
FUNCTIONS: Mapping[str, NumberFunction] = {
    "scale": lambda x, shift, scale: (x - shift) / scale,
    "multiply": lambda x, factor, addend: x * factor + addend,
    "clip": _clip,
    "yeo-johnson": _yeo_johnson,
    "box-cox": _box_cox,
    "log1p": lambda x, _a, _b: math.log1p(x),
    "log": lambda x, _a, _b: math.log(x),
    "log2": lambda x, _a, _b: math.log2(x),
    "log10": lambda x, _a, _b: math.log10(x),
    "sqrt": lambda x, _a, _b: math.sqrt(x),
    "cbrt": lambda x, _a, _b: math.cbrt(x),
    "square": lambda x, _a, _b: x * x,
    "exp": lambda x, _a, _b: math.exp(x),
    "expm1": lambda x, _a, _b: math.expm1(x),
    "absolute": lambda x, _a, _b: abs(x),
    "negative": lambda x, _a, _b: -x,
    "reciprocal": lambda x, _a, _b: 1 / x,
    "arcsinh": lambda x, _a, _b: math.asinh(x),
    "arctan": lambda x, _a, _b: math.atan(x),
    "tanh": lambda x, _a, _b: math.tanh(x),
}
FUNCTION_NAMES = tuple(FUNCTIONS)
