"""Compiles a fitted pipeline into its serving form. Imports scikit-learn, so only publishing and training use it.

Only known classes are compiled, never their subclasses, since a subclass may compute something else. ``parity`` then
proves that the form gives the pipeline's probabilities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from model_artifact.serving_form.checks import check
from model_artifact.serving_form.compiling.columns import read_columns
from model_artifact.serving_form.compiling.linear import linear_form
from model_artifact.serving_form.compiling.raw_trees import boosted_trees, forest_trees
from model_artifact.serving_form.compiling.trees import trees_form
from model_artifact.serving_form.errors import InvalidServingFormError, NotCompilableError
from model_artifact.serving_form.form import ServingForm


def compile_pipeline(pipeline: Any) -> ServingForm:
    """Compile a fitted pipeline that ``model_artifact.pipeline.check_pipeline`` accepts.

    Its steps: a ``ColumnTransformer`` of ``SimpleImputer``, ``StandardScaler``,
    ``OneHotEncoder(handle_unknown="ignore")``, ``OrdinalEncoder(handle_unknown="use_encoded_value")``,
    ``"passthrough"`` and pipelines of these; then perhaps a ``StandardScaler``; then a random forest, extra trees,
    ``HistGradientBoostingClassifier`` or ``LogisticRegression``. Raises ``NotCompilableError``, which names the part
    that isn't known.
    """
    if type(pipeline) is not Pipeline:
        raise NotCompilableError(f"a {type(pipeline).__name__} in place of a Pipeline")
    estimator = pipeline.steps[-1][1]
    if np.asarray(getattr(estimator, "classes_", ())).tolist() != [0, 1]:
        raise NotCompilableError("other classes than 0 and 1")
    form = _compile(pipeline, estimator)
    try:
        check(form)
    except InvalidServingFormError as error:
        raise NotCompilableError(f"a model with values that no serving form can have ({error.what})") from error
    return form


def _compile(pipeline: Pipeline, estimator: Any) -> ServingForm:
    if type(estimator) in (RandomForestClassifier, ExtraTreesClassifier):
        # scikit-learn's forests cast what they are given to float32.
        columns = read_columns(pipeline, lambda matrix: matrix.astype(np.float32).astype(np.float64))
        return trees_form(forest_trees(estimator), columns, is_float32=True)
    if type(estimator) is HistGradientBoostingClassifier:
        trees = boosted_trees(estimator)
        columns = read_columns(pipeline, lambda matrix: estimator._preprocess_X(matrix, reset=False), trees.order)
        return trees_form(trees, columns, is_float32=False)
    if type(estimator) is LogisticRegression:
        return linear_form(estimator, read_columns(pipeline, lambda matrix: matrix))
    raise NotCompilableError(f"a {type(estimator).__name__} as the classifier")
