"""From records and columns to numbers and codes. NumPy is imported where many rows are, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from model_artifact.errors import NonFiniteOutputError
from model_artifact.schema import FIELD_NAMES, FIELDS, NUMERIC_NAMES, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# exp(-x) overflows a float64 below this; the probability is 0 to within 1e-304 there.
_LEAST_LOG_ODDS = -700.0
_LARGEST_BYTE = 255


def expit(log_odds: float) -> float:
    """Return ``1 / (1 + exp(-log_odds))``, bit for bit as ``scipy.special.expit`` does for float64.

    Both are the C library's ``exp``; NumPy's own differs from it in the last bit of one number in a hundred, and one
    record must get the same probability by itself and among others.
    """
    # Asked this way round so that NaN stays NaN.
    return 0.0 if log_odds < _LEAST_LOG_ODDS else 1.0 / (1.0 + exp(-log_odds))


def expit_of_many(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``expit`` of each, bit for bit."""
    import numpy as np

    # The C library's exp for each; the rest is exact to the bit in NumPy too.
    powers = np.fromiter(map(exp, np.minimum(-log_odds, -_LEAST_LOG_ODDS).tolist()), np.float64, len(log_odds))
    return np.where(log_odds < _LEAST_LOG_ODDS, 0.0, 1.0 / (1.0 + powers))


def check_probability(probability: float) -> float:
    """Return it; raises ``NonFiniteOutputError`` if it is none."""
    if not 0.0 <= probability <= 1.0:
        raise NonFiniteOutputError(1, 1)
    return probability


def check_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return them; raises ``NonFiniteOutputError`` if one is none."""
    is_right = (probabilities >= 0) & (probabilities <= 1)
    if not is_right.all():
        raise NonFiniteOutputError(len(probabilities) - int(is_right.sum()), len(probabilities))
    return probabilities


def columns_of(records: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """Return the ten fields of records as columns, for ``late_probabilities_of_columns``."""
    try:
        return {field.name: _column(field, map(itemgetter(field.name), records), len(records)) for field in FIELDS}
    except (KeyError, TypeError):
        # A key is missing, or the value of a field that always has one.
        return {name: [record.get(name) for record in records] for name in FIELD_NAMES}


def _column(field: Field, values: Iterator[Any], count: int) -> Any:
    if field.type == "category" or field.nullable:
        return list(values)
    import numpy as np

    # Straight from the records, which is half the work of a list in between; it takes no None.
    return np.fromiter(values, dtype=np.float64, count=count)


def numbers(columns: Mapping[str, Sequence[Any]]) -> dict[str, NDArray[np.float64]]:
    """Return the number fields as arrays, NaN where one is missing."""
    import numpy as np

    # NumPy makes None a NaN where a float is asked for.
    return {name: np.asarray(columns[name], dtype=np.float64) for name in NUMERIC_NAMES}


def codes(values: Sequence[Any], labels: Mapping[str, int]) -> NDArray[np.intp]:
    """Return each label's code: its own, then the missing value's, then that of all other labels.

    Parameters
    ----------
    values : sequence
        Texts, None or NaN.
    labels : mapping of str to int
        Code by label, counted from 0.

    Returns
    -------
    ndarray of shape (n_values,)
    """
    import numpy as np

    missing, unseen = len(labels), len(labels) + 1
    known: dict[Any, int] = {**labels, None: missing}
    try:
        # One call for all labels; the two in front make it a tuple however many there are.
        found_codes = itemgetter(None, None, *values)(known)[2:]
        if unseen <= _LARGEST_BYTE:
            # By way of bytes it takes half the time of fromiter.
            return np.frombuffer(bytes(found_codes), dtype=np.uint8).astype(np.intp)
        return np.array(found_codes, dtype=np.intp)
    except KeyError:
        found = np.fromiter((known.get(value, unseen) for value in values), dtype=np.intp, count=len(values))
    for row in np.flatnonzero(found == unseen).tolist():
        # A label that is a float is NaN.
        if isinstance(values[row], float):
            found[row] = missing
    return found
