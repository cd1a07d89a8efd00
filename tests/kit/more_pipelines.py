"""Pipelines as people write them. All have a serving form; ``fitted_pipelines`` has the basic kinds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, StratifiedKFold, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from fitted_pipelines import boosting, columns, loans, one_hot, ordinal, pipeline, scaled
from model_artifact.schema import CATEGORY_NAMES, NUMERIC_NAMES

NUMBERS, CATEGORIES = list(NUMERIC_NAMES), list(CATEGORY_NAMES)


def logistic(**options: Any) -> LogisticRegression:
    return LogisticRegression(max_iter=3000, **options)


def imputed(*steps: Any, **options: Any) -> Pipeline:
    return make_pipeline(SimpleImputer(strategy="median", **options), *steps)


def dense(numbers: Any = None) -> ColumnTransformer:
    return columns(numbers or imputed(), one_hot(sparse_output=False))


def on_numbers(*steps: Any) -> Pipeline:
    """Return a logistic regression on imputed numbers after these steps, and on the categories."""
    return pipeline(columns(imputed(*steps), one_hot(sparse_output=False)), logistic())


def logistic_pipeline(**options: Any) -> Pipeline:
    return pipeline(columns(scaled(), one_hot()), logistic(**options))


def boosting_pipeline() -> Pipeline:
    return pipeline(columns("passthrough", ordinal()), boosting(max_iter=8))


def small_forest() -> RandomForestClassifier:
    return RandomForestClassifier(4, max_depth=4, random_state=0)


def log1p_pipeline() -> Pipeline:
    amounts = ["loan_amnt", "annual_inc"]
    others = [name for name in NUMBERS if name not in amounts]
    parts = [
        ("log", imputed(FunctionTransformer(np.log1p, feature_names_out="one-to-one"), StandardScaler()), amounts),
        ("root", imputed(FunctionTransformer(np.sqrt)), others),
        ("categories", one_hot(), CATEGORIES),
    ]
    return Pipeline([("columns", ColumnTransformer(parts)), ("classifier", logistic())])


def three_scalers() -> Pipeline:
    parts = [
        ("min-max", imputed(MinMaxScaler(clip=True)), NUMBERS[:2]),
        ("robust", imputed(RobustScaler(), StandardScaler()), NUMBERS[2:4]),
        ("max-abs", imputed(MaxAbsScaler()), NUMBERS[4:]),
        ("categories", one_hot(), CATEGORIES),
    ]
    return Pipeline([("columns", ColumnTransformer(parts)), ("classifier", logistic())])


def selected_columns() -> Pipeline:
    numbers = (scaled(), make_column_selector(dtype_include=np.number))
    categories = (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude=np.number))
    return make_pipeline(make_column_transformer(numbers, categories), logistic())


def with_pandas_output() -> Pipeline:
    return make_pipeline(dense(scaled()), logistic()).set_output(transform="pandas")


def named_native_categories() -> Pipeline:
    transformer = ColumnTransformer(
        [("encode", ordinal(), CATEGORIES)], remainder="passthrough", verbose_feature_names_out=False
    )
    return make_pipeline(transformer.set_output(transform="pandas"), boosting(categorical_features=CATEGORIES))


def union_of_columns() -> Pipeline:
    numbers = ColumnTransformer([("numbers", scaled(), NUMBERS)])
    categories = ColumnTransformer([("categories", one_hot(), CATEGORIES)])
    return make_pipeline(FeatureUnion([("numbers", numbers), ("categories", categories)]), logistic())


def on_numbers_with_indicators() -> Pipeline:
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return pipeline(columns(numbers, one_hot()), logistic())


def one_hot_of_few() -> Pipeline:
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=250, drop="first")
    return pipeline(columns(scaled(), encoder), logistic())


def calibrated_frozen() -> CalibratedClassifierCV:
    frame, late = loans()
    forest = pipeline(dense(), small_forest()).fit(frame[:900], late[:900])
    return CalibratedClassifierCV(FrozenEstimator(forest), method="isotonic")


def vote() -> VotingClassifier:
    parts = [("linear", logistic_pipeline()), ("forest", pipeline(dense(), small_forest()))]
    return VotingClassifier(parts, voting="soft", weights=[2, 1])


def stack(**options: Any) -> StackingClassifier:
    parts = [("linear", logistic_pipeline()), ("boosting", boosting_pipeline())]
    return StackingClassifier(parts, final_estimator=LogisticRegression(), cv=2, **options)


def grid_search() -> GridSearchCV:
    return GridSearchCV(logistic_pipeline(), {"classifier__C": [0.1, 1.0]}, cv=2)


# Models whose probabilities are a weighted sum of others', by what is special about them.
COMPOSITES: dict[str, Callable[[], Any]] = {
    "calibrated-isotonic-forest": lambda: CalibratedClassifierCV(
        pipeline(dense(), small_forest()), method="isotonic", cv=2
    ),
    "calibrated-sigmoid-in-a-pipeline": lambda: pipeline(
        dense(), CalibratedClassifierCV(boosting(max_iter=8), method="sigmoid", cv=2)
    ),
    "calibrated-linear-svc": lambda: pipeline(dense(scaled()), CalibratedClassifierCV(LinearSVC(), cv=2)),
    "calibrated-frozen": calibrated_frozen,
    "calibrated-isotonic-boosting": lambda: CalibratedClassifierCV(boosting_pipeline(), method="isotonic", cv=2),
    "calibrated-without-ensemble": lambda: CalibratedClassifierCV(boosting_pipeline(), ensemble=False, cv=2),
    "calibrated-vote": lambda: CalibratedClassifierCV(vote(), method="isotonic", cv=2),
    "vote": vote,
    "stack": stack,
    "stack-of-decision-functions": lambda: stack(stack_method="decision_function"),
    "bagging-of-linear": lambda: pipeline(dense(scaled()), BaggingClassifier(logistic(), 3, random_state=0)),
}
CURVES: dict[str, Callable[[], Any]] = {
    "log1p": log1p_pipeline,
    "min-max-clip": three_scalers,
    "bins": lambda: on_numbers(KBinsDiscretizer(5, encode="onehot-dense", strategy="uniform")),
    "splines-constant": lambda: on_numbers(StandardScaler(), SplineTransformer(n_knots=4)),
    "splines-linear": lambda: on_numbers(SplineTransformer(n_knots=4, extrapolation="linear", include_bias=False)),
    "splines-continue": lambda: on_numbers(
        StandardScaler(), SplineTransformer(degree=2, n_knots=4, extrapolation="continue"), StandardScaler()
    ),
    "yeo-johnson": lambda: on_numbers(StandardScaler(), PowerTransformer()),
    "naive-bayes": lambda: pipeline(dense(scaled()), GaussianNB(var_smoothing=1e-3)),
}
TREES: dict[str, Callable[[], Any]] = {
    "gradient-boosting": lambda: pipeline(dense(), GradientBoostingClassifier(n_estimators=20, random_state=0)),
    "gradient-boosting-init-zero": lambda: pipeline(
        dense(), GradientBoostingClassifier(n_estimators=15, subsample=0.5, init="zero", random_state=0)
    ),
    "decision-tree": lambda: pipeline(
        dense(), DecisionTreeClassifier(max_depth=5, class_weight="balanced", random_state=0)
    ),
    "adaboost": lambda: pipeline(dense(), AdaBoostClassifier(n_estimators=15, random_state=0)),
    "bagging": lambda: pipeline(
        dense(), BaggingClassifier(DecisionTreeClassifier(max_depth=4), 6, max_features=0.6, random_state=0)
    ),
    "native-categories-by-name": named_native_categories,
    # Nothing in front of the classifier, which encodes pandas' categories itself.
    "native-categories-by-dtype": boosting,
    "boosting-on-logarithms": lambda: pipeline(
        columns(FunctionTransformer(np.log1p), ordinal()), boosting(categorical_features=[6, 7])
    ),
    "forest-on-powers-and-bins": lambda: pipeline(
        columns(
            imputed(PowerTransformer(), KBinsDiscretizer(4, encode="ordinal", strategy="uniform")),
            one_hot(sparse_output=False),
        ),
        small_forest(),
    ),
    "forest-with-indicators": lambda: pipeline(dense(imputed(add_indicator=True)), small_forest()),
}
LINEAR: dict[str, Callable[[], Any]] = {
    "one-hot-drop-and-infrequent": one_hot_of_few,
    "one-hot-of-missing": lambda: pipeline(columns(scaled(), OneHotEncoder(handle_unknown="ignore")), logistic()),
    "logistic-cv": lambda: pipeline(
        columns(scaled(), one_hot()),
        LogisticRegressionCV(
            Cs=2, cv=2, scoring="neg_log_loss", max_iter=3000, l1_ratios=(0.0,), use_legacy_attributes=False
        ),
    ),
    "sgd": lambda: pipeline(columns(scaled(), one_hot()), SGDClassifier(loss="log_loss", random_state=0)),
    "discriminant": lambda: pipeline(dense(scaled()), LinearDiscriminantAnalysis()),
    "grid-search": grid_search,
    "select-k-best": lambda: pipeline(dense(scaled()), logistic(), SelectKBest(k=9)),
    "variance-threshold": lambda: pipeline(dense(scaled()), logistic(), VarianceThreshold(0.05)),
    "principal-components": lambda: pipeline(dense(scaled()), logistic(), PCA(6, whiten=True, random_state=0)),
    "truncated-svd": lambda: pipeline(dense(scaled()), logistic(), TruncatedSVD(6, random_state=0)),
    "target-encoder": lambda: pipeline(columns(scaled(), TargetEncoder(cv=StratifiedKFold(2))), logistic()),
    "indicators": on_numbers_with_indicators,
    "scaled-twice": lambda: pipeline(columns(scaled(), one_hot(sparse_output=False)), logistic(), StandardScaler()),
    "tuned-threshold": lambda: TunedThresholdClassifierCV(logistic_pipeline(), cv=2, scoring="balanced_accuracy"),
    "fixed-threshold": lambda: FixedThresholdClassifier(logistic_pipeline(), threshold=0.2),
    "pandas-output": with_pandas_output,
    "selected-columns": selected_columns,
    "feature-union": union_of_columns,
    "ordinal-encoder": lambda: make_pipeline(
        columns(
            scaled(), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
        ),
        logistic(),
    ),
}


MORE_KINDS: dict[str, Callable[[], Any]] = {**COMPOSITES, **CURVES, **TREES, **LINEAR}


@cache
def fitted_more(kind: str) -> Any:
    """Return a fitted model of a kind."""
    frame, late = loans()
    if kind == "native-categories-by-dtype":
        frame = frame.astype(dict.fromkeys(CATEGORIES, "category"))
    return MORE_KINDS[kind]().fit(frame, late)
