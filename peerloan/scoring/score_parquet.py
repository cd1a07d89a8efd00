"""Scores a Parquet file, batch by batch. Only this module imports pyarrow, an optional dependency.

A Parquet file can't be read until its last bytes are written, so an interrupted run begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_artifact.record_rules import are_valid
from model_artifact.schema import CATEGORY_NAMES, FIELDS, LOAN_ID, NUMERIC_NAMES
from peerloan.errors import CommandError, UsageError
from peerloan.files import sync_file, writing
from peerloan.scoring.results import (
    REJECTS_HEADER,
    Outcome,
    Targets,
    WarningCounts,
    check_names,
    put_in_place,
    rejections_as_csv,
)
from peerloan.scoring.row_rules import Columns, Rejection, find_rejections
from peerloan.scoring.scorers import Scorer

ROWS_A_STEP = 16_384


def score_parquet(
    source: Path,
    targets: Targets,
    scorer: Scorer,
    *,
    on_progress: Callable[[int], None] = lambda _: None,
    rows_a_step: int = ROWS_A_STEP,
) -> Outcome:
    """Score a file.

    Parameters
    ----------
    source : Path
        Parquet.
    targets : Targets
        The outputs. The rejects file is CSV; its lines have row numbers.
    scorer : Scorer
        A version or the API.
    on_progress : callable
        Gets the approximate number of the file's bytes that are done.
    rows_a_step : int
        The number of rows in memory at once.

    Raises
    ------
    UsageError
        If pyarrow isn't installed, or this isn't a Parquet file with the ten columns.
    """
    pyarrow, parquet = _import_pyarrow()
    size = source.stat().st_size
    rows = rejected = 0
    file = _open(pyarrow, parquet, source)
    with (
        writing(targets.scored),
        file,
        targets.part(targets.rejects).open("wb") as rejects,
        targets.part(targets.scored).open("wb") as scored,
    ):
        _check_schema(pyarrow, file.schema_arrow, targets.columns)
        schema = file.schema_arrow
        kinds = (pyarrow.float64(), pyarrow.int8(), pyarrow.int32(), pyarrow.string())
        for name, kind in zip(targets.columns, kinds, strict=False):
            schema = schema.append(pyarrow.field(name, kind))
        counts = WarningCounts()
        rejects.write(REJECTS_HEADER)
        with parquet.ParquetWriter(scored, schema) as writer:
            for batch in _batches(pyarrow, file, source, rows_a_step):
                valid, columns, rejections = _valid_rows(pyarrow, batch, rows + rejected + 1)
                rejects.write(rejections_as_csv(rejections))
                writer.write_batch(_with_results(pyarrow, valid, columns, schema, scorer, counts))
                rows, rejected = rows + len(valid), rejected + len(batch) - len(valid)
                on_progress(size * (rows + rejected) // file.metadata.num_rows)
        for output in (scored, rejects):
            sync_file(output)
        put_in_place(targets, rejected=rejected)
    return Outcome(rows, rejected, 0, counts.warned, dict(counts.by_warning))


def read_parquet(source: Path, *, rows_a_step: int = ROWS_A_STEP) -> Iterator[tuple[Any, Columns, int]]:
    """Yield the valid rows of a file as they are, their columns for the model, and how many others there were.

    Raises as ``score_parquet`` does.
    """
    pyarrow, parquet = _import_pyarrow()
    with _open(pyarrow, parquet, source) as file:
        _check_schema(pyarrow, file.schema_arrow, ())
        for batch in _batches(pyarrow, file, source, rows_a_step):
            valid, columns, _ = _valid_rows(pyarrow, batch, 1)
            yield valid, columns, len(batch) - len(valid)


def _open(pyarrow: Any, parquet: Any, source: Path) -> Any:
    try:
        return parquet.ParquetFile(source)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UsageError(f"{source} isn't a Parquet file: {error}") from error


def _batches(pyarrow: Any, file: Any, source: Path, rows: int) -> Iterator[Any]:
    """Yield the batches of a file; raise ``CommandError`` where it is damaged."""
    try:
        yield from file.iter_batches(batch_size=rows)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise CommandError(f"{source} can't be read: {error}. Copy the file again.") from error


def _import_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow, which isn't installed here: python -m pip install pyarrow. CSV needs nothing more."
        ) from None
    return pyarrow, pyarrow.parquet


def _check_schema(pyarrow: Any, schema: Any, added: Sequence[str]) -> None:
    check_names(schema.names, added)
    for field in FIELDS:
        kind = schema.field(field.name).type
        if field.type == "number" and not _is_number(pyarrow, kind):
            raise UsageError(f"The column {field.name} holds {kind}, not numbers.")
        if field.type == "category" and not _is_text(pyarrow, kind):
            raise UsageError(f"The column {field.name} holds {kind}, not texts.")


# A column without any value has the type null, whatever it would hold.
def _is_number(pyarrow: Any, kind: Any) -> bool:
    types = pyarrow.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind))


def _is_text(pyarrow: Any, kind: Any) -> bool:
    types = pyarrow.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind)
    )


def _columns(pyarrow: Any, batch: Any) -> Columns:
    columns: dict[str, Any] = {}
    for name in NUMERIC_NAMES:
        # Missing values become NaN; whole numbers beyond 2**53 are beyond every bound too.
        numbers = batch.column(name).cast(pyarrow.float64(), safe=False)
        columns[name] = numbers.to_numpy(zero_copy_only=False)
    for name in (*CATEGORY_NAMES, LOAN_ID):
        if name in batch.schema.names and _is_text(pyarrow, batch.column(name).type):
            columns[name] = batch.column(name).to_pylist()
    if LOAN_ID in columns:
        columns[LOAN_ID] = [loan_id or None for loan_id in columns[LOAN_ID]]
    return columns


def _valid_rows(pyarrow: Any, batch: Any, first_row: int) -> tuple[Any, Columns, list[Rejection]]:
    """Return the valid rows, their columns, and the faults of the others."""
    columns = _columns(pyarrow, batch)
    if are_valid(columns):
        return batch, columns, []
    # A missing number is NaN in a column, and None in a record.
    records = [
        {
            name: None if name in NUMERIC_NAMES and np.isnan(value) else value
            for name, value in zip(columns, values, strict=True)
        }
        for values in zip(*columns.values(), strict=True)
    ]
    numbers = range(first_row, first_row + len(records))
    rejections = find_rejections(records, numbers)
    invalid = {rejection.line for rejection in rejections}
    valid = batch.filter(pyarrow.array([number not in invalid for number in numbers]))
    return valid, _columns(pyarrow, valid), rejections


def _with_results(
    pyarrow: Any, batch: Any, columns: Columns, schema: Any, scorer: Scorer, counts: WarningCounts
) -> Any:
    """Return the rows with the columns that ``schema`` has beyond theirs, and count their warnings."""
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
