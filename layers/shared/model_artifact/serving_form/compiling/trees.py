"""Compiles trees on a matrix into trees on the record: the questions absorb the encoders, imputers and scalers."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.schema import FIELDS
from model_artifact.serving_form.checks import MAX_COLUMNS
from model_artifact.serving_form.compiling.column import Column
from model_artifact.serving_form.compiling.columns import Columns
from model_artifact.serving_form.compiling.raw_trees import CodeQuestion, MissingNumbers, RawTrees
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.form import NO_BLANK, Blank, TreesForm, n_codes

Floats = NDArray[np.float64]

_HALF = 0.5

# What identifies a column of the form: the field, whether a missing number goes left, each code's side, and the numbers
# that aren't compared.
_Key = tuple[int, bool, tuple[int, ...], Blank]


def trees_form(trees: RawTrees, columns: Columns, *, is_float32: bool) -> TreesForm:
    """Return the form of trees on a matrix with these columns.

    ``is_float32`` says whether the classifier casts the matrix to float32 before it compares. Raises
    ``NotCompilableError`` if the form can't express a question.
    """
    node_value = trees.nodes["value"].copy()
    nodes_of_keys: dict[_Key, list[int]] = defaultdict(list)
    for number, column in enumerate(columns.columns):
        nodes = np.flatnonzero(trees.nodes["column"] == number)
        if column.by_code is not None:
            nodes_of_column = _nodes_by_category_key(trees, nodes, column)
            node_value[nodes] = _HALF
        else:
            nodes_of_column = _nodes_by_number_key(trees, nodes, column)
            node_value[nodes] = _number_thresholds(trees, nodes, column, is_float32=is_float32)
        for key, nodes_of_key in nodes_of_column.items():
            nodes_of_keys[key] += nodes_of_key
    keys = sorted(nodes_of_keys)
    if len(keys) > MAX_COLUMNS:
        raise NotCompilableError("trees with so many different questions about categories")
    node_column = np.full(len(trees.nodes), -1, dtype=np.int16)
    for number, key in enumerate(keys):
        node_column[nodes_of_keys[key]] = number
    width = n_codes(columns.labels)
    sides = b"".join(bytes(of_codes).ljust(width, b"\0") for _, _, of_codes, _ in keys)
    blanks = [blank for *_, blank in keys]
    if not any(blank != NO_BLANK for blank in blanks):
        blanks = []
    return TreesForm(
        output=trees.output,
        base=trees.base,
        labels=columns.labels,
        roots=_array("i", trees.roots, np.int32),
        node_column=_array("h", node_column, np.int16),
        node_value=_array("d", node_value, np.float64),
        node_right=_array("i", trees.nodes["right"], np.int32),
        column_field=array("b", [field for field, *_ in keys]),
        column_missing_left=array("B", [is_left for _, is_left, *_ in keys]),
        category_sides=array("B", sides),
        column_blank_from=array("d", [low for low, _, _ in blanks]),
        column_blank_to=array("d", [high for _, high, _ in blanks]),
        column_blank_left=array("B", [is_left for _, _, is_left in blanks]),
    )


def _nodes_by_number_key(trees: RawTrees, nodes: NDArray[np.intp], column: Column) -> dict[_Key, list[int]]:
    if trees.code_questions.keys() & nodes.tolist():
        raise NotCompilableError(f"a classifier that takes the number {column.name} for a category")
    raw = trees.nodes[nodes]
    has_blank, is_default_left = raw["has_blank"], raw["is_missing_left"]
    # An imputer replaces a missing number, and the classifier sees the replacement.
    is_default = np.isnan(column.missing) | (has_blank & _is_blank(trees, column.missing))
    is_missing_left = np.where(is_default, is_default_left, column.missing <= raw["value"])
    ends = _blank_ends(trees, column)
    has_blank = has_blank & (ends is not None)
    is_blank_left = is_default_left & has_blank
    return {
        (column.field, missing_left, (), (*ends, blank_left) if ends and blank else NO_BLANK): nodes[of_key].tolist()
        for missing_left, blank, blank_left in product((False, True), repeat=3)
        if (of_key := (is_missing_left == missing_left) & (has_blank == blank) & (is_blank_left == blank_left)).any()
    }


def _is_blank(trees: RawTrees, x: float) -> bool:
    return trees.blank is not None and x in trees.blank


def _blank_ends(trees: RawTrees, column: Column) -> tuple[float, float] | None:
    """Return the first and the last of the record's own numbers that the classifier takes for missing, if any."""
    if trees.blank is None:
        return None
    ends = np.array([np.nextafter(trees.blank.low, -np.inf), trees.blank.high])
    below, high = _pull_back(ends, column, is_float32=trees.blank.is_float32).tolist()
    low = float(np.nextafter(below, np.inf))
    field = FIELDS[column.field]
    assert field.hard_min is not None
    assert field.hard_max is not None
    return (low, high) if max(low, field.hard_min) <= min(high, field.hard_max) else None


def _number_thresholds(trees: RawTrees, nodes: NDArray[np.intp], column: Column, *, is_float32: bool) -> Floats:
    """Return each node's threshold on the record's own number."""
    thresholds, of_node = np.unique(trees.nodes["value"][nodes], return_inverse=True)
    return _pull_back(thresholds, column, is_float32=is_float32)[of_node]


def _pull_back(thresholds: Floats, column: Column, *, is_float32: bool) -> Floats:
    """Return for each threshold the last of the record's own numbers that the classifier sees at or below it."""
    if not (column.is_changed or is_float32):
        return thresholds
    if not column.is_increasing:
        raise NotCompilableError(f"trees on a function of {column.name} that doesn't always increase")

    def transform(x: Floats) -> Floats:
        y = column.apply(x)
        return y.astype(np.float32).astype(np.float64) if is_float32 else y

    # A function such as the logarithm is defined only for values that a loan can have.
    field = FIELDS[column.field]
    return pull_back(thresholds, transform, *((field.hard_min, field.hard_max) if column.is_curved else ()))


def _nodes_by_category_key(trees: RawTrees, nodes: NDArray[np.intp], column: Column) -> dict[_Key, list[int]]:
    key_of: dict[Any, _Key] = {}
    nodes_of_keys: dict[_Key, list[int]] = defaultdict(list)
    of_nodes = (trees.nodes[name][nodes].tolist() for name in ("value", "is_missing_left", "has_blank"))
    for node, threshold, is_missing_left, has_blank in zip(nodes.tolist(), *of_nodes, strict=True):
        question = (trees.code_questions.get(node, threshold), is_missing_left, has_blank)
        if question not in key_of:
            blank = trees.blank if has_blank else None
            key_of[question] = (column.field, False, _sides(column, *question[:2], blank), NO_BLANK)
        nodes_of_keys[key_of[question]].append(node)
    return nodes_of_keys


def _sides(
    column: Column, question: float | CodeQuestion, is_missing_left: bool, blank: MissingNumbers | None
) -> tuple[int, ...]:
    """Return for each code whether it goes right."""
    assert column.by_code is not None
    sides = []
    for x in column.by_code.tolist():
        if np.isnan(x) or (blank is not None and x in blank):
            is_left = is_missing_left
        elif isinstance(question, float):
            is_left = x <= question
        else:
            is_left = question.goes_left(x, is_missing_left=is_missing_left)
        sides.append(int(not is_left))
    return tuple(sides)


def pull_back(
    thresholds: Floats, transform: Callable[[Floats], Floats], lowest: float | None = None, highest: float | None = None
) -> Floats:
    """Return for each threshold t the largest x with ``transform(x) <= t``, from ``lowest`` to ``highest``.

    So ``x <= result`` and ``transform(x) <= t`` have the same answer for every x, although ``transform`` rounds: it
    casts to float32, as scikit-learn's forests do, or scales. A formula in place of the search could be wrong in the
    last bit.

    ``transform`` turns the record's numbers into those that the tree compares. It must be non-decreasing, and no
    threshold NaN. The result is −∞ where ``transform(x) > t`` for every x, and +∞ where ``transform(x) <= t`` for every
    x. By default x may be any finite number.

    Notes
    -----
    Bisection on the order of the floats, 64 steps: as signed 64-bit whole numbers in sign-and-magnitude order,
    neighbouring floats are neighbouring numbers (IEEE 754).
    """
    limit = np.finfo(np.float64).max
    bounds = (-limit if lowest is None else lowest, limit if highest is None else highest)
    ends = np.array(bounds, dtype=np.float64)
    low, high = (np.full(len(thresholds), end) for end in _ordered(ends))
    with np.errstate(over="ignore"):
        never = ~(transform(_float(low)) <= thresholds)
        always = transform(_float(high)) <= thresholds
        # Invariant: transform(low) <= t < transform(high), except where ``never`` or ``always`` is true.
        while np.any(high - 1 > low):
            middle = (low >> 1) + (high >> 1) + (low & high & 1)
            is_left = transform(_float(middle)) <= thresholds
            low = np.where(is_left, middle, low)
            high = np.where(is_left, high, middle)
    return np.where(always, np.inf, np.where(never, -np.inf, _float(low)))


def _ordered(x: Floats) -> NDArray[np.int64]:
    bits = x.view(np.int64)
    return np.where(bits >= 0, bits, np.iinfo(np.int64).min - bits)


def _float(ordered: NDArray[np.int64]) -> Floats:
    bits = np.where(ordered >= 0, ordered, np.iinfo(np.int64).min - ordered)
    return np.ascontiguousarray(bits).view(np.float64)


def _array(type_code: str, values: NDArray[Any], dtype: Any) -> Any:
    result = array(type_code)
    result.frombytes(values.astype(dtype).tobytes())
    return result
