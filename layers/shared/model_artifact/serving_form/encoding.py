"""Turns records and columns into numbers and label codes. Only the functions for many rows import NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import exp
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from model_artifact.errors import NonFiniteOutputError
from model_artifact.schema import FIELD_NAMES, FIELDS, NUMERIC_NAMES, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

# exp(-x) overflows a float64 below this; the probability is 0 to within 1e-304 there.
_LEAST_LOG_ODDS = -700.0
_LARGEST_BYTE = 255


def expit(log_odds: float) -> float:
    """Return ``1 / (1 + exp(-log_odds))``, bit for bit as ``scipy.special.expit`` does for float64.

    Both use the C library's ``exp``. NumPy's own differs from it in the last bit of one number in a hundred, and a
    record must get the same probability alone and in a batch.
    """
    # Compared in this direction so that NaN stays NaN.
    return 0.0 if log_odds < _LEAST_LOG_ODDS else 1.0 / (1.0 + exp(-log_odds))


def expit_of_many(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same as ``expit`` for each number, bit for bit."""
    import numpy as np

    # The C library's exp for each number; NumPy computes the rest to the same bit.
    powers = np.fromiter(map(exp, np.minimum(-log_odds, -_LEAST_LOG_ODDS).tolist()), np.float64, len(log_odds))
    return np.where(log_odds < _LEAST_LOG_ODDS, 0.0, 1.0 / (1.0 + powers))


def probability_of(log_odds: float) -> float:
    """Return ``expit(log_odds)``; raise ``NonFiniteOutputError`` if that isn't a probability."""
    if log_odds >= _LEAST_LOG_ODDS:
        return 1.0 / (1.0 + exp(-log_odds))
    return check_probability(expit(log_odds))


def check_probability(probability: float) -> float:
    """Return the probability; raise ``NonFiniteOutputError`` if it isn't one."""
    if not 0.0 <= probability <= 1.0:
        raise NonFiniteOutputError(1, 1)
    return probability


def check_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities; raise ``NonFiniteOutputError`` if a value isn't one."""
    is_right = (probabilities >= 0) & (probabilities <= 1)
    if not is_right.all():
        raise NonFiniteOutputError(len(probabilities) - int(is_right.sum()), len(probabilities))
    return probabilities


class RecordTable(list[Mapping[str, Any]]):
    """Many checked records, and the same as a table. Whoever needs the table first makes it for all."""

    @cached_property
    def columns(self) -> Mapping[str, Any]:
        """The ten fields: numbers as float64 with NaN for missing, labels with None for missing."""
        columns = _columns(self)
        return {**columns, **numbers(columns)}

    def __reduce__(self) -> tuple[type, tuple[list[Mapping[str, Any]]]]:
        # Another process gets the records alone.
        return list, (list(self),)


def columns_of(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Any]]:
    """Return the ten fields of records as columns, for ``late_probabilities_of_columns``."""
    return records.columns if isinstance(records, RecordTable) else _columns(records)


def _columns(records: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    try:
        return {field.name: _column(field, map(itemgetter(field.name), records), len(records)) for field in FIELDS}
    except (KeyError, TypeError):
        # A key is missing, or a required number is None.
        return {name: [record.get(name) for record in records] for name in FIELD_NAMES}


def _column(field: Field, values: Iterator[Any], count: int) -> Any:
    if field.type == "category" or field.nullable:
        return list(values)
    import numpy as np

    # Directly from the records, which is half the work of making a list first. It raises TypeError at None.
    return np.fromiter(values, dtype=np.float64, count=count)


def numbers(columns: Mapping[str, Sequence[Any]]) -> dict[str, NDArray[np.float64]]:
    """Return the number fields as arrays, with NaN for missing ones."""
    import numpy as np

    # NumPy converts None to NaN.
    return {name: np.asarray(columns[name], dtype=np.float64) for name in NUMERIC_NAMES}


def by_label(labels: Sequence[str], by_code: Sequence[T]) -> tuple[dict[str | None, T], T, T]:
    """Return a look-up by label, None among them, and the values of a missing and of an unseen label."""
    missing, unseen = by_code[len(labels)], by_code[len(labels) + 1]
    return {**dict(zip(labels, by_code, strict=False)), None: missing}, missing, unseen


def codes(values: Sequence[Any], labels: Sequence[str]) -> NDArray[np.intp]:
    """Return each label's code, of shape (n_values,); the values are texts, None or NaN.

    A label's code is its index. A missing value's code follows the labels' codes, then comes the code of unseen labels.
    """
    import numpy as np

    missing, unseen = len(labels), len(labels) + 1
    code_of: dict[Any, int] = {None: missing, **{label: code for code, label in enumerate(labels)}}
    try:
        # One call for all labels. With two keys in front the result is a tuple however many labels there are.
        label_codes = itemgetter(None, None, *values)(code_of)[2:]
        if unseen <= _LARGEST_BYTE:
            # Converting through bytes takes half the time of fromiter.
            return np.frombuffer(bytes(label_codes), dtype=np.uint8).astype(np.intp)
        return np.array(label_codes, dtype=np.intp)
    except KeyError:
        row_codes = np.fromiter((code_of.get(value, unseen) for value in values), dtype=np.intp, count=len(values))
    for row in np.flatnonzero(row_codes == unseen).tolist():
        # A float among the labels is NaN.
        if isinstance(values[row], float):
            row_codes[row] = missing
    return row_codes
