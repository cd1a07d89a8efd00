"""The coarse profile of a record: one character a column, the bin of its value among the training profile's. Pure.

A profile shows drift and hides the value: of a number it tells in which tenth of the training data it lies.

    column     loan_amnt  int_rate  purpose  grade  annual_inc  revol_util  emp_length  dti  …
    profile    7          9         0        5      1           -           2           ?    …

``0`` to ``9``, then ``a`` to ``z`` and ``A`` to ``Z``, are the number of the bin or of the label. ``-`` is a missing
value. ``?`` is a label that the profile doesn't have, or a number beyond its first or last edge.
"""

from __future__ import annotations

import string
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from math import inf, nan, nextafter
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.manifest import ColumnProfile, TrainingProfile

MISSING = "-"
UNSEEN = "?"
BIN_CHARACTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase

# Up to here plain Python is faster than NumPy.
_FEW_RECORDS = 8

_Codes = NDArray[np.uint8]


class Profiler:
    """Writes the profiles of checked records by one version's training profile."""

    def __init__(self, profile: TrainingProfile) -> None:
        self._values = _values_of([column.name for column in profile.columns])
        self._columns = [_Labels(column) if column.edges is None else _Bins(column) for column in profile.columns]

    def of(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the profile of each record: as many characters as the training profile has columns, in its order."""
        if len(records) <= _FEW_RECORDS:
            return [self._profile(self._values(record)) for record in records]
        width = len(self._columns)
        codes = np.empty((len(records), width), np.uint8)
        for number, values in enumerate(zip(*map(self._values, records), strict=True)):
            codes[:, number] = self._columns[number].codes(values)
        text = codes.tobytes().decode("ascii")
        return [text[start : start + width] for start in range(0, len(text), width)]

    def _profile(self, values: tuple[Any, ...]) -> str:
        return "".join([column.character(value) for column, value in zip(self._columns, values, strict=True)])


def bin_number(character: str) -> int | None:
    """Return the number of the bin or label that a profile's character stands for; None for missing and unseen."""
    number = BIN_CHARACTERS.find(character)
    return None if number < 0 else number


class _Bins:
    """A number's bins.

    One sorted array finds the character of every value: below the first edge, bin 0, bin 1 …, above the last edge, NaN.
    """

    def __init__(self, column: ColumnProfile) -> None:
        edges = column.edges or ()
        # The last bin holds its upper edge, so it ends at the next larger number.
        self._edges = [*edges[:-1], nextafter(edges[-1], inf)] if edges else [inf]
        self._characters = UNSEEN + BIN_CHARACTERS[: len(column.counts)] + UNSEEN
        self._sorted = np.array([*self._edges, nan])
        # NumPy sorts NaN after every number.
        self._codes = np.frombuffer((self._characters + MISSING).encode("ascii"), np.uint8)

    def character(self, value: Any) -> str:
        return MISSING if value is None else self._characters[bisect_right(self._edges, value)]

    def codes(self, values: Sequence[Any]) -> _Codes:
        # None becomes NaN.
        numbers = np.array(values, np.float64)
        return self._codes[self._sorted.searchsorted(numbers, side="right")]


class _Labels:
    """A category's labels."""

    def __init__(self, column: ColumnProfile) -> None:
        self._characters: dict[Any, str] = {
            None: MISSING,
            **dict(zip(column.labels or (), BIN_CHARACTERS, strict=False)),
        }

    def character(self, value: Any) -> str:
        return self._characters.get(value, UNSEEN)

    def codes(self, values: Sequence[Any]) -> _Codes:
        find = self._characters.get
        return np.frombuffer("".join([find(value, UNSEEN) for value in values]).encode("ascii"), np.uint8)


def _values_of(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    # Of one name alone, itemgetter returns the value and no tuple.
    return lambda record: tuple(record[name] for name in names)
