"""Trees of any size, walked from node to node: in plain Python for one record, with NumPy for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any

from model_artifact.schema import FIELDS
from model_artifact.serving_form import encoding
from model_artifact.serving_form.form import TreesForm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Below this a loop over single records is faster than NumPy's steps from node to node.
_FEW_RECORDS = 150
_ROWS_A_STEP = 8192


class LargeTrees:
    """Scores any ``TreesForm``.

    A column's value is the record's number, or for a category 0 or 1, so that all nodes ask the same:
    ``x <= threshold``. A missing number is NaN where it goes right, and −∞ where it goes left.
    """

    def __init__(self, form: TreesForm) -> None:
        self.form = form
        self._encoders = [self._encoder(number) for number in range(len(FIELDS))]

    def late_probability(self, record: Mapping[str, Any]) -> float:
        """See ``scoring.RecordScorer``."""
        form = self.form
        columns, values, right = form.node_column, form.node_value, form.node_right
        x = self._column_values(record)
        total = form.base
        # In the trees' order, as scikit-learn adds them.
        for root in form.roots:
            node = root
            column = columns[node]
            while column >= 0:
                node = node + 1 if x[column] <= values[node] else right[node]
                column = columns[node]
            total += values[node]
        if form.output == "mean":
            return encoding.check_probability(total / len(form.roots))
        return encoding.check_probability(encoding.expit(total))

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        """See ``scoring.RecordScorer``."""
        if len(records) <= _FEW_RECORDS:
            return list(map(self.late_probability, records))
        probabilities: list[float] = self.late_probabilities_of_columns(encoding.columns_of(records)).tolist()
        return probabilities

    def late_probabilities_of_columns(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """See ``scoring.RecordScorer``."""
        import numpy as np

        x = self._column_arrays(columns)
        n_rows = x.shape[1]
        totals = np.full(n_rows, self.form.base)
        for start in range(0, n_rows, _ROWS_A_STEP):
            part = np.ascontiguousarray(x[:, start : start + _ROWS_A_STEP])
            of_part = totals[start : start + _ROWS_A_STEP]
            for root in self.form.roots:
                of_part += self._leaves(root, part)
        if self.form.output == "mean":
            return encoding.check_probabilities(totals / len(self.form.roots))
        return encoding.check_probabilities(encoding.expit_of_many(totals))

    def _leaves(self, root: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the leaf's value of each row of ``x``, of shape (n_columns, n_rows), in one tree."""
        import numpy as np

        columns, values, right = self._nodes
        n_rows = x.shape[1]
        leaves = np.empty(n_rows)
        flat = x.reshape(-1)
        row = np.arange(n_rows)
        node = np.full(n_rows, root)
        while row.size:
            column = columns.take(node)
            value = values.take(node)
            at_leaf = column < 0
            if at_leaf.any():
                leaves[row[at_leaf]] = value[at_leaf]
                goes_on = np.flatnonzero(~at_leaf)
                row, node = row.take(goes_on), node.take(goes_on)
                column, value = column.take(goes_on), value.take(goes_on)
            is_left = flat.take(column * n_rows + row) <= value
            node = np.where(is_left, node + 1, right.take(node))
        return leaves

    @cached_property
    def _nodes(self) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
        import numpy as np

        form = self.form
        return (
            np.frombuffer(form.node_column, dtype=np.int16).astype(np.intp),
            np.frombuffer(form.node_value, dtype=np.float64),
            np.frombuffer(form.node_right, dtype=np.int32).astype(np.intp),
        )

    def _column_values(self, record: Mapping[str, Any]) -> list[float]:
        x: list[float] = []
        for name, by_label, missing, unseen in self._encoders:
            value = record.get(name)
            if by_label is None:
                x += missing if value is None or isnan(value) else (value,) * len(missing)
            else:
                # A label that is a float is NaN.
                x += by_label.get(value) or (missing if isinstance(value, float) else unseen)
        return x

    def _column_arrays(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """Return all columns, of shape (n_columns, n_rows)."""
        import numpy as np

        numbers = encoding.numbers(columns)
        rows: list[NDArray[np.float64]] = []
        for name, by_label, missing, unseen in self._encoders:
            if by_label is None:
                is_missing = np.isnan(numbers[name])
                rows.extend(np.where(is_missing, of_missing, numbers[name]) for of_missing in missing)
            else:
                labels = {label: code for code, label in enumerate(self.form.labels[name])}
                table = np.array([*map(by_label.__getitem__, labels), missing, unseen], dtype=np.float64)
                rows.extend(table.T.take(encoding.codes(columns[name], labels), axis=1))
        n_rows = len(numbers[FIELDS[0].name])
        return np.array(rows, dtype=np.float64).reshape(len(rows), n_rows)

    def _encoder(self, number: int) -> tuple[str, dict[Any, tuple[float, ...]] | None, Any, Any]:
        """Return a field's name and the values of its columns: by label, when missing, when unseen."""
        form, field = self.form, FIELDS[number]
        of_field = [column for column, of in enumerate(form.column_field) if of == number]
        if field.type == "number":
            return field.name, None, tuple(-inf if form.column_missing_left[column] else nan for column in of_field), ()
        width = form.n_codes
        by_code = [
            tuple(float(form.category_sides[column * width + code]) for column in of_field) for code in range(width)
        ]
        labels = form.labels[field.name]
        missing, unseen = by_code[len(labels)], by_code[len(labels) + 1]
        return field.name, {**dict(zip(labels, by_code, strict=False)), None: missing}, missing, unseen
