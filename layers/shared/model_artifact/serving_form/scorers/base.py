"""The part that all scorers share: when records are scored as a batch, and how sums become probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from model_artifact.serving_form import encoding, single_precision
from model_artifact.serving_form.form import TreesForm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Record = Mapping[str, Any]
Columns = Mapping[str, Sequence[Any]]


class RecordScorer:
    """Scores single records, batches and tables.

    Records were checked before: numbers are finite floats (or ints below 2**53) within the schema's hard bounds,
    labels are texts; None, NaN and a missing key all mean a missing value; other keys are ignored.

    Up to ``few_records`` records are scored one by one, which is faster for them than NumPy's first step.
    """

    few_records: ClassVar[float]

    def late_probability(self, record: Record) -> float:
        """Return P(is_late = 1) of one record."""
        raise NotImplementedError

    def late_probabilities(self, records: Sequence[Record]) -> list[float]:
        """Return P(is_late = 1) of each record."""
        if len(records) <= self.few_records:
            return list(map(self.late_probability, records))
        probabilities: list[float] = self.late_probabilities_of_columns(encoding.columns_of(records)).tolist()
        return probabilities

    def late_probabilities_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """Return P(is_late = 1) of each row of a table, of shape (n_rows,).

        The ten fields have one length. Numbers are arrays of float64 with NaN for missing, or what NumPy converts to
        such; labels are sequences of str with None or NaN for missing.
        """
        raise NotImplementedError


class TreeScorer(RecordScorer):
    """Scores a ``TreesForm``. Subclasses sum up the leaves of a single record and of columns."""

    def __init__(self, form: TreesForm) -> None:
        self.form = form
        self.is_float32 = form.sum_type == "float32"

    def _probability(self, total: float) -> float:
        if self.is_float32:
            return encoding.check_probability(single_precision.expit(total))
        if self.form.output == "mean":
            return encoding.check_probability(total / len(self.form.roots))
        return encoding.check_probability(encoding.expit(total))

    def _probabilities(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.is_float32:
            return encoding.check_probabilities(single_precision.expit_of_many(totals))
        if self.form.output == "mean":
            return encoding.check_probabilities(totals / len(self.form.roots))
        return encoding.check_probabilities(encoding.expit_of_many(totals))
