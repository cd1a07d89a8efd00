"""Logistic regression and its like: each field's contribution to the log-odds, added up."""

from __future__ import annotations

from math import inf, isnan
from typing import TYPE_CHECKING

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES
from model_artifact.serving_form import encoding
from model_artifact.serving_form.form import LinearForm
from model_artifact.serving_form.scorers.base import Columns, Record, RecordScorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Linear(RecordScorer):
    """Scores a ``LinearForm``."""

    few_records = inf

    def __init__(self, form: LinearForm) -> None:
        self.form = form
        names = [FIELD_NAMES[field] for field in form.term_field]
        self._terms = list(
            zip(names, form.term_shift, form.term_scale, form.term_weight, form.term_missing, strict=True)
        )
        self._categories = [self._contributions_of(number, name) for number, name in enumerate(CATEGORY_NAMES)]

    def contributions(self, record: Record) -> dict[str, float]:
        """Return each field's contribution to the log-odds."""
        contributions = dict.fromkeys(FIELD_NAMES, 0.0)
        for name, shift, scale, weight, missing in self._terms:
            value = record.get(name)
            contributions[name] += missing if value is None or isnan(value) else (value - shift) / scale * weight
        for name, by_label, missing, unseen in self._categories:
            value = record.get(name)
            # A float among the labels is NaN.
            contributions[name] = by_label.get(value, missing if isinstance(value, float) else unseen)
        return contributions

    def score(self, record: Record) -> float:
        """See ``RecordScorer``."""
        total = self.form.intercept
        for contribution in self.contributions(record).values():
            total += contribution
        return total

    def scores_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """See ``RecordScorer``."""
        import numpy as np

        contributions = self.contributions_of_columns(columns)
        total = np.full(len(contributions[FIELD_NAMES[0]]), self.form.intercept)
        for contribution in contributions.values():
            total += contribution
        return total

    def contributions_of_columns(self, columns: Columns) -> dict[str, NDArray[np.float64]]:
        """Return each field's contribution to the log-odds of each row."""
        import numpy as np

        numbers = encoding.numbers(columns)
        n_rows = len(next(iter(numbers.values())))
        contributions = {name: np.zeros(n_rows) for name in FIELD_NAMES}
        for name, shift, scale, weight, missing in self._terms:
            value = numbers[name]
            contributions[name] += np.where(np.isnan(value), missing, (value - shift) / scale * weight)
        for name, by_label, missing, unseen in self._categories:
            labels = self.form.labels[name]
            table = np.array([*map(by_label.__getitem__, labels), missing, unseen])
            contributions[name] = table.take(encoding.codes(columns[name], labels))
        return contributions

    def _contributions_of(self, number: int, name: str) -> tuple[str, dict[str | None, float], float, float]:
        labels = self.form.labels[name]
        first = number * self.form.n_codes
        return name, *encoding.by_label(labels, self.form.category_contributions[first : first + self.form.n_codes])
