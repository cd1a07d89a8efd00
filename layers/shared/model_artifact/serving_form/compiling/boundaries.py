"""Turns a threshold on the number that a tree compares into a threshold on the record's own number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pull_back(thresholds: Floats, transform: Callable[[Floats], Floats]) -> Floats:
    """Return for each threshold t the largest finite x with ``transform(x) <= t``.

    So ``x <= result`` and ``transform(x) <= t`` have the same answer for every x, although ``transform`` rounds: it
    casts to float32, as scikit-learn's forests do, or scales. A formula in place of the search could be wrong in the
    last bit.

    ``transform`` turns the record's numbers into those that the tree compares. It must be non-decreasing, and no
    threshold NaN. The result is −∞ where ``transform(x) > t`` for every finite x, and +∞ where ``transform(x) <= t``
    for every x.

    Notes
    -----
    Bisection on the order of the floats, 64 steps: as signed 64-bit whole numbers in sign-and-magnitude order,
    neighbouring floats are neighbouring numbers (IEEE 754).
    """
    limit = _ordered(np.array([np.finfo(np.float64).max]))[0]
    low = np.full(len(thresholds), -limit)
    high = np.full(len(thresholds), limit)
    with np.errstate(over="ignore"):
        never = ~(transform(_float(low)) <= thresholds)
        always = transform(_float(high)) <= thresholds
        # Invariant: transform(low) <= t < transform(high), except where ``never`` or ``always`` is true.
        while np.any(high - 1 > low):
            middle = (low >> 1) + (high >> 1) + (low & high & 1)
            is_left = transform(_float(middle)) <= thresholds
            low = np.where(is_left, middle, low)
            high = np.where(is_left, high, middle)
    return np.where(always, np.inf, np.where(never, -np.inf, _float(low)))


def _ordered(x: Floats) -> NDArray[np.int64]:
    bits = x.view(np.int64)
    return np.where(bits >= 0, bits, np.iinfo(np.int64).min - bits)


def _float(ordered: NDArray[np.int64]) -> Floats:
    bits = np.where(ordered >= 0, ordered, np.iinfo(np.int64).min - ordered)
    return np.ascontiguousarray(bits).view(np.float64)
