"""Finds out how a pipeline computes each column of its classifier's matrix from the record.

The fitted transformers' attributes say which columns belong to which field. The columns' values for each label, for a
missing value and for an unseen label come from the transformers themselves, which transform made-up records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, FIELDS, NUMERIC_NAMES
from model_artifact.serving_form.compiling.preparation import Preparation, is_passthrough
from model_artifact.serving_form.errors import NotCompilableError

Floats = NDArray[np.float64]

# Numbers that test whether the transformers do what their attributes say.
_SAMPLE_NUMBERS = (0.0, 1.0, 0.1356, 17.5, 65_000.0, 1e9 / 3)


@dataclass(frozen=True)
class Column:
    """One column of the matrix: ``(x - shift) / scale`` of a number, or a table by a category's code.

    ``missing`` is the value for a missing number. ``by_code`` is None for a number. ``is_text`` is true before the
    encoder.
    """

    field: int
    is_text: bool
    shift: float = 0.0
    scale: float = 1.0
    is_scaled: bool = False
    missing: float = np.nan
    by_code: Floats | None = None

    @property
    def name(self) -> str:
        """The field's name."""
        return FIELD_NAMES[self.field]


@dataclass(frozen=True)
class Columns:
    """All columns in the matrix's order, and the labels known to the category fields' encoders."""

    columns: tuple[Column, ...]
    labels: dict[str, tuple[str, ...]]


def read_columns(preparation: Preparation, finish: Callable[[Any], Any], order: Sequence[int] | None = None) -> Columns:
    """Read the columns that a classifier gets from a preparation.

    ``finish`` is the classifier's own conversion of the matrix, and ``order`` the order of its columns after that.
    Raises ``NotCompilableError`` if a transformer isn't known.
    """
    labels: dict[str, list[str]] = {name: [] for name in CATEGORY_NAMES}
    columns = [
        Column(FIELD_NAMES.index(name), is_text=FIELDS[FIELD_NAMES.index(name)].type == "category")
        for name in preparation.names
    ]
    for step in preparation.steps:
        columns = _through(step, columns, labels)
    if any(column.is_text for column in columns):
        raise NotCompilableError("a category that reaches the classifier without an encoder")
    if order is not None:
        columns = [columns[number] for number in order]
    return _fill_tables(preparation, finish, columns, {name: tuple(of_field) for name, of_field in labels.items()})


def _through(step: Any, columns: list[Column], labels: dict[str, list[str]]) -> list[Column]:
    """Return the columns after a fitted transformer, and add its labels to ``labels``."""
    kind = type(step)
    if is_passthrough(step) or (kind is FunctionTransformer and step.func is None):
        return columns
    if kind is Pipeline:
        for _, part in step.steps:
            columns = _through(part, columns, labels)
        return columns
    if kind is ColumnTransformer:
        return _through_column_transformer(step, columns, labels)
    if kind is SimpleImputer:
        return _through_imputer(step, columns)
    if kind is StandardScaler:
        return _through_scaler(step, columns)
    if kind in (OneHotEncoder, OrdinalEncoder):
        return _through_encoder(step, columns, labels)
    raise NotCompilableError(f"a {kind.__name__}")


def _through_column_transformer(
    step: ColumnTransformer, columns: list[Column], labels: dict[str, list[str]]
) -> list[Column]:
    if step.transformer_weights:
        raise NotCompilableError("a ColumnTransformer with transformer_weights")
    names = [column.name for column in columns]
    if len(set(names)) != len(names):
        raise NotCompilableError("a ColumnTransformer after another")
    parts: list[tuple[slice, list[Column]]] = []
    for name, transformer, selected in step.transformers_:
        # A dropped part has no width, and neither has a part without columns.
        place: slice = step.output_indices_[name]
        if place.start == place.stop:
            continue
        if not isinstance(selected, list | np.ndarray) or isinstance(selected, str):
            raise NotCompilableError("a ColumnTransformer whose columns are not given as a list")
        of_part = [columns[names.index(choice) if isinstance(choice, str) else int(choice)] for choice in selected]
        result = _through(transformer, of_part, labels)
        if len(result) != place.stop - place.start:
            raise NotCompilableError(f"a ColumnTransformer whose part {name!r} has another width than it should")
        parts.append((place, result))
    parts.sort(key=lambda part: part[0].start)
    return [column for _, result in parts for column in result]


def _through_imputer(step: SimpleImputer, columns: list[Column]) -> list[Column]:
    missing = step.missing_values
    if not (isinstance(missing, float) and np.isnan(missing)):
        raise NotCompilableError("a SimpleImputer of something else than NaN")
    if step.add_indicator:
        raise NotCompilableError("a SimpleImputer that adds indicators")
    if any(isinstance(filler, float) and np.isnan(filler) for filler in step.statistics_.tolist()):
        raise NotCompilableError("a SimpleImputer that saw a column without any value")
    return columns


def _through_scaler(step: StandardScaler, columns: list[Column]) -> list[Column]:
    if any(column.is_text for column in columns):
        raise NotCompilableError("a StandardScaler of a category")
    shifts = np.zeros(len(columns)) if step.mean_ is None or not step.with_mean else step.mean_
    scales = np.ones(len(columns)) if step.scale_ is None else step.scale_
    result = []
    for column, shift, scale in zip(columns, shifts.tolist(), scales.tolist(), strict=True):
        if column.is_scaled:
            raise NotCompilableError("a column that is scaled twice")
        result.append(replace(column, shift=shift, scale=scale, is_scaled=True))
    return result


def _through_encoder(
    step: OneHotEncoder | OrdinalEncoder, columns: list[Column], labels: dict[str, list[str]]
) -> list[Column]:
    kind = type(step).__name__
    supported = "ignore" if isinstance(step, OneHotEncoder) else "use_encoded_value"
    if step.handle_unknown != supported:
        raise NotCompilableError(f"an {kind} with handle_unknown={step.handle_unknown!r}, not {supported!r}")
    if step.min_frequency is not None or step.max_categories is not None or getattr(step, "drop", None) is not None:
        raise NotCompilableError(f"an {kind} that joins or drops labels")
    result = []
    for column, categories in zip(columns, step.categories_, strict=True):
        if not column.is_text:
            raise NotCompilableError(f"an {kind} of a number, or after another encoder")
        of_field = labels[column.name]
        of_field += [label for label in categories.tolist() if isinstance(label, str) and label not in of_field]
        width = len(categories) if isinstance(step, OneHotEncoder) else 1
        result += [replace(column, is_text=False)] * width
    return result


def _fill_tables(
    preparation: Preparation, finish: Callable[[Any], Any], columns: list[Column], labels: dict[str, tuple[str, ...]]
) -> Columns:
    """Fill the columns' tables with the transformers' results for each label and for missing values."""
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
    _check_numbers(matrix_of([{**usual, **dict.fromkeys(NUMERIC_NAMES, x)} for x in _SAMPLE_NUMBERS]), result)
    return Columns(tuple(result), labels)


def _check_numbers(matrix: Floats, columns: list[Column]) -> None:
    """Raise ``NotCompilableError`` unless the transformers only scale the sample numbers, as their attributes say."""
    for values, column in zip(matrix.T, columns, strict=True):
        if column.by_code is None:
            expected = (np.array(_SAMPLE_NUMBERS) - column.shift) / column.scale
            # A forest's matrix has been cast to float32.
            if not np.allclose(values, expected, rtol=1e-6, atol=1e-9):
                raise NotCompilableError(f"transformers that do something else to {column.name} than scaling it")
