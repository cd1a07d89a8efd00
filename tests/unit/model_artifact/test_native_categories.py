"""Labels of boosters without a pipeline: found where the model knows them all, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fitted_pipelines import LABELS, fitted, lightgbm, loans, xgboost
from model_artifact.native_categories import find_native_labels, with_native_categories
from model_artifact.schema import CATEGORY_NAMES


def trained(make: Any, **types: str) -> Any:
    options = {"enable_categorical": True} if make is xgboost else {}
    frame, late = loans()
    # XGBoost takes no floats as categories.
    frame = frame.astype({"delinq_2yrs": "int64"})
    return make(n_estimators=2, **options).fit(
        frame.astype({**dict.fromkeys(CATEGORY_NAMES, "category"), **types}), late
    )


@pytest.mark.parametrize("make", [lightgbm, xgboost])
def test_labels_are_those_of_training_in_pandas_order(make: Any) -> None:
    labels = find_native_labels(trained(make))
    assert labels == {name: tuple(sorted(LABELS[name])) for name in CATEGORY_NAMES}


@pytest.mark.parametrize("make", [lightgbm, xgboost])
def test_model_with_a_number_as_a_category_has_none(make: Any) -> None:
    assert find_native_labels(trained(make, delinq_2yrs="category")) == {}


@pytest.mark.parametrize("make", [lightgbm, xgboost])
def test_model_of_codes_has_none(make: Any) -> None:
    frame, late = loans()
    codes = frame.assign(**{name: frame[name].astype("category").cat.codes for name in CATEGORY_NAMES})
    assert find_native_labels(make(n_estimators=2).fit(codes, late)) == {}


@pytest.mark.parametrize("kind", ["boosting-small", "xgboost-small", "lightgbm-large"])
def test_pipeline_has_none(kind: str) -> None:
    assert find_native_labels(fitted(kind)) == {}


def test_unseen_and_missing_labels_are_missing() -> None:
    frame = loans()[0].head(4).assign(grade=["A", "Z", None, np.nan])
    column = with_native_categories(frame, {"grade": ("B", "A")})["grade"]
    assert column.cat.codes.tolist() == [1, -1, -1, -1]
    assert column.cat.categories.tolist() == ["B", "A"]
