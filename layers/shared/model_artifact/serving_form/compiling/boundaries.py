"""From a threshold on the number that a tree sees to a threshold on the record's number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pull_back(thresholds: Floats, seen: Callable[[Floats], Floats]) -> Floats:
    """Return for each threshold t the largest finite x with ``seen(x) <= t``.

    So ``x <= result`` and ``seen(x) <= t`` are the same question for every x, although ``seen`` rounds: it casts to
    float32, as scikit-learn's forests do, or scales. The search needs no formula, which could be wrong in the last bit.

    Parameters
    ----------
    thresholds : ndarray of shape (n,)
        No NaN.
    seen : callable
        Takes and returns arrays of shape (n,). It must be non-decreasing.

    Returns
    -------
    ndarray of shape (n,)
        −∞ where ``seen(x) <= t`` for no finite x; +∞ where it holds for every x.

    Notes
    -----
    Bisection on the order of the floats, 64 steps: as signed 64-bit whole numbers in sign-and-magnitude order,
    neighbouring floats are neighbouring numbers (IEEE 754).
    """
    limit = _ordered(np.array([np.finfo(np.float64).max]))[0]
    low = np.full(len(thresholds), -limit)
    high = np.full(len(thresholds), limit)
    with np.errstate(over="ignore"):
        never = ~(seen(_float(low)) <= thresholds)
        always = seen(_float(high)) <= thresholds
        # Invariant: seen(low) <= t < seen(high), wherever neither of the two above.
        while np.any(high - 1 > low):
            middle = (low >> 1) + (high >> 1) + (low & high & 1)
            is_left = seen(_float(middle)) <= thresholds
            low = np.where(is_left, middle, low)
            high = np.where(is_left, high, middle)
    return np.where(always, np.inf, np.where(never, -np.inf, _float(low)))


def _ordered(x: Floats) -> NDArray[np.int64]:
    bits = x.view(np.int64)
    return np.where(bits >= 0, bits, np.iinfo(np.int64).min - bits)


def _float(ordered: NDArray[np.int64]) -> Floats:
    bits = np.where(ordered >= 0, ordered, np.iinfo(np.int64).min - ordered)
    return np.ascontiguousarray(bits).view(np.float64)
