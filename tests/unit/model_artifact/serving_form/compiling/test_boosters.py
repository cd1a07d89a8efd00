"""LightGBM's and XGBoost's own options are compiled to the bit: missing values, categories, weights, early stopping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from fitted_pipelines import (
    columns,
    lightgbm,
    loans,
    one_hot,
    ordinal,
    pipeline,
    records,
    scaled,
    sparse,
    xgboost,
)
from model_artifact.features import frame_from_records
from model_artifact.pipeline import find_categories
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.parity import compile_verified
from model_artifact.serving_form.scorers.record_scorer import make_scorer

MEDIAN = SimpleImputer(strategy="median")
MARKED = SimpleImputer(strategy="constant", fill_value=-999)
NATIVE = {"enable_categorical": True, "feature_types": ["q"] * 6 + ["c"] * 4}


def as_they_are() -> Any:
    return columns("passthrough", ordinal())


def random_forest() -> Any:
    from xgboost import XGBRFClassifier

    return XGBRFClassifier(n_estimators=6, n_jobs=1, random_state=0)


MISSING_VALUES: dict[str, Callable[[], Any]] = {
    "LightGBM, NaN": lambda: pipeline(as_they_are(), lightgbm()),
    "LightGBM, NaN that training never saw": lambda: pipeline(columns(MEDIAN, one_hot()), lightgbm()),
    "LightGBM, NaN is zero": lambda: pipeline(as_they_are(), lightgbm(use_missing=False)),
    "LightGBM, zero too": lambda: pipeline(as_they_are(), lightgbm(zero_as_missing=True)),
    "LightGBM, zero after scaling": lambda: pipeline(sparse(scaled()), lightgbm(zero_as_missing=True)),
    "XGBoost, NaN": lambda: pipeline(as_they_are(), xgboost()),
    "XGBoost, zeros of a sparse matrix": lambda: pipeline(sparse(MEDIAN), xgboost(max_depth=3)),
    "XGBoost, zeros of a scaled sparse matrix": lambda: pipeline(sparse(scaled()), xgboost(max_depth=3)),
    "XGBoost, zero": lambda: pipeline(as_they_are(), xgboost(missing=0)),
    "XGBoost, an amount": lambda: pipeline(as_they_are(), xgboost(missing=12_000, max_depth=3)),
    "XGBoost, a number that stands for missing": lambda: pipeline(columns(MARKED, ordinal()), xgboost(missing=-999)),
}
CATEGORIES: dict[str, Callable[[], Any]] = {
    "LightGBM": lambda: pipeline(as_they_are(), lightgbm(min_data_per_group=5, cat_smooth=1)),
    "LightGBM, one against the others": lambda: pipeline(as_they_are(), lightgbm(max_cat_to_onehot=20, num_leaves=8)),
    "LightGBM, minus one for unseen": lambda: pipeline(
        columns("passthrough", ordinal(unknown_value=-1, encoded_missing_value=-2)),
        lightgbm(min_data_per_group=5),
    ),
    "XGBoost, one against the others": lambda: pipeline(as_they_are(), xgboost(max_cat_to_onehot=20, **NATIVE)),
    "XGBoost, sets": lambda: pipeline(as_they_are(), xgboost(max_cat_to_onehot=1, **NATIVE)),
    "XGBoost, minus one for unseen": lambda: pipeline(
        columns(MEDIAN, ordinal(unknown_value=-1)), xgboost(max_cat_to_onehot=1, max_depth=3, **NATIVE)
    ),
}
ENSEMBLES: dict[str, Callable[[], Any]] = {
    "LightGBM, dart": lambda: pipeline(as_they_are(), lightgbm(boosting_type="dart", drop_rate=0.5)),
    "LightGBM, random forest": lambda: pipeline(
        as_they_are(), lightgbm(boosting_type="rf", bagging_freq=1, bagging_fraction=0.6)
    ),
    "LightGBM, another sigmoid": lambda: pipeline(as_they_are(), lightgbm(sigmoid=0.7)),
    "LightGBM, cross entropy": lambda: pipeline(as_they_are(), lightgbm(objective="cross_entropy")),
    "LightGBM, nothing to ask": lambda: pipeline(as_they_are(), lightgbm(min_child_samples=1500)),
    "XGBoost, dart": lambda: pipeline(as_they_are(), xgboost(booster="dart", rate_drop=0.5)),
    "XGBoost, random forest": lambda: pipeline(as_they_are(), random_forest()),
    "XGBoost, base score": lambda: pipeline(as_they_are(), xgboost(base_score=0.3)),
    "XGBoost, exact": lambda: pipeline(as_they_are(), xgboost(tree_method="exact")),
    "XGBoost, pruned": lambda: pipeline(as_they_are(), xgboost(tree_method="exact", gamma=8)),
    "XGBoost, lossguide": lambda: pipeline(as_they_are(), xgboost(grow_policy="lossguide", max_leaves=40, max_depth=0)),
    "XGBoost, nothing to ask": lambda: pipeline(as_they_are(), xgboost(gamma=1e9)),
}
ROUNDED = ("LightGBM, random forest", "LightGBM, another sigmoid", "LightGBM, dart")


# XGBoost 3.4 deprecates its random forest's class and dart's name.
@pytest.mark.filterwarnings("ignore:.* is deprecated")
@pytest.mark.parametrize("kind", [*MISSING_VALUES, *CATEGORIES, *ENSEMBLES])
def test_every_kind_is_proven_on_its_edges(kind: str) -> None:
    makers = {**MISSING_VALUES, **CATEGORIES, **ENSEMBLES}
    is_native = kind in CATEGORIES and "LightGBM" in kind
    options = {"classifier__categorical_feature": [6, 7, 8, 9]} if is_native else {}
    verified = compile_verified(makers[kind]().fit(*loans(), **options), records()[:60])
    assert verified.why_not is None
    assert verified.parity.rows > 1000
    assert verified.parity.largest_difference <= (1e-15 if kind in ROUNDED else 0.0)


ALONE: dict[str, Callable[[], Any]] = {
    "LightGBM": lambda: lightgbm(min_data_per_group=5),
    "LightGBM, one step": lambda: Pipeline([("classifier", lightgbm(num_leaves=8))]),
    "XGBoost": lambda: xgboost(enable_categorical=True),
    "XGBoost, sets": lambda: xgboost(enable_categorical=True, max_cat_to_onehot=1, max_depth=3),
}


@pytest.mark.parametrize("kind", ALONE)
@pytest.mark.parametrize("order", [FIELD_NAMES, sorted(FIELD_NAMES)], ids=["schema's order", "another order"])
def test_boosters_alone_know_pandas_categories(kind: str, order: Sequence[str]) -> None:
    frame, late = loans()
    model = ALONE[kind]().fit(frame[list(order)].astype(dict.fromkeys(CATEGORY_NAMES, "category")), late)
    verified = compile_verified(model, records()[:60])
    assert verified.why_not is None
    assert verified.parity.largest_difference == 0.0
    assert find_categories(model)["home_ownership"] == ["MORTGAGE", "OWN", "RENT"]
    as_trained = frame[list(order)].astype(dict.fromkeys(CATEGORY_NAMES, "category"))
    scorer = make_scorer(compile_pipeline(model))
    assert scorer.late_probabilities(records()) == model.predict_proba(as_trained)[:, 1].tolist()


@pytest.mark.parametrize("make", [lightgbm, xgboost])
def test_unseen_label_of_a_booster_alone_is_a_missing_value(make: Any) -> None:
    frame, late = loans()
    model = make(**({"enable_categorical": True} if make is xgboost else {})).fit(
        frame.astype(dict.fromkeys(CATEGORY_NAMES, "category")), late
    )
    scorer = make_scorer(compile_pipeline(model))
    for record in records()[:20]:
        unseen, missing = {**record, "purpose": "a boat"}, {**record, "purpose": None}
        assert scorer.late_probability(unseen) == scorer.late_probability(missing)


def _with_early_stopping(make: Callable[..., Any], **options: Any) -> Any:
    """Fit so that the loss soon grows on loans with shuffled outcomes."""
    frame, late = loans()
    shuffled = np.random.default_rng(0).permutation(late)
    preparation = as_they_are().fit(frame)
    classifier = make(n_estimators=40, learning_rate=0.5, **options)
    matrix = preparation.transform(frame)
    watched = matrix[1000:], shuffled[1000:]
    if make is lightgbm:
        from lightgbm import early_stopping

        callbacks = [early_stopping(5, verbose=False)]
        classifier.fit(matrix[:1000], late[:1000], eval_X=watched[0], eval_y=watched[1], callbacks=callbacks)
    else:
        classifier.fit(matrix[:1000], late[:1000], eval_set=[watched], verbose=False)
    return pipeline(preparation, classifier)


def test_trees_after_lightgbms_best_iteration_do_not_count() -> None:
    model = _with_early_stopping(lightgbm)
    assert model[-1].best_iteration_ < 12
    assert len(compile_pipeline(model).roots) == model[-1].best_iteration_
    assert compile_verified(model, records()[:40]).parity.largest_difference == 0.0


def test_trees_after_xgboosts_best_iteration_do_not_count() -> None:
    model = _with_early_stopping(xgboost, early_stopping_rounds=5)
    assert model[-1].best_iteration < 12
    assert len(compile_pipeline(model).roots) == model[-1].best_iteration + 1
    assert compile_verified(model, records()[:40]).parity.largest_difference == 0.0


REFUSED: dict[str, Callable[[], Any]] = {
    "pred_early_stop": lambda: pipeline(as_they_are(), lightgbm(pred_early_stop=True)),
    "linear_tree": lambda: pipeline(columns(MEDIAN, ordinal()), lightgbm(linear_tree=True)),
    "the objective cross_entropy_lambda": lambda: pipeline(as_they_are(), lightgbm(objective="cross_entropy_lambda")),
    "the booster gblinear": lambda: pipeline(columns(MEDIAN, one_hot()), xgboost(booster="gblinear")),
    "the objective binary:logitraw": lambda: pipeline(as_they_are(), xgboost(objective="binary:logitraw")),
    "sparse matrices with missing=-1": lambda: pipeline(sparse(MEDIAN), xgboost(missing=-1)),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.filterwarnings("ignore:.*booster=gblinear")
def test_what_can_not_be_compiled_is_named(what: str) -> None:
    with pytest.raises(NotCompilableError, match=what):
        compile_pipeline(REFUSED[what]().fit(*loans()))


def test_a_number_as_a_category_is_named() -> None:
    model = pipeline(as_they_are(), lightgbm(min_data_per_group=5)).fit(*loans(), classifier__categorical_feature=[5])
    with pytest.raises(NotCompilableError, match="the number delinq_2yrs for a category"):
        compile_pipeline(model)


def test_a_subclass_of_a_booster_is_not_compiled() -> None:
    class Other(type(lightgbm())):
        """Might predict anything."""

    with pytest.raises(NotCompilableError, match="Other"):
        compile_pipeline(pipeline(as_they_are(), Other(n_estimators=2, verbose=-1)).fit(*loans()))


@pytest.mark.parametrize("make", [lightgbm, xgboost])
def test_zero_is_told_from_the_smallest_float_beside_it(make: Any) -> None:
    options = {"zero_as_missing": True} if make is lightgbm else {"missing": 0}
    model = pipeline(as_they_are(), make(**options)).fit(*loans())
    scorer = make_scorer(compile_pipeline(model))
    for value in (0.0, 5e-324, 7e-46, 1e-45, 9.99e-36, 1e-35, 1.0000000180025095e-35, 1.1e-35, 1e-30):
        batch = [{**record, "dti": value, "revol_util": value} for record in records()[:50]]
        expected = model.predict_proba(frame_from_records(batch))[:, 1].tolist()
        assert scorer.late_probabilities(batch) == expected
        assert list(map(scorer.late_probability, batch)) == expected
