"""LightGBM's and XGBoost's models pass the limits of the process that inspects a candidate, and come back as arrays."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.impute import SimpleImputer

from fitted_pipelines import columns, fitted, lightgbm, loans, ordinal, pipeline, xgboost
from model_artifact.opening.inspection import inspect_candidate
from model_artifact.schema import CATEGORY_NAMES
from model_artifact.serving_form.scorers.record_scorer import load_scorer
from model_kit import dumped
from training.probe_records import PROBE_RECORDS


@pytest.mark.parametrize("kind", ["lightgbm-large-native-categories", "xgboost-large-sparse"])
def test_pipeline_with_a_booster_comes_back_as_arrays(kind: str) -> None:
    inspection = inspect_candidate(dumped(fitted(kind)), PROBE_RECORDS)
    assert inspection.why_no_serving_form is None
    scorer = load_scorer(inspection.serving_form)
    assert tuple(scorer.late_probabilities(PROBE_RECORDS)) == inspection.probe_probabilities


@pytest.mark.parametrize("make", [lightgbm, xgboost])
def test_booster_alone_comes_back_as_arrays_with_its_labels(make: Any) -> None:
    frame, late = loans()
    model = make(**({"enable_categorical": True} if make is xgboost else {})).fit(
        frame.astype(dict.fromkeys(CATEGORY_NAMES, "category")), late
    )
    inspection = inspect_candidate(dumped(model), PROBE_RECORDS)
    assert inspection.why_no_serving_form is None
    assert inspection.categories["home_ownership"] == ("MORTGAGE", "OWN", "RENT")


def test_booster_that_has_no_arrays_says_why() -> None:
    model = pipeline(columns(SimpleImputer(), ordinal()), lightgbm(linear_tree=True)).fit(*loans())
    assert "linear_tree" in inspect_candidate(dumped(model), PROBE_RECORDS).why_no_serving_form
