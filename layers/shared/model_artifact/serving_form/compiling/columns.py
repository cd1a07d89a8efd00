"""Finds out how a pipeline computes each column of its classifier's matrix from the record.

The fitted transformers' attributes say which columns belong to which field. The columns' values for each label, for a
missing value and for an unseen label come from the transformers themselves, which transform made-up records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, FIELDS, NUMERIC_NAMES
from model_artifact.serving_form.compiling.column import Column
from model_artifact.serving_form.compiling.preparation import Preparation
from model_artifact.serving_form.compiling.transformers import encode, follow
from model_artifact.serving_form.errors import NotCompilableError

Floats = NDArray[np.float64]

# Numbers that test whether the transformers do what their attributes say.
_SAMPLE_NUMBERS = (0.0, 1.0, 0.1356, 17.5, 65_000.0, 1e9 / 3)


@dataclass(frozen=True)
class Columns:
    """All columns in the matrix's order, and the labels known to the category fields' encoders."""

    columns: tuple[Column, ...]
    labels: dict[str, tuple[str, ...]]


def read_columns(
    preparation: Preparation,
    finish: Callable[[Any], Any],
    order: Sequence[int] | None = None,
    encodings: Mapping[int, Any] | None = None,
) -> Columns:
    """Read the columns that a classifier gets from a preparation.

    ``finish`` is the classifier's own conversion of the matrix, and ``order`` the order of its columns after that.
    ``encodings`` are the categories of those columns that it encodes itself, by the number before that. Raises
    ``NotCompilableError`` if a transformer isn't known.
    """
    labels: dict[str, list[str]] = {name: [] for name in CATEGORY_NAMES}
    columns = [
        Column(FIELD_NAMES.index(name), is_text=FIELDS[FIELD_NAMES.index(name)].type == "category")
        for name in preparation.names
    ]
    for step in preparation.steps:
        columns = follow(step, columns, labels)
    for number, categories in (encodings or {}).items():
        if columns[number].is_text:
            columns[number] = encode(columns[number], categories, labels)
    if any(column.is_text for column in columns):
        raise NotCompilableError("a category that reaches the classifier without an encoder")
    if order is not None:
        columns = [columns[number] for number in order]
    return _fill_tables(preparation, finish, columns, {name: tuple(of_field) for name, of_field in labels.items()})


def _fill_tables(
    preparation: Preparation, finish: Callable[[Any], Any], columns: list[Column], labels: dict[str, tuple[str, ...]]
) -> Columns:
    """Fill the columns' tables with the transformers' results for each label and for missing values."""
    # A text that isn't among the labels.
    unseen = "unseen"
    while any(unseen in of_field for of_field in labels.values()):
        unseen += "?"
    usual: dict[str, Any] = dict.fromkeys(NUMERIC_NAMES, 1.0)
    usual |= {name: of_field[0] if of_field else unseen for name, of_field in labels.items()}

    def matrix_of(records: list[dict[str, Any]]) -> Floats:
        finished = np.asarray(finish(preparation.transform(records)), dtype=np.float64)
        if finished.shape != (len(records), len(columns)):
            raise NotCompilableError("transformers that give an unexpected number of columns")
        return finished

    tables = {
        name: matrix_of([{**usual, name: value} for value in (*of_field, None, unseen)])
        for name, of_field in labels.items()
    }
    without_numbers = matrix_of([{**usual, **dict.fromkeys(NUMERIC_NAMES)}])[0]
    result = []
    for number, column in enumerate(columns):
        if column.name in tables:
            result.append(replace(column, by_code=tables[column.name][:, number]))
        else:
            result.append(replace(column, missing=float(without_numbers[number])))
    samples = [{**usual, **{name: _within_bounds(name, x) for name in NUMERIC_NAMES}} for x in _SAMPLE_NUMBERS]
    _check_numbers(matrix_of(samples), result)
    return Columns(tuple(result), labels)


def _check_numbers(matrix: Floats, columns: list[Column]) -> None:
    """Raise ``NotCompilableError`` unless the transformers change the sample numbers as their attributes say."""
    for values, column in zip(matrix.T, columns, strict=True):
        if column.by_code is None:
            expected = column.apply(np.array([_within_bounds(column.name, x) for x in _SAMPLE_NUMBERS]))
            # A forest's matrix has been cast to float32.
            if not np.allclose(values, expected, rtol=1e-6, atol=1e-9):
                raise NotCompilableError(f"transformers whose attributes don't tell what they do to {column.name}")


def _within_bounds(name: str, x: float) -> float:
    field = FIELDS[FIELD_NAMES.index(name)]
    return min(max(x, field.hard_min or 0.0), field.hard_max or 0.0)
