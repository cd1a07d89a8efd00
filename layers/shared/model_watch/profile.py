"""The coarse profile of a record: one character a column, the bin of its value among the training profile's. Pure.

A profile shows drift and hides the value: of a number it tells in which tenth of the training data it lies.

    column     loan_amnt  int_rate  purpose  grade  annual_inc  revol_util  emp_length  dti  …
    profile    7          9         0        5      1           -           2           ?    …

``profile_characters`` says what the characters stand for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import repeat
from math import inf, nan, nextafter
from typing import TYPE_CHECKING, Any

from model_artifact.serving_form import encoding
from model_registry.manifest import ColumnProfile, TrainingProfile
from model_watch.profile_characters import BIN_CHARACTERS, MISSING, UNSEEN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Profiler:
    """Writes the profiles of checked records by one version's training profile.

    A profile has as many characters as the training profile has columns, in its order.
    """

    def __init__(self, profile: TrainingProfile) -> None:
        self._names = [column.name for column in profile.columns]
        self._columns = [_Labels(column) if column.edges is None else _Bins(column) for column in profile.columns]
        # What each record needs of a column, at hand without a look-up: it runs in every request.
        self._in_turn = [
            (name, column.edges, column.characters) for name, column in zip(self._names, self._columns, strict=True)
        ]

    def of(self, records: Sequence[Mapping[str, Any]]) -> Sequence[str] | Sequence[bytes]:
        """Return the profile of each record. A ``RecordTable`` is faster for many, and gives them in ASCII."""
        if isinstance(records, encoding.RecordTable):
            return self.of_columns(records.columns)
        return [self._profile(record) for record in records]

    def of_columns(self, columns: Mapping[str, Any]) -> Sequence[bytes]:
        """Return the profile of each row of a table, in ASCII.

        The numbers are float64 with NaN for missing ones, the labels texts, with None for missing ones.
        """
        # Imported here and below: a request with one record needs no NumPy.
        import numpy as np

        codes = np.array([column.codes(columns[name]) for name, column in zip(self._names, self._columns, strict=True)])
        # Each row of codes as one value of as many bytes: cutting a text up would take four times as long.
        profiles: list[bytes] = np.ascontiguousarray(codes.T).view(f"S{len(codes)}").ravel().tolist()
        return profiles

    def _profile(self, record: Mapping[str, Any]) -> str:
        profile = []
        for name, edges, characters in self._in_turn:
            value = record[name]
            if edges is None:
                profile.append(characters.get(value, UNSEEN))
            elif value is None:
                profile.append(MISSING)
            else:
                profile.append(characters[bisect_right(edges, value)])
        return "".join(profile)


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
        return np.frombuffer((self.characters + MISSING).encode("ascii"), np.uint8), np.array([*self.edges, nan])


class _Labels:
    """A category's labels: ``characters`` by label. It has no edges."""

    edges = None

    def __init__(self, column: ColumnProfile) -> None:
        labels = column.labels or ()
        self.characters: Any = {None: MISSING, **dict(zip(labels, BIN_CHARACTERS[: len(labels)], strict=True))}
        self._codes = {label: ord(character) for label, character in self.characters.items()}

    def codes(self, values: Sequence[Any]) -> NDArray[np.uint8]:
        """Return the characters of a column's values, as their codes."""
        import numpy as np

        return np.frombuffer(bytes(map(self._codes.get, values, repeat(ord(UNSEEN)))), np.uint8)
