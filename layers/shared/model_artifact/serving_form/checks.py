"""Checks that a stored form can be scored safely: every index is in range, every number finite, and every walk ends.

Written with the standard library's fast loops (``min``, ``max``, ``map``): small forms are loaded without NumPy.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import pairwise
from math import isfinite, isnan
from typing import Any

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, NUMERIC_NAMES
from model_artifact.serving_form.errors import InvalidServingFormError
from model_artifact.serving_form.form import LinearForm, TreesForm

# Far above any model's leaf or weight, and far below values whose sum could overflow.
MAX_LOG_ODDS = 1e6
# A column's number must fit int16.
MAX_COLUMNS = 32_000
MAX_TREES = 100_000
MAX_LABELS = 10_000
MAX_TABLE = 2_000_000

_CATEGORIES = frozenset(FIELD_NAMES.index(name) for name in CATEGORY_NAMES)
_NUMBERS = frozenset(FIELD_NAMES.index(name) for name in NUMERIC_NAMES)


def check_labels(labels: Any) -> dict[str, tuple[str, ...]]:
    """Return the labels of each category field, or raise ``InvalidServingFormError``."""
    if not isinstance(labels, Mapping) or set(labels) != set(CATEGORY_NAMES):
        raise InvalidServingFormError("its labels aren't those of the schema's categories")
    for of_field in labels.values():
        if not isinstance(of_field, list) or not all(isinstance(label, str) for label in of_field):
            raise InvalidServingFormError("its labels aren't lists of texts")
        if len(set(of_field)) != len(of_field) or len(of_field) > MAX_LABELS:
            raise InvalidServingFormError("a category has a label twice, or too many labels")
    return {name: tuple(labels[name]) for name in CATEGORY_NAMES}


def check_trees(form: TreesForm) -> None:
    """Raise ``InvalidServingFormError`` unless every walk through a tree stays in the arrays and ends at a number.

    Invariant: both children of a node come after it and before the next root, and every node but the roots is the
    child of one other. So each walk ends in a leaf of its own tree.
    """
    n_nodes, n_columns = len(form.node_column), len(form.column_field)
    if not len(form.node_value) == len(form.node_right) == n_nodes:
        raise InvalidServingFormError("its nodes' arrays have different lengths")
    if not 1 <= len(form.roots) <= min(MAX_TREES, n_nodes) or n_columns > MAX_COLUMNS:
        raise InvalidServingFormError("it has no tree, or too many of something")
    if min(form.node_column) < -1 or max(form.node_column) >= n_columns:
        raise InvalidServingFormError("a node asks about a column that doesn't exist")
    _check_columns(form, n_columns)
    _check_values(form)
    roots = [*form.roots, n_nodes]
    if roots[0] != 0 or any(next_root <= root for root, next_root in pairwise(roots)):
        raise InvalidServingFormError("its trees don't follow each other")
    for root, next_root in pairwise(roots):
        _check_shape(form.node_column, form.node_right, root, next_root)


def check_linear(form: LinearForm) -> None:
    """Raise ``InvalidServingFormError`` unless the terms are about number fields and all their values are finite."""
    terms = (form.term_shift, form.term_scale, form.term_weight, form.term_missing)
    if any(len(values) != len(form.term_field) for values in terms) or len(form.term_field) > MAX_COLUMNS:
        raise InvalidServingFormError("its terms' arrays have different lengths")
    if not _NUMBERS.issuperset(form.term_field):
        raise InvalidServingFormError("a term is about a field that isn't a number")
    if len(form.category_contributions) != len(CATEGORY_NAMES) * form.n_codes:
        raise InvalidServingFormError("its table of contributions has another size than its labels ask for")
    if not (_are_finite(form.term_shift) and _are_finite(form.term_weight)):
        raise InvalidServingFormError("a term's shift or weight isn't finite")
    if not all(0 < scale < float("inf") for scale in form.term_scale):
        raise InvalidServingFormError("a term's scale isn't above zero")
    if not (_are_log_odds(form.term_missing) and _are_log_odds(form.category_contributions)):
        raise InvalidServingFormError("a contribution isn't a possible log-odds")


def _check_columns(form: TreesForm, n_columns: int) -> None:
    fields = form.column_field
    if n_columns and (min(fields) < 0 or max(fields) >= len(FIELD_NAMES)):
        raise InvalidServingFormError("a column is about a field that doesn't exist")
    if any(after < before for before, after in pairwise(fields)):
        raise InvalidServingFormError("its columns aren't in the order of the fields")
    size = n_columns * form.n_codes
    if size > MAX_TABLE or len(form.category_sides) != size or len(form.column_missing_left) != n_columns:
        raise InvalidServingFormError("its columns' arrays have other sizes than its columns and labels ask for")
    if max(form.category_sides, default=0) > 1 or max(form.column_missing_left, default=0) > 1:
        raise InvalidServingFormError("a side is neither left nor right")


def _check_values(form: TreesForm) -> None:
    if any(map(isnan, form.node_value)):
        raise InvalidServingFormError("a threshold or a leaf is NaN")
    if form.output == "log_odds":
        low, high = -MAX_LOG_ODDS, MAX_LOG_ODDS
    else:
        low, high = 0.0, 1.0
        if form.base != 0:
            raise InvalidServingFormError("a mean of trees doesn't begin with zero")
    leaves = [value for value, column in zip(form.node_value, form.node_column, strict=True) if column < 0]
    if min(leaves, default=low) < low or max(leaves, default=high) > high:
        raise InvalidServingFormError("a leaf is outside the range of its trees' sum")
    is_category = [field in _CATEGORIES for field in form.column_field]
    nodes = zip(form.node_column, form.node_value, strict=True)
    if any(column >= 0 and is_category[column] and value != 0.5 for column, value in nodes):
        raise InvalidServingFormError("a category isn't compared with one half")


def _check_shape(columns: array[int], right: array[int], root: int, end: int) -> None:
    """Walk one tree in preorder: where a subtree ends, the right child of its closest waiting ancestor must begin."""
    awaited: list[int] = []
    for node in range(root, end):
        if columns[node] >= 0:
            if not node + 1 < right[node] < end:
                raise InvalidServingFormError("a node's right child isn't in its tree")
            awaited.append(right[node])
        elif awaited:
            if awaited.pop() != node + 1:
                raise InvalidServingFormError("a node has no parent, or two")
        elif node + 1 != end:
            raise InvalidServingFormError("a tree goes on after its last leaf")
    if awaited:
        raise InvalidServingFormError("a tree ends before its last leaf")


def _are_finite(values: array[float]) -> bool:
    return all(map(isfinite, values))


def _are_log_odds(values: array[float]) -> bool:
    return all(-MAX_LOG_ODDS <= value <= MAX_LOG_ODDS for value in values)
