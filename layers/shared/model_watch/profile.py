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
from functools import cached_property
from math import inf, nan, nextafter
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from model_artifact.serving_form import encoding
from model_registry.manifest import ColumnProfile, TrainingProfile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MISSING = "-"
UNSEEN = "?"
BIN_CHARACTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase


class Profiler:
    """Writes the profiles of checked records by one version's training profile.

    A profile has as many characters as the training profile has columns, in its order.
    """

    def __init__(self, profile: TrainingProfile) -> None:
        self._names = [column.name for column in profile.columns]
        self._values = _values_of(self._names)
        self._columns = [_Labels(column) if column.edges is None else _Bins(column) for column in profile.columns]
        self._characters = [(column.edges, column.characters) for column in self._columns]

    def of(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the profile of each record. A ``RecordTable`` is faster for many."""
        if isinstance(records, encoding.RecordTable):
            return self.of_columns(records.columns)
        return [self._profile(self._values(record)) for record in records]

    def of_columns(self, columns: Mapping[str, Any]) -> list[str]:
        """Return the profile of each row of a table: numbers as float64 with NaN, labels with None for missing."""
        # Imported here and below: a request with one record needs no NumPy.
        import numpy as np

        codes = np.array([column.codes(columns[name]) for name, column in zip(self._names, self._columns, strict=True)])
        width = len(codes)
        text = codes.T.tobytes().decode("ascii")
        return [text[start : start + width] for start in range(0, len(text), width)]

    def _profile(self, values: tuple[Any, ...]) -> str:
        # In one expression: it runs in every request.
        return "".join(
            [
                characters.get(value, UNSEEN)
                if edges is None
                else MISSING
                if value is None
                else characters[bisect_right(edges, value)]
                for (edges, characters), value in zip(self._characters, values, strict=True)
            ]
        )


def bin_number(character: str) -> int | None:
    """Return the number of the bin or label that a profile's character stands for; None for missing and unseen."""
    number = BIN_CHARACTERS.find(character)
    return None if number < 0 else number


class _Bins:
    """A number's bins: ``characters`` by the number of ``edges`` that are at or below a value."""

    def __init__(self, column: ColumnProfile) -> None:
        edges = column.edges or ()
        # The last bin holds its upper edge, so it ends at the next larger number.
        self.edges = [*edges[:-1], nextafter(edges[-1], inf)] if edges else [inf]
        self.characters: Any = UNSEEN + BIN_CHARACTERS[: len(column.counts)] + UNSEEN

    def codes(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the characters of a column's values, as their codes."""
        codes, in_order = self._arrays
        return codes.take(in_order.searchsorted(values, side="right"))

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        import numpy as np

        # NumPy sorts NaN after every number.
        return _ascii(self.characters + MISSING), np.array([*self.edges, nan])


class _Labels:
    """A category's labels: ``characters`` by label. It has no edges."""

    edges = None

    def __init__(self, column: ColumnProfile) -> None:
        self._labels = column.labels or ()
        self._text = BIN_CHARACTERS[: len(self._labels)]
        self.characters: Any = {None: MISSING, **dict(zip(self._labels, self._text, strict=True))}

    def codes(self, values: Sequence[Any]) -> NDArray[np.uint8]:
        """Return the characters of a column's values, as their codes."""
        return self._codes.take(encoding.codes(values, self._labels))

    @cached_property
    def _codes(self) -> NDArray[np.uint8]:
        return _ascii(self._text + MISSING + UNSEEN)


def _ascii(text: str) -> NDArray[np.uint8]:
    import numpy as np

    return np.frombuffer(text.encode("ascii"), np.uint8)


def _values_of(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    # Of one name alone, itemgetter returns the value and no tuple.
    return lambda record: tuple(record[name] for name in names)
