"""Chooses a classifier's compiler by its class, and unwraps classifiers that only hold another one.

To compile another class, add a line to one of the tables: ``CLASSIFIERS``, or ``FOREIGN_CLASSIFIERS`` for a package
that needn't be installed. A compiler gets the fitted classifier and the preparation before it, and returns a form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - the classes below need it
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from model_artifact.native_categories import find_native_labels
from model_artifact.serving_form.compiling.catboost_trees import catboost_trees
from model_artifact.serving_form.compiling.columns import read_columns
from model_artifact.serving_form.compiling.composites import COMPOSITES, Combination, Part
from model_artifact.serving_form.compiling.lightgbm_trees import lightgbm_trees
from model_artifact.serving_form.compiling.linear import linear_form, naive_bayes_form
from model_artifact.serving_form.compiling.preparation import Preparation
from model_artifact.serving_form.compiling.raw_trees import RawTrees, boosted_trees
from model_artifact.serving_form.compiling.tree_ensembles import (
    TREES,
    adaboost_trees,
    bagged_trees,
    forest_trees,
    gradient_boosted_trees,
    single_tree,
)
from model_artifact.serving_form.compiling.trees import trees_form
from model_artifact.serving_form.compiling.xgboost_trees import xgboost_trees
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.form import ServingForm

Compiler = Callable[[Any, Preparation], ServingForm]


def compile_classifier(classifier: Any, preparation: Preparation) -> ServingForm:
    """Return the form of a fitted classifier behind a preparation.

    Only known classes are compiled, never their subclasses, since a subclass may compute something else. Raises
    ``NotCompilableError``, which names the part that isn't known.
    """
    kind = type(classifier)
    if kind is Pipeline:
        *transformers, last = (step for _, step in classifier.steps)
        return compile_classifier(last, preparation.then(*transformers))
    if kind in HOLDERS:
        return compile_classifier(getattr(classifier, HOLDERS[kind]), preparation)
    if kind is Combination:
        return _composite(classifier, preparation)
    if np.asarray(getattr(classifier, "classes_", ())).tolist() != [0, 1]:
        raise NotCompilableError("other classes than 0 and 1")
    if kind in COMPOSITES:
        return _composite(COMPOSITES[kind](classifier), preparation)
    compiler = CLASSIFIERS.get(kind) or FOREIGN_CLASSIFIERS.get(f"{kind.__module__}.{kind.__qualname__}")
    if compiler is None:
        raise NotCompilableError(f"a {kind.__name__} as the classifier")
    return compiler(classifier, preparation)


def _composite(combination: Combination, preparation: Preparation) -> ServingForm:
    return combination.form([compile_classifier(part.classifier, preparation) for part in combination.parts])


def _float32_trees(read: Callable[[Any], RawTrees]) -> Compiler:
    """Return the compiler of trees that cast the matrix to float32: CatBoost's, and all of scikit-learn's but one."""

    def compile_trees(classifier: Any, preparation: Preparation) -> ServingForm:
        return trees_form(read(classifier), read_columns(preparation, _as_float32), is_float32=True)

    return compile_trees


def _as_float32(matrix: Any) -> Any:
    return np.asarray(matrix).astype(np.float32).astype(np.float64)


def _bagging(classifier: BaggingClassifier, preparation: Preparation) -> ServingForm:
    if all(type(estimator) in TREES for estimator in classifier.estimators_):
        return _float32_trees(bagged_trees)(classifier, preparation)
    every_column = list(range(classifier.n_features_in_))
    if any(sorted(features) != every_column for features in classifier.estimators_features_):
        raise NotCompilableError("a BaggingClassifier whose members see a part of the columns and aren't trees")
    return _composite(Combination("mean", [Part(estimator) for estimator in classifier.estimators_]), preparation)


def _histogram_boosting(classifier: HistGradientBoostingClassifier, preparation: Preparation) -> ServingForm:
    trees = boosted_trees(classifier)
    encodings = {}
    if classifier._preprocessor is not None:
        categories = classifier._preprocessor.named_transformers_["encoder"].categories_
        encodings = dict(zip(np.flatnonzero(classifier.is_categorical_).tolist(), categories, strict=True))

    def finish(matrix: Any) -> Any:
        return classifier._preprocess_X(matrix, reset=False)

    return trees_form(trees, read_columns(preparation, finish, trees.order, encodings), is_float32=False)


def _lightgbm(classifier: Any, preparation: Preparation) -> ServingForm:
    preparation = _with_codes(classifier, preparation)
    return trees_form(lightgbm_trees(classifier), read_columns(preparation, np.asarray), is_float32=False)


def _xgboost(classifier: Any, preparation: Preparation) -> ServingForm:
    preparation = _with_codes(classifier, preparation)
    trees = xgboost_trees(classifier, is_sparse=preparation.is_sparse)
    return trees_form(trees, read_columns(preparation, _as_float32), is_float32=True)


def _with_codes(classifier: Any, preparation: Preparation) -> Preparation:
    """Add the encoder that a booster without a pipeline has inside, if it was trained on pandas' categories."""
    labels = {} if preparation.steps else find_native_labels(classifier)
    if not labels:
        return preparation
    parts: list[tuple[str, Any, list[str]]] = [(name, "passthrough", [name]) for name in preparation.names]
    for number, name in enumerate(preparation.names):
        if name in labels:
            encoder = OrdinalEncoder(
                categories=[list(labels[name])], handle_unknown="use_encoded_value", unknown_value=np.nan
            )
            parts[number] = (name, encoder, [name])
    return preparation.then(ColumnTransformer(parts).fit(preparation.transform([{}])))


def _sgd(classifier: SGDClassifier, preparation: Preparation) -> ServingForm:
    if classifier.loss == "modified_huber":
        raise NotCompilableError("an SGDClassifier with loss='modified_huber', whose probabilities aren't logistic")
    return linear_form(classifier, preparation)


CLASSIFIERS: Mapping[type, Compiler] = {
    AdaBoostClassifier: _float32_trees(adaboost_trees),
    BaggingClassifier: _bagging,
    DecisionTreeClassifier: _float32_trees(single_tree),
    ExtraTreeClassifier: _float32_trees(single_tree),
    ExtraTreesClassifier: _float32_trees(forest_trees),
    GaussianNB: naive_bayes_form,
    GradientBoostingClassifier: _float32_trees(gradient_boosted_trees),
    HistGradientBoostingClassifier: _histogram_boosting,
    LinearDiscriminantAnalysis: linear_form,
    LogisticRegression: linear_form,
    LogisticRegressionCV: linear_form,
    RandomForestClassifier: _float32_trees(forest_trees),
    SGDClassifier: _sgd,
    # These have no probabilities, but a calibration may be made of their decision function.
    LinearSVC: linear_form,
    Perceptron: linear_form,
    RidgeClassifier: linear_form,
    RidgeClassifierCV: linear_form,
}

# By module and qualified name. Their compilers never import the package.
FOREIGN_CLASSIFIERS: Mapping[str, Compiler] = {
    "catboost.core.CatBoostClassifier": _float32_trees(catboost_trees),
    "lightgbm.sklearn.LGBMClassifier": _lightgbm,
    "xgboost.sklearn.XGBClassifier": _xgboost,
    "xgboost.sklearn.XGBRFClassifier": _xgboost,
}

# Classes that predict with another classifier, and the attribute that has it. A threshold changes no probability.
HOLDERS: Mapping[type, str] = {
    FixedThresholdClassifier: "estimator_",
    FrozenEstimator: "estimator",
    GridSearchCV: "best_estimator_",
    HalvingGridSearchCV: "best_estimator_",
    HalvingRandomSearchCV: "best_estimator_",
    RandomizedSearchCV: "best_estimator_",
    TunedThresholdClassifierCV: "estimator_",
}
