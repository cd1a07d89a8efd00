"""Late probabilities from a serving form: straight from JSON records, or from columns for whole files.

The fast ways are ``small_trees`` (up to eight questions a tree), ``large_trees`` and ``linear``. Each has one way for a
single record, in plain Python, and one for many, with NumPy. Invariant
(tests/unit/model_artifact/serving_form/scorers/test_scorers.py): all of them give the same probability
for the same record, bit for bit for trees, and that of the pipeline.
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
    """What can be asked of every scorer.

    Records are taken as checked: numbers are finite floats (or ints below 2**53) within the schema's hard bounds,
    labels are texts; None, a missing key and NaN are a missing value; other keys are left out.
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
            The ten fields, all of one length: numbers as arrays of float64 with NaN for missing (or what NumPy makes
            one of), labels as sequences of str with None or NaN for missing.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        ...


def make_scorer(form: ServingForm) -> Scorer:
    """Return the fastest scorer that there is for a form."""
    if isinstance(form, LinearForm):
        return Linear(form)
    return SmallTrees(form) if is_small(form) else LargeTrees(form)


def load_scorer(data: bytes) -> Scorer:
    """Read a stored form and return its scorer; raises ``InvalidServingFormError`` as ``form_from_bytes`` does."""
    return make_scorer(form_from_bytes(data))
