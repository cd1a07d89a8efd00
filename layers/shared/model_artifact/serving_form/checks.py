"""Checks that a stored form can be scored safely: every index is in range, every number finite, and every walk ends.

Written with the standard library's fast loops (``min``, ``max``, ``map``): small forms are loaded without NumPy.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import chain, pairwise
from math import isfinite, isnan
from typing import Any

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES
from model_artifact.serving_form.checks_of_sums import MAX_CONTRIBUTION, NUMBER_FIELDS, check_composite, check_curves
from model_artifact.serving_form.errors import InvalidServingFormError, require
from model_artifact.serving_form.form import CompositeForm, CurvesForm, LinearForm, ServingForm, TreesForm

# Far above any model's leaf or weight, and far below values whose sum could overflow.
MAX_LOG_ODDS = 1e6
# A column's number must fit int16.
MAX_COLUMNS = 32_000
MAX_TREES = 100_000
# The walk through a deep tree costs each record its time. A forest's trees on a million loans are 60 deep.
MAX_TREE_DEPTH = 1_000
# A booster takes one number, or zero, for missing in each field.
MAX_BLANKS = 100
MAX_LABELS = 10_000
MAX_TABLE = 2_000_000

_CATEGORIES = frozenset(map(FIELD_NAMES.index, CATEGORY_NAMES))


def check_labels(labels: Any) -> dict[str, tuple[str, ...]]:
    """Return the labels of each category field, or raise ``InvalidServingFormError``."""
    is_complete = isinstance(labels, Mapping) and set(labels) == set(CATEGORY_NAMES)
    require(is_complete, "its labels aren't those of the schema's categories")
    for of_field in labels.values():
        are_texts = isinstance(of_field, list) and all(isinstance(label, str) for label in of_field)
        require(are_texts, "its labels aren't lists of texts")
        are_different = len(set(of_field)) == len(of_field) <= MAX_LABELS
        require(are_different, "a category has a label twice, or too many labels")
    return {name: tuple(labels[name]) for name in CATEGORY_NAMES}


def check(form: ServingForm) -> None:
    """Raise ``InvalidServingFormError`` unless the form can be scored safely."""
    if isinstance(form, TreesForm):
        _check_trees(form)
    elif isinstance(form, CompositeForm):
        check_composite(form)
        for part in form.parts:
            check(part)
    else:
        _check_linear(form)
        if isinstance(form, CurvesForm):
            check_curves(form)


def _check_trees(form: TreesForm) -> None:
    """Check that every walk through a tree stays in the arrays and ends at a number.

    Invariant: both children of a node come after it and before the next root, and every node but the roots is the
    child of one other. So each walk ends in a leaf of its own tree.
    """
    n_nodes, n_columns = len(form.node_column), len(form.column_field)
    have_one_length = len(form.node_value) == len(form.node_right) == n_nodes
    require(have_one_length, "its nodes' arrays have different lengths")
    are_possible = 1 <= len(form.roots) <= min(MAX_TREES, n_nodes) and n_columns <= MAX_COLUMNS
    require(are_possible, "it has no tree, or too many of something")
    are_in_range = min(form.node_column) >= -1 and max(form.node_column) < n_columns
    require(are_in_range, "a node asks about a column that doesn't exist")
    _check_columns(form, n_columns)
    _check_values(form)
    roots = [*form.roots, n_nodes]
    follow = roots[0] == 0 and all(root < next_root for root, next_root in pairwise(roots))
    require(follow, "its trees don't follow each other")
    for root, next_root in pairwise(roots):
        _check_shape(form.node_column, form.node_right, root, next_root)


def _check_linear(form: LinearForm) -> None:
    """Check that the terms are about number fields and all their values are finite."""
    terms = (form.term_shift, form.term_scale, form.term_weight, form.term_missing)
    have_one_length = {len(form.term_field)}.issuperset(map(len, terms)) and len(form.term_field) <= MAX_COLUMNS
    require(have_one_length, "its terms' arrays have different lengths")
    require(NUMBER_FIELDS.issuperset(form.term_field), "a term is about a field that isn't a number")
    n_contributions = len(CATEGORY_NAMES) * form.n_codes
    is_complete = len(form.category_contributions) == n_contributions
    require(is_complete, "its table of contributions has another size than its labels ask for")
    are_finite = all(map(isfinite, (*form.term_shift, *form.term_weight)))
    require(are_finite, "a term's shift or weight isn't finite")
    require(all(0 < scale < float("inf") for scale in form.term_scale), "a term's scale isn't above zero")
    contributions = (*form.term_missing, *form.category_contributions)
    are_log_odds = all(-MAX_CONTRIBUTION <= value <= MAX_CONTRIBUTION for value in contributions)
    require(are_log_odds, "a contribution isn't a possible log-odds")


def _check_columns(form: TreesForm, n_columns: int) -> None:
    fields = form.column_field
    exist = not n_columns or (min(fields) >= 0 and max(fields) < len(FIELD_NAMES))
    require(exist, "a column is about a field that doesn't exist")
    require(all(before <= after for before, after in pairwise(fields)), "its columns aren't in the order of the fields")
    size = n_columns * form.n_codes
    are_complete = len(form.category_sides) == size <= MAX_TABLE and len(form.column_missing_left) == n_columns
    require(are_complete, "its columns' arrays have other sizes than its columns and labels ask for")
    blanks = form.column_blank_from, form.column_blank_to, form.column_blank_left
    have_one_length = {len(values) for values in blanks} in ({0}, {n_columns}) and not any(map(isnan, chain(*blanks)))
    require(have_one_length, "its columns' numbers that aren't compared have another length, or are NaN")
    ranges = set(zip(form.column_field, form.column_blank_from, form.column_blank_to, strict=False))
    require(len(ranges) <= MAX_BLANKS, f"it leaves out more than {MAX_BLANKS} ranges of numbers")
    highest_side = max(chain(form.category_sides, form.column_missing_left, form.column_blank_left), default=0)
    require(highest_side <= 1, "a side is neither left nor right")


def _check_values(form: TreesForm) -> None:
    require(not any(map(isnan, form.node_value)), "a threshold or a leaf is NaN")
    is_mean = form.output == "mean"
    low, high = (0.0, 1.0) if is_mean else (-MAX_LOG_ODDS, MAX_LOG_ODDS)
    require(not is_mean or form.base == 0, "a mean of trees doesn't begin with zero")
    leaves = [value for value, column in zip(form.node_value, form.node_column, strict=True) if column < 0]
    are_possible = low <= min(leaves, default=low) and max(leaves, default=high) <= high
    require(are_possible, "a leaf is outside the range of its trees' sum")
    is_category = [field in _CATEGORIES for field in form.column_field]
    nodes = zip(form.node_column, form.node_value, strict=True)
    is_wrong = any(column >= 0 and is_category[column] and value != 0.5 for column, value in nodes)
    require(not is_wrong, "a category isn't compared with one half")
    if form.sum_type == "float32":
        # The scorers round to float32 at different moments; to numbers that are float32 it makes no difference.
        summands = (form.base, *leaves)
        require(array("f", summands).tolist() == list(summands), "a leaf or the base isn't a float32, as its sum is")


def _check_shape(columns: array[int], right: array[int], root: int, end: int) -> None:
    """Walk one tree in preorder: where a subtree ends, the right child of its closest waiting ancestor must begin."""
    awaited: list[tuple[int, int]] = []
    depth = 0
    for node in range(root, end):
        if columns[node] >= 0:
            # Without a call for each of a million nodes.
            if not node + 1 < right[node] < end:
                raise InvalidServingFormError("a node's right child isn't in its tree")
            depth += 1
            if depth > MAX_TREE_DEPTH:
                raise InvalidServingFormError(f"a tree is more than {MAX_TREE_DEPTH:,} deep")
            awaited.append((right[node], depth))
        elif awaited:
            child, depth = awaited.pop()
            if child != node + 1:
                raise InvalidServingFormError("a node has no parent, or two")
        else:
            require(node + 1 == end, "a tree goes on after its last leaf")
    require(not awaited, "a tree ends before its last leaf")
