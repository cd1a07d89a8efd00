"""Late probabilities from a serving form: directly from JSON records, or from columns for whole files.

The scorers are ``small_trees`` (up to eight questions a tree), ``large_trees`` and ``linear``. Each scores a single
record in plain Python, and many with NumPy. Invariant (tests/unit/model_artifact/serving_form/scorers/test_scorers.py):
all give a record the pipeline's probability; for trees it is the same bit for bit.
"""

from __future__ import annotations

from model_artifact.serving_form.form import LinearForm, ServingForm
from model_artifact.serving_form.reading import form_from_bytes
from model_artifact.serving_form.scorers.large_trees import LargeTrees
from model_artifact.serving_form.scorers.linear import Linear
from model_artifact.serving_form.scorers.small_trees import SmallTrees, is_small

Scorer = SmallTrees | LargeTrees | Linear


def make_scorer(form: ServingForm) -> Scorer:
    """Return the fastest scorer for a form."""
    if isinstance(form, LinearForm):
        return Linear(form)
    return SmallTrees(form) if is_small(form) else LargeTrees(form)


def load_scorer(data: bytes) -> Scorer:
    """Read a stored form and return its scorer; raises ``InvalidServingFormError`` as ``form_from_bytes`` does."""
    return make_scorer(form_from_bytes(data))
