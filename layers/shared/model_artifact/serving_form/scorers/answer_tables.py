"""Finds the answers to all questions about a record by one look-up for each field.

Every question has bits, and the answers are one integer: the bits of those questions at which the record goes right.
For each field's value there is an integer with the answers to the questions about that field. A label's is looked up;
a number's is found by bisection among the field's thresholds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isnan, nextafter
from typing import Any

from model_artifact.schema import FIELDS
from model_artifact.serving_form import encoding
from model_artifact.serving_form.form import TreesForm

# Each threshold and label has an integer: 5 MB for 1,000 trees of 6 leaves with a byte each.
MAX_BYTES = 32 << 20

BitsOf = Callable[[int], int]


@dataclass(frozen=True)
class AnswerTables:
    """The answers by field.

    Attributes
    ----------
    numbers : list of (name, thresholds, by_rank, missing)
        A value of rank r is above the first r thresholds.
    categories : list of (name, by_label, missing, unseen)
        See ``encoding.by_label``.
    """

    numbers: list[tuple[str, list[float], list[int], int]]
    categories: list[tuple[str, dict[str | None, int], int, int]]

    def answers(self, record: Mapping[str, Any]) -> int:
        """Return the bits of all questions at which the record goes right."""
        get = record.get
        bits = 0
        for name, thresholds, by_rank, missing in self.numbers:
            value = get(name)
            bits |= missing if value is None or isnan(value) else by_rank[bisect_left(thresholds, value)]
        for name, by_label, missing, unseen in self.categories:
            value = get(name)
            answer = by_label.get(value)
            if answer is None:
                # A float among the labels is NaN.
                answer = missing if isinstance(value, float) else unseen
            bits |= answer
        return bits


def make_tables(form: TreesForm, bits_of: BitsOf) -> AnswerTables:
    """Return the tables of a form's questions; ``bits_of`` gives each question's bits, by its node.

    Different questions may share bits.
    """
    nodes_of_column: dict[int, list[int]] = defaultdict(list)
    for node, column in enumerate(form.node_column):
        if column >= 0:
            nodes_of_column[column].append(node)
    columns_of_field: dict[int, list[int]] = defaultdict(list)
    for column in nodes_of_column:
        columns_of_field[form.column_field[column]].append(column)
    numbers, categories = [], []
    for number, field in enumerate(FIELDS):
        nodes = {column: nodes_of_column[column] for column in columns_of_field[number]}
        if field.type == "number":
            numbers.append((field.name, *_number_answers(form, nodes, bits_of)))
        else:
            by_code = _answers_by_code(form, nodes, bits_of)
            categories.append((field.name, *encoding.by_label(form.labels[field.name], by_code)))
    return AnswerTables(numbers, categories)


def count_rows(form: TreesForm) -> int:
    """Return how many integers the tables have."""
    questions = zip(form.node_column, form.node_value, strict=True)
    thresholds = {(form.column_field[column], value) for column, value in questions if column >= 0}
    return len(thresholds) + len(FIELDS) * form.n_codes


def _number_answers(
    form: TreesForm, nodes: Mapping[int, list[int]], bits_of: BitsOf
) -> tuple[list[float], list[int], int]:
    """Return the thresholds, the answers by rank, and those of a missing number."""
    # By the range of numbers that a question doesn't compare: the bits by threshold, and the answers in the range.
    right_of: dict[tuple[float, float], dict[float, int]] = defaultdict(dict)
    in_range: dict[tuple[float, float], int] = defaultdict(int)
    missing = 0
    for column, of_column in nodes.items():
        low, high, is_left = form.blank_of(column)
        by_threshold = right_of[low, high]
        every = 0
        for node in of_column:
            bits = bits_of(node)
            every |= bits
            by_threshold[form.node_value[node]] = by_threshold.get(form.node_value[node], 0) | bits
        missing |= 0 if form.column_missing_left[column] else every
        in_range[low, high] |= 0 if is_left else every
    # Both ends are thresholds: all values of a rank are in the range, or none.
    ends = {end for low, high in right_of if low <= high for end in (nextafter(low, -inf), high)}
    thresholds = sorted(ends.union(*right_of.values()))
    by_rank = [0] * (len(thresholds) + 1)
    for (low, high), by_threshold in right_of.items():
        answers = 0
        for rank, threshold in enumerate((*thresholds, inf)):
            by_rank[rank] |= in_range[low, high] if low <= threshold <= high else answers
            answers |= by_threshold.get(threshold, 0)
    return thresholds, by_rank, missing


def _answers_by_code(form: TreesForm, nodes: Mapping[int, list[int]], bits_of: BitsOf) -> list[int]:
    by_code = [0] * form.n_codes
    for column, of_column in nodes.items():
        every = 0
        for node in of_column:
            every |= bits_of(node)
        first = column * form.n_codes
        for code, side in enumerate(form.category_sides[first : first + form.n_codes]):
            by_code[code] |= every if side else 0
    return by_code
