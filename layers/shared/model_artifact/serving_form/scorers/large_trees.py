"""Scores trees of any size: one record in plain Python, from node to node, and batches by ``packed_trees``."""

from __future__ import annotations

from functools import cached_property
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any

from model_artifact.schema import FIELDS
from model_artifact.serving_form import encoding
from model_artifact.serving_form.form import TreesForm
from model_artifact.serving_form.scorers.base import Columns, Record, TreeScorer
from model_artifact.serving_form.scorers.packed_trees import PackedTrees

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LargeTrees(TreeScorer):
    """Scores any ``TreesForm``.

    A column's value is the record's number, or 0 or 1 for a category, so that all nodes ask the same question:
    ``x <= threshold``. A number that is missing or isn't compared becomes NaN where it goes right, and −∞ where it
    goes left.
    """

    # For more records NumPy is faster, including the preparation for the first batch.
    few_records = 50

    def __init__(self, form: TreesForm) -> None:
        super().__init__(form)
        self._encoders = [self._encoder(number) for number in range(len(FIELDS))]

    def score(self, record: Record) -> float:
        """See ``RecordScorer``."""
        form = self.form
        columns, values, right = form.node_column, form.node_value, form.node_right
        x = self._column_values(record)
        leaves = []
        for root in form.roots:
            node = root
            column = columns[node]
            while column >= 0:
                node = node + 1 if x[column] <= values[node] else right[node]
                column = columns[node]
            leaves.append(values[node])
        return self.add_up(leaves)

    def scores_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """See ``RecordScorer``."""
        return self._packed.totals(self._column_arrays(columns))

    @cached_property
    def _packed(self) -> PackedTrees:
        # Made when the first batch comes: a tenth of a second for the basic forest's million nodes.
        return PackedTrees(self.form)

    def _column_values(self, record: Record) -> list[float]:
        x: list[float] = []
        for name, by_label, missing, other in self._encoders:
            value = record.get(name)
            if by_label is not None:
                # A float among the labels is NaN.
                x += by_label.get(value) or (missing if isinstance(value, float) else other)
            elif value is None or isnan(value):
                x += missing
            elif not other:
                x += (value,) * len(missing)
            else:
                x += [of_blank if low <= value <= high else value for low, high, of_blank in other]
        return x

    def _column_arrays(self, columns: Columns) -> NDArray[np.float64]:
        """Return all columns, of shape (n_columns, n_rows)."""
        import numpy as np

        numbers = encoding.numbers(columns)
        rows: list[NDArray[np.float64]] = []
        for name, by_label, missing, other in self._encoders:
            if by_label is None:
                is_missing = np.isnan(numbers[name])
                of_columns = [np.where(is_missing, of_missing, numbers[name]) for of_missing in missing]
                for row, (low, high, of_blank) in zip(of_columns, other, strict=False):
                    row[(low <= numbers[name]) & (numbers[name] <= high)] = of_blank
                rows += of_columns
            else:
                labels = self.form.labels[name]
                table = np.array([*map(by_label.__getitem__, labels), missing, other], dtype=np.float64)
                rows.extend(table.T.take(encoding.codes(columns[name], labels), axis=1))
        n_rows = len(numbers[FIELDS[0].name])
        return np.array(rows, dtype=np.float64).reshape(len(rows), n_rows)

    def _encoder(self, number: int) -> tuple[str, dict[Any, tuple[float, ...]] | None, Any, Any]:
        """Return a field's name and the values of its columns: by label, when missing, when unseen.

        For a number that some columns don't compare, the last place has those numbers' ends and value, by column.
        """
        form, field = self.form, FIELDS[number]
        of_field = [column for column, field_number in enumerate(form.column_field) if field_number == number]
        if field.type == "number":
            missing = tuple(-inf if form.column_missing_left[column] else nan for column in of_field)
            blanks = [(low, high, -inf if is_left else nan) for low, high, is_left in map(form.blank_of, of_field)]
            return field.name, None, missing, blanks if any(low <= high for low, high, _ in blanks) else ()
        width = form.n_codes
        by_code = [
            tuple(float(form.category_sides[column * width + code]) for column in of_field) for code in range(width)
        ]
        return field.name, *encoding.by_label(form.labels[field.name], by_code)
