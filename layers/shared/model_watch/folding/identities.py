"""A set of 64-bit numbers in little memory: ten million take 80 MB, where Python's own set takes a gigabyte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model_watch.counts import Ints


class Identities:
    """Numbers that were seen before.

    They are kept in sorted arrays. Each is more than twice as long as the next one, so there are a few, and a number is
    merged into a longer array a few times.
    """

    def __init__(self) -> None:
        self._sorted: list[Ints] = []

    def add_new(self, identities: Ints) -> NDArray[np.bool_]:
        """Add numbers, and return which of them are there for the first time."""
        values, first = np.unique(identities, return_index=True)
        for known in self._sorted:
            places = np.minimum(known.searchsorted(values), len(known) - 1)
            is_new = known[places] != values
            values, first = values[is_new], first[is_new]
        if len(values):
            self._keep(values)
        is_first = np.zeros(len(identities), dtype=np.bool_)
        is_first[first] = True
        return is_first

    def _keep(self, values: Ints) -> None:
        while self._sorted and len(self._sorted[-1]) <= 2 * len(values):
            # The stable sort merges runs that are sorted already.
            values = np.sort(np.concatenate([self._sorted.pop(), values]), kind="stable")
        self._sorted.append(values)
