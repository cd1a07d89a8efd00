"""Checks that a model's serving form gives the model's probabilities on every held-out loan.

Publishing checks the form again on the probe records and on the form's own edges. Only whoever measures the model has
the held-out loans.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

from model_artifact.serving_form.parity import TOLERANCE, compare
from model_artifact.serving_form.reading import form_from_bytes
from model_artifact.serving_form.scorers.record_scorer import make_scorer
from model_registry.manifest import HoldoutParity
from training.data import Quarter


def prove_on_holdout(model: Any, serving_form: bytes, quarter: Quarter) -> HoldoutParity:
    """Compare a fitted model with its arrays on the loans that were held out."""
    scorer = make_scorer(form_from_bytes(serving_form))
    parity = compare(model, scorer, records_of(quarter.features))
    return HoldoutParity(
        data_name=quarter.fingerprint.name,
        data_sha256=quarter.fingerprint.sha256,
        rows=parity.rows,
        largest_difference=parity.largest_difference,
        tolerance=TOLERANCE,
        is_proven=parity.is_proven,
        form_sha256=hashlib.sha256(serving_form).hexdigest(),
    )


def records_of(features: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as records, as a request would hold them: None where a value is missing."""
    complete = features.astype(object).where(features.notna(), None)
    return [dict(zip(complete.columns, row, strict=True)) for row in complete.itertuples(index=False, name=None)]
