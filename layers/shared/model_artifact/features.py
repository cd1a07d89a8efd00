"""Builds a pipeline's data frame from records or columns. Doesn't validate them: ``record_rules`` does.

Invariant (tests/unit/model_artifact/test_features.py): a frame that is built from records gives bit-equal probabilities
to the frame that ``pandas.read_csv`` builds from the same rows, also where a column is missing in every row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from model_artifact.schema import FIELD_NAMES, FIELDS

if TYPE_CHECKING:
    import pandas


def frame_from_records(records: Sequence[Mapping[str, object]]) -> pandas.DataFrame:
    """Build the data frame with the ten columns in their order, of shape (n_records, 10).

    A missing key and None are both a missing value; other keys are ignored. Raises ``ValueError`` or ``TypeError`` if a
    number field's value isn't a number.

    Notes
    -----
    Numbers are float64, categories are objects (str); missing values are NaN in both. scikit-learn's transformers give
    the same result for objects and pandas' own strings, and a single record takes a third less time with objects. A
    column without any value stays a column of objects; ``read_csv`` would make it float64, which scikit-learn's string
    imputer refuses.
    """
    return frame_from_columns({name: [record.get(name) for record in records] for name in FIELD_NAMES})


def frame_from_columns(columns: Mapping[str, Sequence[object]]) -> pandas.DataFrame:
    """Build the same data frame from the ten columns: None and NaN are both a missing value."""
    import pandas as pd

    arrays: dict[str, np.ndarray] = {}
    for field in FIELDS:
        values = columns[field.name]
        if field.type == "number":
            # NumPy turns None into NaN here.
            arrays[field.name] = np.asarray(values, dtype=np.float64)
        else:
            arrays[field.name] = np.empty(len(values), dtype=object)
            arrays[field.name][:] = [np.nan if value is None else value for value in values]
    return pd.DataFrame({name: pd.Series(column, dtype=column.dtype) for name, column in arrays.items()}, copy=False)


def columns_of(frame: pandas.DataFrame) -> dict[str, list[object]]:
    """Return the ten columns of such a data frame, which ``frame_from_columns`` turns into the same frame again."""
    return {name: frame[name].tolist() for name in FIELD_NAMES}
