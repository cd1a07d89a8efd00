"""LightGBM's and XGBoost's own tests of missing values and categories, served by arrays to the bit.

The examples are those of LightGBM's tests/python_package_test/test_engine.py (``test_missing_value_handle…`` and
``test_categorical…``) and of XGBoost's testing/updater.py (``check_categorical_missing``), on columns of a loan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fitted_pipelines import columns, lightgbm, loans, ordinal, pipeline, records, xgboost
from model_artifact.schema import CATEGORY_NAMES
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.parity import compile_verified
from model_artifact.serving_form.scorers.record_scorer import make_scorer

NAN = float("nan")
ONE_SPLIT = {
    "n_estimators": 1,
    "boost_from_average": False,
    "min_child_samples": 1,
    "num_leaves": 2,
    "learning_rate": 1,
    "min_data_in_bin": 1,
    "min_child_weight": 0,
}
GROUPS = {**ONE_SPLIT, "min_data_per_group": 1, "cat_smooth": 1, "cat_l2": 0, "max_cat_to_onehot": 1}

MISSING_VALUES: dict[str, tuple[Sequence[float], Sequence[int], dict[str, Any]]] = {
    "missing goes with the small ones": ([0, 1, 2, 3, 4, 5, 6, 7, NAN], [1, 1, 1, 1, 0, 0, 0, 0, 1], {}),
    "zero goes with the missing ones": (
        [0, 1, 2, 3, 4, 5, 6, 7, NAN],
        [0, 1, 1, 1, 0, 0, 0, 0, 0],
        {"zero_as_missing": True},
    ),
    "missing is zero": ([0, 1, 2, 3, 4, 5, 6, 7, NAN], [0, 1, 1, 1, 0, 0, 0, 0, 0], {"use_missing": False}),
    "many are missing": ([1] * 50 + [NAN] * 50 + [0] * 50, [1] * 50 + [0] * 100, {}),
}
CATEGORIES: dict[str, tuple[Sequence[float], Sequence[int], dict[str, Any]]] = {
    "every second one": ([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 0, 1, 0, 1, 0, 1], {"zero_as_missing": True}),
    "one and the missing ones": ([0, NAN, 0, NAN, 0, NAN], [0, 1, 0, 1, 0, 1], {}),
    "none is the first": ([1, 1, 1, 1, 1, 1, 2, 2], [1, 1, 1, 1, 1, 1, 0, 0], {"zero_as_missing": True}),
}


def like_the_first(n_rows: int, **values: Sequence[Any]) -> pd.DataFrame:
    """Return the first loan so many times, with some columns of its own for each row."""
    return pd.concat([loans()[0].head(1)] * n_rows, ignore_index=True).assign(**values)


def assert_same(model: Any, frame: pd.DataFrame) -> None:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    verified = compile_verified(model, rows)
    assert verified.why_not is None
    assert verified.parity.largest_difference == 0.0
    assert make_scorer(compile_pipeline(model)).late_probabilities(rows) == model.predict_proba(frame)[:, 1].tolist()


@pytest.mark.parametrize("make", [lightgbm, xgboost])
@pytest.mark.parametrize("example", MISSING_VALUES)
def test_missing_values(example: str, make: Any) -> None:
    values, late, options = MISSING_VALUES[example]
    if make is xgboost:
        options = {"n_estimators": 3, "min_child_weight": 0, "missing": 0 if "zero" in example else NAN}
    else:
        options = {**ONE_SPLIT, **options}
    frame = like_the_first(len(values), revol_util=values)
    assert_same(pipeline(columns("passthrough", ordinal()), make(**options)).fit(frame, late), frame)


@pytest.mark.parametrize("example", CATEGORIES)
def test_categories(example: str) -> None:
    values, late, options = CATEGORIES[example]
    frame = like_the_first(len(values), emp_length=[NAN if value != value else f"{value} years" for value in values])
    kinds = [[*frame[name].dropna().unique()] for name in CATEGORY_NAMES]
    kinds[CATEGORY_NAMES.index("emp_length")] = [f"{value} years" for value in range(8)]
    model = pipeline(columns("passthrough", ordinal(categories=kinds)), lightgbm(**{**GROUPS, **options}))
    assert_same(model.fit(frame, late, classifier__categorical_feature=[6, 7, 8, 9]), frame)


def many_labels(share_missing: float = 0.3) -> tuple[pd.DataFrame, np.ndarray]:
    """Return loans of two hundred purposes, and every label missing in some of them."""
    frame, late = loans()
    random = np.random.default_rng(2)
    frame = frame.assign(purpose=[f"purpose {number}" for number in random.integers(0, 200, len(frame))])
    for name in CATEGORY_NAMES:
        frame.loc[random.random(len(frame)) < share_missing, name] = NAN
    return frame.astype(dict.fromkeys(CATEGORY_NAMES, "category")), late


MANY: dict[str, Any] = {
    "LightGBM": lightgbm,
    "LightGBM, hardly smoothed": lambda: lightgbm(cat_smooth=1, cat_l2=0, min_data_per_group=2, max_cat_threshold=200),
    "LightGBM, missing is zero": lambda: lightgbm(use_missing=False, cat_smooth=1, min_data_per_group=2),
    "LightGBM, one against the others": lambda: lightgbm(max_cat_to_onehot=300, min_child_samples=2),
    "XGBoost, one against the others": lambda: xgboost(enable_categorical=True, max_cat_to_onehot=300),
    "XGBoost, sets": lambda: xgboost(enable_categorical=True, max_cat_to_onehot=1, max_cat_threshold=200),
    "XGBoost, few of a set": lambda: xgboost(enable_categorical=True, max_cat_to_onehot=1, max_cat_threshold=3),
}


@pytest.mark.parametrize("kind", MANY)
def test_many_labels_many_of_them_missing(kind: str) -> None:
    frame, late = many_labels()
    verified = compile_verified(MANY[kind]().fit(frame, late), records()[:60])
    assert verified.why_not is None
    assert verified.parity.largest_difference == 0.0


@pytest.mark.parametrize("make", [lightgbm, xgboost])
@pytest.mark.parametrize("weight", [0.2, 3.0, 45.0])
def test_weight_of_late_loans(make: Any, weight: float) -> None:
    model = pipeline(columns("passthrough", ordinal()), make(scale_pos_weight=weight)).fit(*loans())
    assert compile_verified(model, records()[:60]).parity.largest_difference == 0.0


@pytest.mark.parametrize("base_score", [1e-6, 0.5, 0.999])
def test_base_scores_near_the_ends(base_score: float) -> None:
    model = pipeline(columns("passthrough", ordinal()), xgboost(base_score=base_score)).fit(*loans())
    assert compile_verified(model, records()[:60]).parity.largest_difference == 0.0


def test_infinite_and_huge_training_values() -> None:
    frame, late = loans()
    incomes = frame["annual_inc"].to_numpy(copy=True)
    incomes[::50], incomes[1::50], incomes[2::50] = np.inf, 1e300, 1e-320
    frame = frame.assign(annual_inc=incomes)
    model = pipeline(columns("passthrough", ordinal()), lightgbm(num_leaves=50, min_child_samples=1)).fit(frame, late)
    assert compile_verified(model, records()[:60]).parity.largest_difference == 0.0


def test_neighbours_of_single_precision_are_told_apart() -> None:
    """XGBoost sees float32: 0.1 and the float64 beside it are one number, float32's neighbours are two."""
    frame, late = loans()
    near = np.nextafter(np.float32(0.1), np.float32(1), dtype=np.float32)
    frame = frame.assign(int_rate=np.where(late == 1, float(near), 0.1))
    model = pipeline(columns("passthrough", ordinal()), xgboost(n_estimators=3)).fit(frame, late)
    scorer = make_scorer(compile_pipeline(model))
    rates = [0.1, np.nextafter(0.1, 1), float(np.float32(0.1)), float(near), np.nextafter(float(near), 0), 0.1 + 4e-9]
    rows = [{**records()[0], "int_rate": float(rate)} for rate in rates]
    expected = model.predict_proba(frame.iloc[[0] * len(rows)].assign(int_rate=rates))[:, 1].tolist()
    assert scorer.late_probabilities(rows) == expected
    assert expected[0] == expected[1] == expected[2] != expected[3]


def test_several_outputs_are_refused() -> None:
    frame, late = loans()
    prepared = columns("passthrough", ordinal()).fit(frame)
    targets = np.column_stack([late, 1 - late])
    model = xgboost(multi_strategy="multi_output_tree", tree_method="hist").fit(prepared.transform(frame), targets)
    with pytest.raises(NotCompilableError):
        compile_pipeline(pipeline(prepared, model))
