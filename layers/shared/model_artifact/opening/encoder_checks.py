"""Whether an encoder's columns are as many as it says: compiled code writes a one at each without looking."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from model_artifact.errors import UnreadablePickleError


def check_encoder(encoder: Any) -> None:
    """Check a fitted encoder's labels, and for one-hot encoding the columns that come of them.

    Raises
    ------
    UnreadablePickleError
        If a label could be given a column that does not exist.
    """
    labels = encoder.categories_
    if type(labels) is not list or len(labels) != encoder.n_features_in_ or not all(map(_is_findable, labels)):
        raise _damaged()
    infrequent = _infrequent(encoder, labels)
    if not hasattr(encoder, "_n_features_outs"):
        return
    widths = [
        len(known) - (len(grouped) - 1 if grouped is not None else 0)
        for known, grouped in zip(labels, infrequent, strict=True)
    ]
    mappings = encoder._default_to_infrequent_mappings if encoder._infrequent_enabled else [None] * len(labels)
    for known, mapping, width in zip(labels, mappings, widths, strict=True):
        if mapping is not None and not _are_indices(mapping, len(known), width):
            raise _damaged()
    dropped = encoder._drop_idx_after_grouping
    if dropped is not None and (not isinstance(dropped, np.ndarray) or dropped.shape != (len(labels),)):
        raise _damaged()
    for index, drop in enumerate(dropped if dropped is not None else ()):
        if drop is not None:
            if not isinstance(drop, int | np.integer) or not 0 <= drop < widths[index]:
                raise _damaged()
            widths[index] -= 1
    if type(encoder._n_features_outs) is not list or encoder._n_features_outs != widths:
        raise _damaged()


def _infrequent(encoder: Any, labels: list[Any]) -> list[Any]:
    """Return the indices of each column's grouped labels, or None where none are."""
    if type(encoder._infrequent_enabled) is not bool:
        raise _damaged()
    if not encoder._infrequent_enabled:
        return [None] * len(labels)
    grouped, mappings = encoder._infrequent_indices, encoder._default_to_infrequent_mappings
    if not all(type(each) is list and len(each) == len(labels) for each in (grouped, mappings)):
        raise _damaged()
    for indices, mapping, known in zip(grouped, mappings, labels, strict=True):
        if (indices is None) != (mapping is None):
            raise _damaged()
        if indices is not None and not (_are_indices(indices, None, len(known)) and len(indices)):
            raise _damaged()
    return list(grouped)


def _are_indices(values: object, count: int | None, limit: int) -> bool:
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in "iu":
        return False
    return count in (None, len(values)) and bool(np.all((values >= 0) & (values < limit)))


def _is_findable(labels: object) -> bool:
    """Say whether each label is found where it stands: numbers by bisection, so in order, and others by equality."""
    if not isinstance(labels, np.ndarray) or labels.ndim != 1:
        return False
    if labels.dtype == np.dtype(object):
        values = labels.tolist()
        if all(value is None or type(value) is str or _is_nan(value) for value in values):
            return True
        return all(type(value) in (bool, int, float) for value in values) and _ascends(
            np.array(values, dtype=np.float64)
        )
    if labels.dtype.kind in "US":
        return bool(np.all(labels[:-1] < labels[1:]))
    return labels.dtype.kind in "biuf" and _ascends(labels)


def _ascends(numbers: np.ndarray) -> bool:
    if len(numbers) and numbers.dtype.kind == "f" and np.isnan(numbers[-1]):
        numbers = numbers[:-1]
    return bool(np.all(numbers[:-1] < numbers[1:])) and not bool(np.any(np.isnan(numbers)))


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _damaged() -> UnreadablePickleError:
    return UnreadablePickleError("An encoder in the pickle is damaged: its columns are not those of its labels.")
