"""Chooses a classifier's compiler by its class, and unwraps classifiers that only hold another one.

To compile another class, add a line to one of the tables: ``CLASSIFIERS``, or ``FOREIGN_CLASSIFIERS`` for a package
that needn't be installed. A compiler gets the fitted classifier and the preparation before it, and returns a form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from model_artifact.native_categories import find_native_labels
from model_artifact.serving_form.compiling.columns import read_columns
from model_artifact.serving_form.compiling.lightgbm_trees import lightgbm_trees
from model_artifact.serving_form.compiling.linear import linear_form
from model_artifact.serving_form.compiling.preparation import Preparation
from model_artifact.serving_form.compiling.raw_trees import boosted_trees, forest_trees
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
    compiler = CLASSIFIERS.get(kind) or FOREIGN_CLASSIFIERS.get(f"{kind.__module__}.{kind.__qualname__}")
    if compiler is None:
        raise NotCompilableError(f"a {kind.__name__} as the classifier")
    if np.asarray(getattr(classifier, "classes_", ())).tolist() != [0, 1]:
        raise NotCompilableError("other classes than 0 and 1")
    return compiler(classifier, preparation)


def _forest(classifier: Any, preparation: Preparation) -> ServingForm:
    return trees_form(forest_trees(classifier), read_columns(preparation, _as_float32), is_float32=True)


def _histogram_boosting(classifier: HistGradientBoostingClassifier, preparation: Preparation) -> ServingForm:
    trees = boosted_trees(classifier)
    columns = read_columns(preparation, lambda matrix: classifier._preprocess_X(matrix, reset=False), trees.order)
    return trees_form(trees, columns, is_float32=False)


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


def _linear(classifier: Any, preparation: Preparation) -> ServingForm:
    return linear_form(classifier, read_columns(preparation, np.asarray))


def _as_float32(matrix: Any) -> Any:
    """Cast as XGBoost does, and scikit-learn's trees except those of ``HistGradientBoostingClassifier``."""
    return np.asarray(matrix).astype(np.float32).astype(np.float64)


CLASSIFIERS: Mapping[type, Compiler] = {
    RandomForestClassifier: _forest,
    ExtraTreesClassifier: _forest,
    HistGradientBoostingClassifier: _histogram_boosting,
    LogisticRegression: _linear,
}

# By module and qualified name. Their compilers never import the package.
FOREIGN_CLASSIFIERS: Mapping[str, Compiler] = {
    "lightgbm.sklearn.LGBMClassifier": _lightgbm,
    "xgboost.sklearn.XGBClassifier": _xgboost,
    "xgboost.sklearn.XGBRFClassifier": _xgboost,
}
