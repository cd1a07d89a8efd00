"""Scores tables of Arrow: record batches with the ten columns, and perhaps others, which stay as they are.

Imports pyarrow, which only those have who read Parquet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow

from batch_scoring.errors import UnusableFileError
from batch_scoring.results import WarningCounts, check_names
from batch_scoring.row_rules import Columns, Rejection, find_rejections
from batch_scoring.scores import Scorer
from model_artifact.column_rules import which_are_valid
from model_artifact.schema import CATEGORY_NAMES, FIELDS, LOAN_ID, NUMERIC_NAMES

_RESULT_TYPES = (pyarrow.float64(), pyarrow.int8(), pyarrow.int32(), pyarrow.string())


# A column without any value has the type null, whatever it would hold.
def is_number(kind: Any) -> bool:
    """Say whether a column of this type holds numbers, or nothing."""
    types = pyarrow.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind))


def is_text(kind: Any) -> bool:
    """Say whether a column of this type holds texts, or nothing."""
    types = pyarrow.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind)
    )


def check_schema(schema: Any, added: Sequence[str]) -> None:
    """Raise ``UnusableFileError`` if a table doesn't have the ten columns, or has one that scoring ``added``."""
    check_names(schema.names, added)
    for field in FIELDS:
        kind = schema.field(field.name).type
        if field.type == "number" and not is_number(kind):
            raise UnusableFileError(f"The column {field.name} holds {kind}, not numbers.")
        if field.type == "category" and not is_text(kind):
            raise UnusableFileError(f"The column {field.name} holds {kind}, not texts.")


def scored_schema(schema: Any, added: Sequence[str]) -> Any:
    """Return a table's schema with the columns that scoring ``added``."""
    for name, kind in zip(added, _RESULT_TYPES, strict=False):
        schema = schema.append(pyarrow.field(name, kind))
    return schema


def valid_rows(batch: Any, first_row: int) -> tuple[Any, Columns, list[Rejection]]:
    """Return the valid rows of a batch, their columns for the model, and the faults of the others.

    ``first_row`` is the number of the batch's first row, which rejections count from.
    """
    columns = _columns(batch)
    is_valid = which_are_valid(columns)
    if is_valid.all():
        return batch, columns, []
    places = np.flatnonzero(~is_valid).tolist()
    # A missing number is NaN in a column, and None in a record.
    records = [
        {
            name: None if name in NUMERIC_NAMES and np.isnan(values[place]) else values[place]
            for name, values in columns.items()
        }
        for place in places
    ]
    valid = batch.filter(pyarrow.array(is_valid))
    return valid, _columns(valid), find_rejections(records, [first_row + place for place in places])


def with_results(batch: Any, columns: Columns, schema: Any, scorer: Scorer, counts: WarningCounts) -> Any:
    """Return valid rows with the columns that ``schema`` has beyond theirs, and count their warnings."""
    kinds = schema.types[batch.num_columns :]
    results: list[list[Any]] = [[] for _ in kinds]
    for scores in scorer.score(columns) if len(batch) else ():
        counts.add(scores)
        parts: tuple[Iterable[Any], ...] = (
            scores.probabilities,
            map(int, scores.is_late),
            [scores.version] * len(scores.probabilities),
            scores.warning_texts(),
        )
        # The last part is left over where the output has no warnings.
        for column, part in zip(results, parts, strict=False):
            column.extend(part)
    arrays = [pyarrow.array(values, kind) for values, kind in zip(results, kinds, strict=True)]
    return pyarrow.RecordBatch.from_arrays([*batch.columns, *arrays], schema=schema)


def _columns(batch: Any) -> Columns:
    columns: dict[str, Any] = {}
    for name in NUMERIC_NAMES:
        # Missing values become NaN; whole numbers beyond 2**53 are beyond every bound too.
        numbers = batch.column(name).cast(pyarrow.float64(), safe=False)
        columns[name] = numbers.to_numpy(zero_copy_only=False)
    for name in (*CATEGORY_NAMES, LOAN_ID):
        if name in batch.schema.names and is_text(batch.column(name).type):
            columns[name] = batch.column(name).to_pylist()
    if LOAN_ID in columns:
        columns[LOAN_ID] = [loan_id or None for loan_id in columns[LOAN_ID]]
    return columns
