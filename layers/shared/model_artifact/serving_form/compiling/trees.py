"""Compiles trees on a matrix into trees on the record: the questions absorb the encoders, imputers and scalers."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.serving_form.checks import MAX_COLUMNS
from model_artifact.serving_form.compiling.boundaries import pull_back
from model_artifact.serving_form.compiling.columns import Column, Columns
from model_artifact.serving_form.compiling.raw_trees import RawTrees
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.form import TreesForm, n_codes

_HALF = 0.5

# What identifies a column of the form: the field, whether a missing number goes left, and each code's side.
_Key = tuple[int, bool, tuple[int, ...]]


@dataclass(frozen=True)
class _Questions:
    """The questions of some nodes: each one's column of the form, as an index into ``keys``, and its threshold."""

    nodes: NDArray[np.int64]
    keys: list[_Key]
    of_node: NDArray[np.int64]
    thresholds: NDArray[np.float64]


def trees_form(trees: RawTrees, columns: Columns, *, is_float32: bool) -> TreesForm:
    """Return the form.

    Parameters
    ----------
    trees : RawTrees
        The trees on the matrix.
    columns : Columns
        The columns of the matrix.
    is_float32 : bool
        Whether the classifier casts the matrix to float32 before it compares.

    Raises
    ------
    NotCompilableError
        If the form can't express a question.
    """
    questions_of_columns = [
        _category_questions(trees, number, column)
        if column.by_code is not None
        else _number_questions(trees, number, column, is_float32=is_float32)
        for number, column in enumerate(columns.columns)
    ]
    keys = sorted({key for questions in questions_of_columns for key in questions.keys})
    if len(keys) > MAX_COLUMNS:
        raise NotCompilableError("trees with so many different questions about categories")
    place = {key: number for number, key in enumerate(keys)}
    node_column = np.full(len(trees.column), -1, dtype=np.int16)
    node_value = trees.value.copy()
    for questions in questions_of_columns:
        places = np.array([place[key] for key in questions.keys], dtype=np.int16)
        node_column[questions.nodes] = places[questions.of_node]
        node_value[questions.nodes] = questions.thresholds
    width = n_codes(columns.labels)
    sides = bytearray()
    for _, _, of_codes in keys:
        sides += bytes(of_codes) + bytes(width - len(of_codes))
    return TreesForm(
        output=trees.output,
        base=trees.base,
        labels=columns.labels,
        roots=_array("i", trees.roots, np.int32),
        node_column=_array("h", node_column, np.int16),
        node_value=_array("d", node_value, np.float64),
        node_right=_array("i", trees.right, np.int32),
        column_field=array("b", [field for field, _, _ in keys]),
        column_missing_left=array("B", [is_left for _, is_left, _ in keys]),
        category_sides=array("B", bytes(sides)),
    )


def _number_questions(trees: RawTrees, number: int, column: Column, *, is_float32: bool) -> _Questions:
    nodes = np.flatnonzero(trees.column == number)

    def transform(x: NDArray[np.float64]) -> NDArray[np.float64]:
        y = (x - column.shift) / column.scale if column.is_scaled else x
        return y.astype(np.float32).astype(np.float64) if is_float32 else y

    thresholds, of_node = np.unique(trees.value[nodes], return_inverse=True)
    pulled_back = pull_back(thresholds, transform) if is_float32 or column.is_scaled else thresholds
    # An imputer replaces a missing number, and the classifier sees the replacement.
    is_left = trees.is_missing_left[nodes] if np.isnan(column.missing) else column.missing <= trees.value[nodes]
    keys: list[_Key] = [(column.field, False, ()), (column.field, True, ())]
    present = sorted(set(is_left.tolist()))
    return _Questions(
        nodes,
        [keys[side] for side in present],
        np.searchsorted(np.array(present, dtype=np.int64), is_left.astype(np.int64)),
        pulled_back[of_node],
    )


def _category_questions(trees: RawTrees, number: int, column: Column) -> _Questions:
    nodes = np.flatnonzero(trees.column == number)
    key_of: dict[Any, _Key] = {}
    keys: list[_Key] = []
    for node in nodes.tolist():
        in_set = trees.left_codes.get(node)
        question = (float(trees.value[node]) if in_set is None else in_set, bool(trees.is_missing_left[node]))
        if question not in key_of:
            key_of[question] = (column.field, False, _sides(column, *question))
        keys.append(key_of[question])
    different = sorted(set(keys))
    place = {key: index for index, key in enumerate(different)}
    of_node = np.array([place[key] for key in keys], dtype=np.int64)
    return _Questions(nodes, different, of_node, np.full(len(nodes), _HALF))


def _sides(
    column: Column, question: float | tuple[frozenset[int], frozenset[int]], is_missing_left: bool
) -> tuple[int, ...]:
    """Return for each code whether it goes right, as scikit-learn's ``_predict_one_from_raw_data`` decides."""
    assert column.by_code is not None
    sides = []
    for x in column.by_code.tolist():
        if np.isnan(x):
            is_left = is_missing_left
        elif isinstance(question, float):
            is_left = x <= question
        else:
            left_codes, known_codes = question
            code = int(x)
            is_left = code in left_codes if x >= 0 and code in known_codes | left_codes else is_missing_left
        sides.append(int(not is_left))
    return tuple(sides)


def _array(type_code: str, values: NDArray[Any], dtype: Any) -> Any:
    result = array(type_code)
    result.frombytes(values.astype(dtype).tobytes())
    return result
