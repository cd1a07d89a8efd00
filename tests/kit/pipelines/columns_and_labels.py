"""Other columns and labels than the API's, and models that can't serve for what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model_artifact.schema import FIELD_NAMES
from pipelines.kind import End, Kind
from pipelines.parts import (
    NUMBERS,
    imputed,
    numbered_labels,
    regression,
    scaled_and_encoded,
    with_labels,
)
from pipelines.trees import boosted

_FOUR = ["annual_inc", "dti", "grade", "int_rate"]


def _logistic() -> Pipeline:
    return make_pipeline(scaled_and_encoded(), regression())


def _of_four_columns() -> Pipeline:
    numbers = [name for name in _FOUR if name in NUMBERS]
    labels = OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(
        ColumnTransformer([("numbers", imputed(StandardScaler()), numbers), ("labels", labels, ["grade"])]),
        regression(),
    )


def _voting_hard() -> VotingClassifier:
    return VotingClassifier(
        [("logistic", _logistic()), ("boosted", make_pipeline(numbered_labels(), boosted()))], voting="hard"
    )


def _strict() -> Pipeline:
    columns = with_labels(("numbers", imputed(StandardScaler()), NUMBERS), handle_unknown="error")
    return make_pipeline(columns, regression())


def _in_a_bundle(model: Any, features: Any, target: Any) -> dict[str, Any]:
    return {"model": model.fit(features, target), "features": list(FIELD_NAMES), "threshold": 0.05}


def _texts(target: Any) -> Any:
    return np.where(target == 1, "late", "on_time")


def _reversed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(reversed(FIELD_NAMES))]


KINDS = (
    Kind("labels-bool", "is_late as False and True", _logistic, label=lambda target: target.astype(bool)),
    Kind("columns-reversed", "the ten columns in reverse order", _logistic, prepare=_reversed),
    Kind(
        "labels-text",
        'is_late as "late" and "on_time"',
        _logistic,
        End.REFUSED,
        "classes are ['late', 'on_time']",
        label=_texts,
    ),
    Kind(
        "four-columns",
        "a model of four of the ten columns",
        _of_four_columns,
        End.REFUSED,
        "takes 4 columns, the schema has 10",
        prepare=lambda frame: frame[_FOUR],
    ),
    Kind(
        "strict-encoder",
        'OneHotEncoder(handle_unknown="error")',
        _strict,
        End.REFUSED,
        "can't score the probe records",
    ),
    Kind(
        "arrays-without-names",
        "fitted on a NumPy array of the numbers",
        lambda: make_pipeline(SimpleImputer(), StandardScaler(), regression()),
        End.REFUSED,
        "doesn't know its columns by name",
        prepare=lambda frame: frame[NUMBERS].to_numpy(),
    ),
    Kind(
        "bundle",
        "a dict with the model, its columns and a threshold",
        _logistic,
        End.REFUSED,
        "holds a dict",
        fit=_in_a_bundle,
    ),
    Kind(
        "voting-hard",
        'VotingClassifier(voting="hard")',
        _voting_hard,
        End.REFUSED,
        "no predict_proba",
    ),
)
