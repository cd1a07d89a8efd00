"""Log-odds and probabilities in float32, rounded as XGBoost rounds them. NumPy is imported for many rows only.

XGBoost adds its leaves in float32 and calls the C library's ``expf``. Python has no such function, so it is computed
here by the same steps as in glibc 2.28 and later (sysdeps/ieee754/flt-32/e_expf.c, from Arm's optimized routines): in
float64, with the powers of two from a table, and one rounding at the end.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import ldexp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Above it XGBoost's sigmoid stops (src/common/math.h), so that expf doesn't overflow: 88.7 as a float32.
_LARGEST_EXPONENT = float.fromhex("0x1.62ccccp+6")
# Below it exp(x) + 1 is 1 in float32.
_LEAST_EXPONENT = -80.0

# exp(x) = 2^(k/32) · 2^(r/32), with k a whole number and |r| <= 1/2; the second factor is a polynomial.
_STEPS = 32
_POWERS = tuple(2.0 ** (step / _STEPS) for step in range(_STEPS))
_STEPS_A_UNIT = float.fromhex("0x1.71547652b82fep+0") * _STEPS
_CUBIC = float.fromhex("0x1.c6af84b912394p-5") / _STEPS**3
_SQUARE = float.fromhex("0x1.ebfce50fac4f3p-3") / _STEPS**2
_LINEAR = float.fromhex("0x1.62e42ff0c52d6p-1") / _STEPS


def add_up(start: float, terms: Iterable[float]) -> float:
    """Return the sum of float32 numbers, rounded to float32 after each of them."""
    total = array("f", [start])
    for term in terms:
        total[0] += term
    return total[0]


def expit(log_odds: float) -> float:
    """Return ``1 / (1 + exp(-log_odds))``, bit for bit as XGBoost does for a float32."""
    x = min(-log_odds, _LARGEST_EXPONENT)
    if x < _LEAST_EXPONENT:
        return 1.0
    scaled = _STEPS_A_UNIT * x
    k = round(scaled)
    r = scaled - k
    power = ldexp(_POWERS[k % _STEPS], k // _STEPS)
    # An item of such an array is rounded to float32 when it's set.
    rounded = array("f", [((_CUBIC * r + _SQUARE) * (r * r) + (_LINEAR * r + 1.0)) * power])
    rounded[0] += 1.0
    rounded[0] = 1.0 / rounded[0]
    return rounded[0]


def expit_of_many(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same as ``expit`` for each number, bit for bit."""
    import numpy as np

    x = np.maximum(np.minimum(-log_odds, _LARGEST_EXPONENT), _LEAST_EXPONENT)
    scaled = _STEPS_A_UNIT * x
    k = np.rint(scaled)
    r = scaled - k
    whole = k.astype(np.int64)
    powers = np.ldexp(np.array(_POWERS)[whole % _STEPS], whole // _STEPS)
    rounded = (((_CUBIC * r + _SQUARE) * (r * r) + (_LINEAR * r + 1.0)) * powers).astype(np.float32)
    result: NDArray[np.float64] = (np.float32(1.0) / (rounded + np.float32(1.0))).astype(np.float64)
    return result
