"""Late probabilities from a serving form: directly from JSON records, or from columns for whole files.

The scorers are ``small_trees`` (up to eight questions a tree), ``leaf_masks``, ``large_trees`` (of any size),
``linear``, ``curves`` and ``composite``. Each scores a single record in plain Python, and many with NumPy. Invariant
(tests/unit/model_artifact/serving_form/scorers/test_scorers.py): all give a record the pipeline's probability; for
trees it is the same bit for bit.
"""

from __future__ import annotations

from model_artifact.serving_form.form import CompositeForm, CurvesForm, LinearForm, ServingForm, leaf_forms
from model_artifact.serving_form.reading import form_from_bytes
from model_artifact.serving_form.scorers.composite import Composite
from model_artifact.serving_form.scorers.curves import Curves
from model_artifact.serving_form.scorers.large_trees import LargeTrees
from model_artifact.serving_form.scorers.leaf_masks import LeafMasks, has_leaf_masks
from model_artifact.serving_form.scorers.linear import Linear
from model_artifact.serving_form.scorers.small_trees import SmallTrees, is_small

Scorer = SmallTrees | LargeTrees | Linear | Composite


def make_scorer(form: ServingForm) -> Scorer:
    """Return the fastest scorer for a form."""
    return _make_scorer(form, len(leaf_forms(form)))


def load_scorer(data: bytes) -> Scorer:
    """Read a stored form and return its scorer; raises ``InvalidServingFormError`` as ``form_from_bytes`` does."""
    return make_scorer(form_from_bytes(data))


def _make_scorer(form: ServingForm, n_forms: int) -> Scorer:
    """Return the scorer of one of several forms, which share the memory."""
    if isinstance(form, CompositeForm):
        return Composite(form, [_make_scorer(part, n_forms) for part in form.parts])
    if isinstance(form, CurvesForm):
        return Curves(form)
    if isinstance(form, LinearForm):
        return Linear(form)
    if is_small(form, n_forms):
        return SmallTrees(form)
    return LeafMasks(form) if has_leaf_masks(form, n_forms) else LargeTrees(form)
