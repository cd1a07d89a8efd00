"""A model gets the ten columns in its own order, also behind a transformer that doesn't remember them."""

from __future__ import annotations

import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fitted_pipelines import loans
from model_artifact.model_columns import input_columns
from model_artifact.pipeline import late_probabilities
from model_artifact.schema import FIELD_NAMES, NUMERIC_NAMES

REVERSED = list(reversed(FIELD_NAMES))


class WithRatio(TransformerMixin, BaseEstimator):
    """A transformer of somebody's own, which doesn't remember its columns."""

    def fit(self, loans: pd.DataFrame, target: object = None) -> WithRatio:
        return self

    def transform(self, loans: pd.DataFrame) -> pd.DataFrame:
        return loans.assign(ratio=loans["loan_amnt"] / (loans["annual_inc"] + 1))


def _with_ratio() -> Pipeline:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer([("numbers", numbers, [*NUMERIC_NAMES, "ratio"])])
    return make_pipeline(WithRatio(), columns, LogisticRegression())


@pytest.mark.parametrize("order", [list(FIELD_NAMES), REVERSED])
def test_a_pipeline_that_begins_with_a_transformer_of_ones_own_takes_the_ten_columns(order) -> None:
    features, target = loans()
    model = _with_ratio().fit(features[order], target)
    assert input_columns(model) == order
    assert late_probabilities(model, features).tolist() == model.predict_proba(features)[:, 1].tolist()


def test_a_search_around_such_a_pipeline_takes_the_ten_columns() -> None:
    features, target = loans()
    search = GridSearchCV(_with_ratio(), {"logisticregression__C": [1.0]}, cv=2).fit(features, target)
    assert input_columns(search) == list(FIELD_NAMES)


def test_a_step_that_needs_some_of_the_columns_leaves_the_others_to_the_transformer_before_it() -> None:
    features, target = loans()
    drops = WithRatio()
    drops.transform = lambda loans: loans[["dti", "int_rate"]]
    model = make_pipeline(drops, ColumnTransformer([("all", "passthrough", ["dti", "int_rate"])]), DummyClassifier())
    model.fit(features, target)
    assert input_columns(model) == ["dti", "int_rate", *(n for n in FIELD_NAMES if n not in ("dti", "int_rate"))]


def test_a_pipeline_that_was_fitted_on_an_array_has_no_names() -> None:
    features, target = loans()
    numbers = features[list(NUMERIC_NAMES)].to_numpy()
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    assert input_columns(model.fit(numbers, target)) is None
    assert input_columns(model.set_output(transform="pandas").fit(numbers, target)) is None
