"""Late probabilities from a serving form: directly from JSON records, or from columns for whole files.

The scorers are ``small_trees`` (up to eight questions a tree), ``large_trees`` and ``linear``. Each scores a single
record in plain Python, and many with NumPy. Invariant (tests/unit/model_artifact/serving_form/scorers/test_scorers.py):
all give a record the pipeline's probability; for trees it is the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from model_artifact.serving_form.form import LinearForm, ServingForm
from model_artifact.serving_form.reading import form_from_bytes
from model_artifact.serving_form.scorers.large_trees import LargeTrees
from model_artifact.serving_form.scorers.linear import Linear
from model_artifact.serving_form.scorers.small_trees import SmallTrees, is_small

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Record = Mapping[str, Any]
Scorer = SmallTrees | LargeTrees | Linear


class RecordScorer(Protocol):
    """A scorer of single records, batches and tables.

    Records were checked before: numbers are finite floats (or ints below 2**53) within the schema's hard bounds,
    labels are texts; None, NaN and a missing key all mean a missing value; other keys are ignored.
    """

    def late_probability(self, record: Record) -> float:
        """Return P(is_late = 1) of one record."""
        ...

    def late_probabilities(self, records: Sequence[Record]) -> list[float]:
        """Return P(is_late = 1) of each record."""
        ...

    def late_probabilities_of_columns(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """Return P(is_late = 1) of each row of a table.

        Parameters
        ----------
        columns : mapping of str to sequence
            The ten fields, all of one length. Numbers are arrays of float64 with NaN for missing, or what NumPy
            converts to such; labels are sequences of str with None or NaN for missing.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        ...


def make_scorer(form: ServingForm) -> Scorer:
    """Return the fastest scorer for a form."""
    if isinstance(form, LinearForm):
        return Linear(form)
    return SmallTrees(form) if is_small(form) else LargeTrees(form)


def load_scorer(data: bytes) -> Scorer:
    """Read a stored form and return its scorer; raises ``InvalidServingFormError`` as ``form_from_bytes`` does."""
    return make_scorer(form_from_bytes(data))
