"""Small pipelines of every kind that has a serving form, fitted once a run on made-up loans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    SplineTransformer,
    StandardScaler,
)

from model_artifact.schema import CATEGORY_NAMES, EMP_LENGTHS, FIELD_NAMES, FIELDS, GRADES, LOAN_ID, NUMERIC_NAMES
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.form import ServingForm

Record = dict[str, Any]

LABELS: Mapping[str, tuple[str, ...]] = {
    "purpose": ("car", "credit_card", "debt_consolidation", "small_business", "wedding"),
    "grade": GRADES,
    "emp_length": EMP_LENGTHS,
    "home_ownership": ("MORTGAGE", "OWN", "RENT"),
}
ROWS = 1500


@cache
def loans(seed: int = 7) -> tuple[pd.DataFrame, np.ndarray]:
    """Return 1,500 made-up loans, and for each whether it is late; about a third are."""
    random = np.random.default_rng(seed)
    grade = random.integers(0, 7, ROWS)
    columns: dict[str, Any] = {
        "loan_amnt": random.integers(1, 40, ROWS) * 1000.0,
        "int_rate": np.round(0.05 + 0.03 * grade + random.uniform(0, 0.03, ROWS), 4),
        "annual_inc": np.round(np.exp(random.normal(11, 0.6, ROWS)), 2),
        "revol_util": np.where(random.random(ROWS) < 0.1, np.nan, np.round(random.uniform(0, 1.2, ROWS), 3)),
        "dti": np.round(random.uniform(0, 40, ROWS), 2),
        "delinq_2yrs": random.poisson(0.4, ROWS).astype(float),
        "grade": np.array(GRADES, dtype=object)[grade],
    }
    for name in ("purpose", "emp_length", "home_ownership"):
        columns[name] = np.array(LABELS[name], dtype=object)[random.integers(0, len(LABELS[name]), ROWS)]
    columns["emp_length"][random.random(ROWS) < 0.1] = np.nan
    logit = 0.5 * grade - 2 + 0.05 * columns["dti"] - 0.8 * (columns["purpose"] == "car") + columns["delinq_2yrs"]
    late = (random.random(ROWS) < 1 / (1 + np.exp(1.5 - logit))).astype(np.int64)
    return pd.DataFrame(columns)[list(FIELD_NAMES)], late


@cache
def records() -> tuple[Record, ...]:
    """Return the loans as JSON records."""
    rows = loans()[0].to_dict("records")
    return tuple({name: None if value != value else value for name, value in row.items()} for row in rows)


def table_of(loans: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return records as a table: the ten columns, and ``loan_id``."""
    loans = list(loans)
    table: dict[str, Any] = {name: [loan.get(name) for loan in loans] for name in (*FIELD_NAMES, LOAN_ID)}
    return table | {name: np.array(table[name], dtype=np.float64) for name in NUMERIC_NAMES}


def one_hot(**options: Any) -> Pipeline:
    imputer = SimpleImputer(strategy="constant", fill_value="missing")
    return Pipeline([("impute", imputer), ("encode", OneHotEncoder(handle_unknown="ignore", **options))])


def ordinal(**options: Any) -> OrdinalEncoder:
    return OrdinalEncoder(**{"handle_unknown": "use_encoded_value", "unknown_value": np.nan, **options})


def columns(numbers: Any, categories: Any, **options: Any) -> ColumnTransformer:
    parts = [("numbers", numbers, list(NUMERIC_NAMES)), ("categories", categories, list(CATEGORY_NAMES))]
    return ColumnTransformer(parts, **options)


def pipeline(transformer: Any, classifier: Any, *between: Any) -> Pipeline:
    steps = [("columns", transformer), *((f"between{n}", step) for n, step in enumerate(between))]
    return Pipeline([*steps, ("classifier", classifier)])


def scaled() -> Pipeline:
    return Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])


def boosting(**options: Any) -> HistGradientBoostingClassifier:
    settings = {"max_iter": 25, "max_leaf_nodes": 6, "min_samples_leaf": 20, "random_state": 3, **options}
    return HistGradientBoostingClassifier(early_stopping=False, **settings)


def lightgbm(**options: Any) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(**{"n_estimators": 12, "n_jobs": 1, "verbose": -1, "random_state": 3, **options})


def xgboost(**options: Any) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(**{"n_estimators": 12, "n_jobs": 1, "random_state": 3, **options})


def sparse(numbers: Any) -> ColumnTransformer:
    """Return a transformer whose result is always sparse, so that zeros aren't stored."""
    return columns(numbers, one_hot(), sparse_threshold=1.0)


_MEDIAN = SimpleImputer(strategy="median")
# For XGBoost: numbers, then categories.
_NATIVE = {"enable_categorical": True, "feature_types": ["q"] * len(NUMERIC_NAMES) + ["c"] * len(CATEGORY_NAMES)}

# The name says what is special about a pipeline. The trees of "small" ones have at most eight questions each.
KINDS: dict[str, Callable[[], Pipeline]] = {
    "forest": lambda: pipeline(
        columns(_MEDIAN, one_hot(sparse_output=False)), RandomForestClassifier(12, random_state=1)
    ),
    "forest-sparse": lambda: pipeline(columns(_MEDIAN, one_hot()), RandomForestClassifier(5, random_state=1)),
    "forest-missing-values": lambda: pipeline(
        columns("passthrough", ordinal()), RandomForestClassifier(8, max_leaf_nodes=60, random_state=2)
    ),
    "forest-scaled": lambda: pipeline(columns(scaled(), ordinal()), RandomForestClassifier(6, random_state=4)),
    "forest-small": lambda: pipeline(
        columns(_MEDIAN, one_hot(sparse_output=False)), RandomForestClassifier(30, max_depth=3, random_state=1)
    ),
    "extra-trees": lambda: pipeline(
        columns(_MEDIAN, one_hot(sparse_output=False)), ExtraTreesClassifier(6, random_state=5)
    ),
    "boosting-small": lambda: pipeline(
        ColumnTransformer(
            [
                ("numbers", "passthrough", list(NUMERIC_NAMES)),
                ("ordered", ordinal(categories=[list(GRADES), list(EMP_LENGTHS)]), ["grade", "emp_length"]),
                ("unordered", ordinal(), ["purpose", "home_ownership"]),
            ]
        ),
        boosting(max_features=0.4),
    ),
    "boosting-large": lambda: pipeline(columns("passthrough", ordinal()), boosting(max_leaf_nodes=31)),
    "boosting-small-native-categories": lambda: pipeline(
        columns("passthrough", ordinal()), boosting(categorical_features=[6, 7, 8, 9])
    ),
    "boosting-large-native-categories": lambda: pipeline(
        columns("passthrough", ordinal(encoded_missing_value=-1)),
        boosting(max_leaf_nodes=25, categorical_features=[6, 8]),
    ),
    "boosting-unknown-minus-one": lambda: pipeline(
        columns(_MEDIAN, ordinal(unknown_value=-1, encoded_missing_value=-2)), boosting()
    ),
    "boosting-small-scaled": lambda: pipeline(columns(scaled(), one_hot(sparse_output=False)), boosting()),
    "lightgbm-small-zero-as-missing": lambda: pipeline(
        columns("passthrough", ordinal()), lightgbm(num_leaves=8, zero_as_missing=True)
    ),
    "lightgbm-large": lambda: pipeline(columns(scaled(), one_hot()), lightgbm()),
    "lightgbm-large-native-categories": lambda: pipeline(
        columns("passthrough", ordinal()), lightgbm(min_data_per_group=5)
    ),
    "xgboost-small": lambda: pipeline(columns("passthrough", one_hot(sparse_output=False)), xgboost(max_depth=3)),
    "xgboost-large-sparse": lambda: pipeline(sparse(scaled()), xgboost()),
    "xgboost-small-native-categories": lambda: pipeline(
        columns("passthrough", ordinal()), xgboost(max_depth=3, max_cat_to_onehot=2, **_NATIVE)
    ),
    "logistic": lambda: pipeline(columns(scaled(), one_hot()), LogisticRegression(max_iter=2000)),
    "logistic-scaled-after": lambda: pipeline(
        columns(_MEDIAN, one_hot(sparse_output=False)), LogisticRegression(max_iter=2000), StandardScaler()
    ),
    "logistic-curves": lambda: pipeline(
        ColumnTransformer(
            [
                ("scaled", scaled(), ["int_rate", "delinq_2yrs"]),
                ("logarithm", Pipeline([("impute", _MEDIAN), ("log", FunctionTransformer(np.log1p))]), ["annual_inc"]),
                ("splines", Pipeline([("impute", _MEDIAN), ("curve", SplineTransformer())]), ["revol_util", "dti"]),
                ("categories", one_hot(), list(CATEGORY_NAMES)),
            ]
        ),
        LogisticRegression(max_iter=5000),
        StandardScaler(with_mean=False),
    ),
    "composite-calibrated": lambda: pipeline(
        columns("passthrough", ordinal()), CalibratedClassifierCV(boosting(max_iter=9), method="isotonic", cv=3)
    ),
    "composite-stack": lambda: pipeline(
        columns(scaled(), one_hot(sparse_output=False)),
        StackingClassifier(
            [("linear", LogisticRegression(max_iter=2000)), ("forest", RandomForestClassifier(4, random_state=2))], cv=2
        ),
    ),
}
FIT_OPTIONS = {"lightgbm-large-native-categories": {"classifier__categorical_feature": [6, 7, 8, 9]}}
TREES = tuple(name for name in KINDS if not name.startswith(("logistic", "composite")))


@cache
def fitted(kind: str) -> Pipeline:
    """Return a fitted pipeline of a kind."""
    return KINDS[kind]().fit(*loans(), **FIT_OPTIONS.get(kind, {}))


@cache
def form(kind: str) -> ServingForm:
    """Return the serving form of ``fitted(kind)``."""
    return compile_pipeline(fitted(kind))


def any_record() -> st.SearchStrategy[Record]:
    """Return a strategy of records; each field is null, taken from the loans, or any value within the hard bounds."""
    usual = records()
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in FIELDS:
        values = st.sampled_from([record[field.name] for record in usual[:100]])
        any_value: st.SearchStrategy[Any] = st.text(max_size=12)
        if field.type == "number":
            any_value = st.floats(field.hard_min, field.hard_max)
        fields[field.name] = st.one_of(values, any_value, st.none())
    return st.fixed_dictionaries(fields)
