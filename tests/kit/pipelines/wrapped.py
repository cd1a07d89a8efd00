"""Models around models: calibration, committees, searches and thresholds."""

from __future__ import annotations

from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from pipelines.kind import Kind
from pipelines.parts import SEED, imputed_and_encoded, numbered_labels, regression, scaled_and_encoded
from pipelines.trees import boosted, forest

# How many loans train the model that a calibration finds fitted; the rest calibrate it.
_FIRST = 1000


def _logistic() -> Pipeline:
    return make_pipeline(scaled_and_encoded(), regression())


def _forest() -> Pipeline:
    return make_pipeline(imputed_and_encoded(), forest())


def _boosted() -> Pipeline:
    return make_pipeline(numbered_labels(), boosted())


def _searched() -> GridSearchCV:
    return GridSearchCV(_logistic(), {"logisticregression__C": [0.1, 1.0]}, cv=3, scoring="roc_auc")


def _halving() -> HalvingGridSearchCV:
    choices = {"histgradientboostingclassifier__max_iter": [10, 20]}
    return HalvingGridSearchCV(_boosted(), choices, cv=3, random_state=SEED)


def _calibrate_fitted(model: Any, features: Any, target: Any) -> CalibratedClassifierCV:
    model.fit(features[:_FIRST], target[:_FIRST])
    return CalibratedClassifierCV(FrozenEstimator(model), method="isotonic").fit(features[_FIRST:], target[_FIRST:])


def _best(search: Any, features: Any, target: Any) -> Any:
    return search.fit(features, target).best_estimator_


KINDS = (
    Kind(
        "calibrated-forest",
        "a forest's whole pipeline in CalibratedClassifierCV, isotonic",
        lambda: CalibratedClassifierCV(_forest(), method="isotonic", cv=3),
    ),
    Kind(
        "calibrated-inside",
        "CalibratedClassifierCV as the last step, sigmoid, of boosted trees",
        lambda: make_pipeline(imputed_and_encoded(), CalibratedClassifierCV(boosted(), method="sigmoid", cv=3)),
    ),
    Kind(
        "calibrated-linear-svc",
        "LinearSVC, calibrated",
        lambda: make_pipeline(scaled_and_encoded(), CalibratedClassifierCV(LinearSVC(), cv=3)),
    ),
    Kind(
        "calibrated-frozen",
        "a fitted pipeline in FrozenEstimator, calibrated on other loans",
        _forest,
        fit=_calibrate_fitted,
    ),
    Kind(
        "calibrated-boosted",
        "boosted trees' whole pipeline, isotonic",
        lambda: CalibratedClassifierCV(_boosted(), method="isotonic", cv=3),
    ),
    Kind(
        "voting",
        'VotingClassifier(voting="soft") of two pipelines',
        lambda: VotingClassifier([("logistic", _logistic()), ("forest", _forest())], voting="soft"),
    ),
    Kind(
        "stacking",
        "StackingClassifier of two pipelines",
        lambda: StackingClassifier(
            [("logistic", _logistic()), ("boosted", _boosted())], final_estimator=regression(), cv=3
        ),
    ),
    Kind("grid-search", "a fitted GridSearchCV", _searched),
    Kind("grid-search-best", "its best_estimator_", _searched, fit=_best),
    Kind("halving-search", "a fitted HalvingGridSearchCV", _halving),
    Kind(
        "tuned-threshold",
        "TunedThresholdClassifierCV",
        lambda: TunedThresholdClassifierCV(_logistic(), scoring="balanced_accuracy", cv=3),
    ),
    Kind(
        "fixed-threshold",
        "FixedThresholdClassifier(threshold=0.05)",
        lambda: FixedThresholdClassifier(_logistic(), threshold=0.05),
    ),
)
