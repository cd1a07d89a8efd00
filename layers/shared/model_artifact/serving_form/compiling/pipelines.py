"""Compiles a fitted model into its serving form. Imports scikit-learn, so only publishing and training use it.

``classifiers`` and ``columns`` know the classes that can be compiled. ``parity`` then proves that the form gives the
model's probabilities.
"""

from __future__ import annotations

from typing import Any

from model_artifact.model_columns import input_columns
from model_artifact.serving_form.checks import check
from model_artifact.serving_form.compiling.classifiers import compile_classifier
from model_artifact.serving_form.compiling.preparation import Preparation
from model_artifact.serving_form.errors import InvalidServingFormError, NotCompilableError
from model_artifact.serving_form.form import ServingForm


def compile_pipeline(model: Any) -> ServingForm:
    """Compile a fitted model that ``model_artifact.pipeline.check_pipeline`` accepts.

    Raises ``NotCompilableError``, which names the part that isn't known.
    """
    preparation = Preparation(tuple(input_columns(model) or ()))
    form = compile_classifier(model, preparation)
    try:
        check(form)
    except InvalidServingFormError as error:
        raise NotCompilableError(f"a model with values that no serving form can have ({error.what})") from error
    return form
