"""The part that all scorers share: when records are scored as a batch, and how sums become probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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

    Up to ``few_records`` records are scored one by one, which is faster for them than NumPy's first step. ``divisor``
    makes a probability of the sum of a mean; None if the sum is log-odds.
    """

    few_records: float
    divisor: float | None = None

    def score(self, record: Record) -> float:
        """Return the sum from which the last step makes a record's probability."""
        raise NotImplementedError

    def scores_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """Return the same for each row of a table; see ``late_probabilities_of_columns``."""
        raise NotImplementedError

    def late_probability(self, record: Record) -> float:
        """Return P(is_late = 1) of one record."""
        return self._probability(self.score(record))

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
        return self._probabilities(self.scores_of_columns(columns))

    def _probability(self, score: float) -> float:
        if self.divisor is not None:
            return encoding.check_probability(score / self.divisor)
        return encoding.probability_of(score)

    def _probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.divisor is not None:
            return encoding.check_probabilities(scores / self.divisor)
        return encoding.check_probabilities(encoding.expit_of_many(scores))


class TreeScorer(RecordScorer):
    """Scores a ``TreesForm``. Subclasses sum up the leaves of a single record and of columns."""

    def __init__(self, form: TreesForm) -> None:
        self.form = form
        self.is_float32 = form.sum_type == "float32"
        self.divisor = len(form.roots) if form.output == "mean" else None

    def add_up(self, leaves: Iterable[float]) -> float:
        """Return the sum of ``base`` and a record's leaves, as the model's library adds them in the trees' order."""
        total = self.form.base
        if self.is_float32:
            return single_precision.add_up(total, leaves)
        # Since Python 3.12 sum() rounds in another way.
        for leaf in leaves:
            total += leaf
        return total

    def _probability(self, score: float) -> float:
        if self.is_float32:
            return encoding.check_probability(single_precision.expit(score))
        return super()._probability(score)

    def _probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.is_float32:
            return encoding.check_probabilities(single_precision.expit_of_many(scores))
        return super()._probabilities(scores)
