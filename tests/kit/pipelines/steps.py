"""Steps before the classifier: what is done to numbers and columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from pipelines.kind import End, Kind
from pipelines.parts import (
    CATEGORIES,
    NUMBERS,
    SEED,
    imputed,
    regression,
    scaled_and_encoded,
    with_labels,
)

_AMOUNTS = ["loan_amnt", "annual_inc"]
# The delinquencies are few small numbers, which no curve can be laid through.
_CURVED = [name for name in NUMBERS if name != "delinq_2yrs"]


def _regression_on(numbers: Any, names: list[str] = NUMBERS) -> Pipeline:
    return make_pipeline(with_labels(("numbers", numbers, names)), regression())


def _dense_then(step: Any) -> Pipeline:
    return make_pipeline(scaled_and_encoded(sparse_output=False), step, regression())


def _logarithms() -> Pipeline:
    logarithm = FunctionTransformer(np.log1p, feature_names_out="one-to-one")
    others = [name for name in NUMBERS if name not in _AMOUNTS]
    columns = with_labels(
        ("amounts", imputed(logarithm, StandardScaler()), _AMOUNTS), ("others", imputed(StandardScaler()), others)
    )
    return make_pipeline(columns, regression())


def _target_encoded() -> Pipeline:
    columns = make_column_transformer(
        (imputed(StandardScaler()), NUMBERS), (TargetEncoder(random_state=SEED, cv=3), CATEGORIES)
    )
    return make_pipeline(columns, regression())


def _three_scalers() -> Pipeline:
    parts = (
        ("between", imputed(MinMaxScaler()), NUMBERS[:2]),
        ("robust", imputed(RobustScaler()), NUMBERS[2:4]),
        ("largest", imputed(MaxAbsScaler()), NUMBERS[4:]),
    )
    return make_pipeline(with_labels(*parts), regression())


def _all_pandas() -> Pipeline:
    return make_pipeline(scaled_and_encoded(sparse_output=False), regression()).set_output(transform="pandas")


def _by_selector() -> Pipeline:
    columns = make_column_transformer(
        (imputed(StandardScaler()), make_column_selector(dtype_include=np.number)),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude=np.number)),
    )
    return make_pipeline(columns, regression())


def _union() -> Pipeline:
    numbers = make_column_transformer((imputed(StandardScaler()), NUMBERS))
    labels = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), CATEGORIES))
    return make_pipeline(FeatureUnion([("numbers", numbers), ("labels", labels)]), regression())


KINDS = (
    Kind("logarithms", "FunctionTransformer(numpy.log1p) of two columns", _logarithms),
    Kind("select-k-best", "SelectKBest before the classifier", lambda: _dense_then(SelectKBest(f_classif, k=12))),
    Kind("variance-threshold", "VarianceThreshold", lambda: _dense_then(VarianceThreshold(0.01))),
    Kind("pca", "PCA", lambda: _dense_then(PCA(10, random_state=SEED))),
    Kind("target-encoder", "TargetEncoder", _target_encoded),
    Kind("bins", "KBinsDiscretizer", lambda: _regression_on(imputed(KBinsDiscretizer(8)), _CURVED)),
    Kind("splines", "SplineTransformer", lambda: _regression_on(imputed(SplineTransformer(n_knots=5)), _CURVED)),
    Kind(
        "polynomials",
        "PolynomialFeatures of degree 2",
        lambda: _regression_on(imputed(StandardScaler(), PolynomialFeatures(2, include_bias=False))),
        End.PICKLE,
    ),
    Kind("power", "PowerTransformer", lambda: _regression_on(imputed(PowerTransformer()), _CURVED)),
    Kind(
        "quantiles",
        "QuantileTransformer to the normal distribution",
        lambda: _regression_on(
            imputed(QuantileTransformer(n_quantiles=100, output_distribution="normal", random_state=SEED)), _CURVED
        ),
        End.PICKLE,
    ),
    Kind("three-scalers", "MinMaxScaler, RobustScaler and MaxAbsScaler", _three_scalers),
    Kind(
        "knn-imputer",
        "KNNImputer",
        lambda: _regression_on(make_pipeline(StandardScaler(), KNNImputer())),
        End.PICKLE,
    ),
    Kind(
        "iterative-imputer",
        "IterativeImputer",
        lambda: _regression_on(make_pipeline(IterativeImputer(random_state=SEED), StandardScaler())),
        End.PICKLE,
    ),
    Kind("pandas-output", 'set_output(transform="pandas") on the whole pipeline', _all_pandas),
    Kind(
        "indicators",
        "SimpleImputer(add_indicator=True)",
        lambda: _regression_on(make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())),
    ),
    Kind("column-selector", "make_column_selector by dtype", _by_selector),
    Kind("feature-union", "FeatureUnion of two ColumnTransformers", _union),
)
