"""Computes the typical on-time loan, with which the reasons compare a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import Any

from model_artifact.schema import FIELDS


def typical_record(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return a record of each field's typical value among the on-time loans; usually no real loan has all of them.

    It has each number's lower median, so that whole numbers stay whole, and each category's most frequent label; among
    equally frequent labels, the first in the alphabet.

    Parameters
    ----------
    columns : mapping of str to sequence
        The ten fields of the on-time loans: numbers as floats, labels as texts; None or NaN where one is missing.

    Raises
    ------
    ValueError
        If a field has no value at all.
    """
    record: dict[str, Any] = {}
    for field in FIELDS:
        # NaN differs from itself, whatever type holds it.
        present = [value for value in columns[field.name] if value is not None and value == value]  # noqa: PLR0124
        if not present:
            raise ValueError(f"No on-time loan has a value of {field.name}.")
        if field.type == "number":
            record[field.name] = float(median_low(present))
        else:
            counts = Counter(present)
            record[field.name] = min(counts, key=lambda label: (-counts[label], label))
    return record
