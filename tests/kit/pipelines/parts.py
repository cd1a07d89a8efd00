"""Parts that many pipelines have: imputing, scaling and encoding the ten columns."""

from __future__ import annotations

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from model_artifact.schema import CATEGORY_NAMES, NUMERIC_NAMES

NUMBERS = list(NUMERIC_NAMES)
CATEGORIES = list(CATEGORY_NAMES)
SEED = 0


def imputed(*steps: Any) -> Pipeline:
    """Return the median in place of a gap, then further steps for numbers."""
    return make_pipeline(SimpleImputer(strategy="median"), *steps)


def encoded(**options: Any) -> Pipeline:
    """Return the most frequent label in place of a gap, then a column for each label."""
    encoder = OneHotEncoder(**{"handle_unknown": "ignore", **options})
    return make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)


def scaled_and_encoded(**options: Any) -> ColumnTransformer:
    """Return scaled numbers beside encoded labels; options are the encoder's."""
    return ColumnTransformer(
        [("numbers", imputed(StandardScaler()), NUMBERS), ("labels", encoded(**options), CATEGORIES)]
    )


def imputed_and_encoded(**options: Any) -> ColumnTransformer:
    """Return unscaled numbers beside encoded labels, as one dense matrix."""
    encoder = encoded(sparse_output=False, **options)
    return ColumnTransformer([("numbers", imputed(), NUMBERS), ("labels", encoder, CATEGORIES)])


def numbered_labels(**options: Any) -> ColumnTransformer:
    """Return a number for each label, then the numbers with their gaps, as boosted trees like them."""
    settings = {"handle_unknown": "use_encoded_value", "unknown_value": -1, **options}
    return ColumnTransformer(
        [("labels", OrdinalEncoder(**settings), CATEGORIES)],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )


def with_labels(*parts: tuple[str, Any, list[str]], **options: Any) -> ColumnTransformer:
    """Return some parts beside encoded labels, a gap being a label of its own; options are the encoder's."""
    encoder = OneHotEncoder(**{"handle_unknown": "ignore", **options})
    return ColumnTransformer([*parts, ("labels", encoder, CATEGORIES)])


def regression(**options: Any) -> LogisticRegression:
    """Return a logistic regression that has rounds enough."""
    return LogisticRegression(**{"max_iter": 1000, **options})
