"""Whether a form that was read can be scored safely: every index in range, every number finite, every walk ends.

Written with the standard library's fast loops (``min``, ``max``, ``map``), since a small form is loaded without NumPy.
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

# Far more than any model's leaf or weight, and far from where a sum of them could overflow.
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
        raise InvalidServingFormError("its labels are not those of the schema's categories")
    for of_field in labels.values():
        if not isinstance(of_field, list) or not all(isinstance(label, str) for label in of_field):
            raise InvalidServingFormError("its labels are no lists of texts")
        if len(set(of_field)) != len(of_field) or len(of_field) > MAX_LABELS:
            raise InvalidServingFormError("a category has one label twice, or too many")
    return {name: tuple(labels[name]) for name in CATEGORY_NAMES}


def check_trees(form: TreesForm) -> None:
    """Raise ``InvalidServingFormError`` if a walk through a tree could leave the arrays, not end, or end in no number.

    Invariant: both children of a node come after it and before the next root, and every node but the roots is the
    child of one other. So each walk ends in a leaf of its own tree.
    """
    n_nodes, n_columns = len(form.node_column), len(form.column_field)
    if not len(form.node_value) == len(form.node_right) == n_nodes:
        raise InvalidServingFormError("its nodes' arrays have different lengths")
    if not 1 <= len(form.roots) <= min(MAX_TREES, n_nodes) or n_columns > MAX_COLUMNS:
        raise InvalidServingFormError("it has no tree, or too many of something")
    if min(form.node_column) < -1 or max(form.node_column) >= n_columns:
        raise InvalidServingFormError("a node asks a column that is not there")
    _check_columns(form, n_columns)
    _check_values(form)
    roots = [*form.roots, n_nodes]
    if roots[0] != 0 or any(next_root <= root for root, next_root in pairwise(roots)):
        raise InvalidServingFormError("its trees do not follow each other")
    for root, next_root in pairwise(roots):
        _check_shape(form.node_column, form.node_right, root, next_root)


def check_linear(form: LinearForm) -> None:
    """Raise ``InvalidServingFormError`` if a term is about no number, or a figure is none."""
    terms = (form.term_shift, form.term_scale, form.term_weight, form.term_missing)
    if any(len(values) != len(form.term_field) for values in terms) or len(form.term_field) > MAX_COLUMNS:
        raise InvalidServingFormError("its terms' arrays have different lengths")
    if not _NUMBERS.issuperset(form.term_field):
        raise InvalidServingFormError("a term is about a field that is no number")
    if len(form.category_contributions) != len(CATEGORY_NAMES) * form.n_codes:
        raise InvalidServingFormError("its table of contributions has another size than its labels ask for")
    if not (_are_finite(form.term_shift) and _are_finite(form.term_weight)):
        raise InvalidServingFormError("a term's shift or weight is not finite")
    if not all(0 < scale < float("inf") for scale in form.term_scale):
        raise InvalidServingFormError("a term's scale is not above zero")
    if not (_are_log_odds(form.term_missing) and _are_log_odds(form.category_contributions)):
        raise InvalidServingFormError("a contribution is no number that a log-odds could be")


def _check_columns(form: TreesForm, n_columns: int) -> None:
    fields = form.column_field
    if n_columns and (min(fields) < 0 or max(fields) >= len(FIELD_NAMES)):
        raise InvalidServingFormError("a column is about a field that is not there")
    if any(after < before for before, after in pairwise(fields)):
        raise InvalidServingFormError("its columns are not in the order of the fields")
    size = n_columns * form.n_codes
    if size > MAX_TABLE or len(form.category_sides) != size or len(form.column_missing_left) != n_columns:
        raise InvalidServingFormError("its columns' arrays have other sizes than its columns and labels ask for")
    if max(form.category_sides, default=0) > 1 or max(form.column_missing_left, default=0) > 1:
        raise InvalidServingFormError("a side is neither left nor right")


def _check_values(form: TreesForm) -> None:
    if any(map(isnan, form.node_value)):
        raise InvalidServingFormError("a threshold or a leaf is no number")
    if form.output == "log_odds":
        low, high = -MAX_LOG_ODDS, MAX_LOG_ODDS
    else:
        low, high = 0.0, 1.0
        if form.base != 0:
            raise InvalidServingFormError("a mean of trees begins with something else than zero")
    leaves = [value for value, column in zip(form.node_value, form.node_column, strict=True) if column < 0]
    if min(leaves, default=low) < low or max(leaves, default=high) > high:
        raise InvalidServingFormError("a leaf is outside of what its trees' sum can be made of")
    is_category = [field in _CATEGORIES for field in form.column_field]
    asked = zip(form.node_column, form.node_value, strict=True)
    if any(column >= 0 and is_category[column] and value != 0.5 for column, value in asked):
        raise InvalidServingFormError("a category is compared with something else than one half")


def _check_shape(columns: array[int], right: array[int], root: int, end: int) -> None:
    """Walk one tree in preorder: where a subtree ends, the right child that was waited for must begin."""
    awaited: list[int] = []
    for node in range(root, end):
        if columns[node] >= 0:
            if not node + 1 < right[node] < end:
                raise InvalidServingFormError("a node's right child is not in its tree")
            awaited.append(right[node])
        elif awaited:
            if awaited.pop() != node + 1:
                raise InvalidServingFormError("a node is no one's child, or the child of two")
        elif node + 1 != end:
            raise InvalidServingFormError("a tree goes on after its last leaf")
    if awaited:
        raise InvalidServingFormError("a tree ends before its last leaf")


def _are_finite(values: array[float]) -> bool:
    return all(map(isfinite, values))


def _are_log_odds(values: array[float]) -> bool:
    return all(-MAX_LOG_ODDS <= value <= MAX_LOG_ODDS for value in values)
