"""The common part of the scorers of trees: batches become columns, and sums of leaves become probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from model_artifact.serving_form import encoding
from model_artifact.serving_form.form import TreesForm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TreeScorer:
    """Scores a ``TreesForm``. Subclasses sum up the leaves of a single record and of columns.

    Attributes
    ----------
    form : TreesForm
        The form that is scored.
    few_records : int
        Up to this many records are scored one by one, which is faster for them than NumPy's first step.
    """

    few_records: ClassVar[int]

    def __init__(self, form: TreesForm) -> None:
        self.form = form

    def late_probability(self, record: Mapping[str, Any]) -> float:
        """See ``RecordScorer``."""
        raise NotImplementedError

    def late_probabilities_of_columns(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """See ``RecordScorer``."""
        raise NotImplementedError

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        """See ``RecordScorer``."""
        if len(records) <= self.few_records:
            return list(map(self.late_probability, records))
        probabilities: list[float] = self.late_probabilities_of_columns(encoding.columns_of(records)).tolist()
        return probabilities

    def _probability(self, total: float) -> float:
        if self.form.output == "mean":
            return encoding.check_probability(total / len(self.form.roots))
        return encoding.check_probability(encoding.expit(total))

    def _probabilities(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.form.output == "mean":
            return encoding.check_probabilities(totals / len(self.form.roots))
        return encoding.check_probabilities(encoding.expit_of_many(totals))
