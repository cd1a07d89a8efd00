"""Forests, boosted trees, single trees and committees of trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.tree import DecisionTreeClassifier

from pipelines.kind import Kind
from pipelines.parts import CATEGORIES, SEED, imputed_and_encoded, numbered_labels

# Income and delinquencies: the more of the first and the less of the second, the safer.
_DIRECTIONS = [0, 0, 0, 0, 0, 0, -1, 0, 0, 1]


def boosted(**options: Any) -> HistGradientBoostingClassifier:
    """Return histogram-based boosted trees."""
    return HistGradientBoostingClassifier(**{"max_iter": 40, "random_state": SEED, **options})


def forest(**options: Any) -> RandomForestClassifier:
    """Return a random forest of stout trees."""
    return RandomForestClassifier(**{"n_estimators": 30, "min_samples_leaf": 10, "random_state": SEED, **options})


def by_dtype(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the four columns of labels pandas' category dtype."""
    return frame.astype(dict.fromkeys(CATEGORIES, "category"))


def _named_by_pandas() -> Pipeline:
    columns = numbered_labels().set_output(transform="pandas")
    return make_pipeline(columns, boosted(categorical_features=CATEGORIES))


KINDS = (
    Kind(
        "boosted",
        "HistGradientBoostingClassifier on OrdinalEncoder's numbers",
        lambda: make_pipeline(numbered_labels(), boosted()),
    ),
    Kind(
        "boosted-native-labels",
        "native categories by position, categorical_features=[0, 1, 2, 3]",
        lambda: make_pipeline(
            numbered_labels(unknown_value=np.nan, encoded_missing_value=np.nan),
            boosted(categorical_features=[0, 1, 2, 3]),
        ),
    ),
    Kind(
        "boosted-by-dtype",
        "a bare HistGradientBoostingClassifier on pandas' category dtype",
        boosted,
        prepare=by_dtype,
    ),
    Kind(
        "boosted-native-labels-by-name",
        'native categories by name, set_output(transform="pandas")',
        _named_by_pandas,
    ),
    Kind(
        "boosted-early-stopping",
        "early stopping on a fifth of the loans",
        lambda: make_pipeline(numbered_labels(), boosted(max_iter=200, early_stopping=True, validation_fraction=0.2)),
    ),
    Kind(
        "boosted-monotone-balanced",
        'monotonic_cst and class_weight="balanced"',
        lambda: make_pipeline(numbered_labels(), boosted(monotonic_cst=_DIRECTIONS, class_weight="balanced")),
    ),
    Kind(
        "forest",
        "RandomForestClassifier on imputed numbers and one-hot labels",
        lambda: make_pipeline(imputed_and_encoded(), forest(n_jobs=2)),
    ),
    Kind(
        "forest-balanced",
        'class_weight="balanced_subsample", oob_score=True',
        lambda: make_pipeline(
            imputed_and_encoded(), forest(max_depth=8, class_weight="balanced_subsample", oob_score=True)
        ),
    ),
    Kind(
        "extra-trees",
        "ExtraTreesClassifier",
        lambda: make_pipeline(imputed_and_encoded(), ExtraTreesClassifier(30, min_samples_leaf=5, random_state=SEED)),
    ),
    Kind(
        "gradient-boosting",
        "GradientBoostingClassifier",
        lambda: make_pipeline(imputed_and_encoded(), GradientBoostingClassifier(n_estimators=40, random_state=SEED)),
    ),
    Kind(
        "gradient-boosting-stochastic",
        "the same on samples, with early stopping",
        lambda: make_pipeline(
            imputed_and_encoded(),
            GradientBoostingClassifier(n_estimators=60, subsample=0.5, n_iter_no_change=5, random_state=SEED),
        ),
    ),
    Kind(
        "decision-tree",
        "DecisionTreeClassifier",
        lambda: make_pipeline(
            imputed_and_encoded(), DecisionTreeClassifier(max_depth=6, class_weight="balanced", random_state=SEED)
        ),
    ),
    Kind(
        "ada-boost",
        "AdaBoostClassifier of stumps",
        lambda: make_pipeline(imputed_and_encoded(), AdaBoostClassifier(n_estimators=30, random_state=SEED)),
    ),
    Kind(
        "bagging",
        "BaggingClassifier of decision trees",
        lambda: make_pipeline(
            imputed_and_encoded(), BaggingClassifier(DecisionTreeClassifier(max_depth=5), 20, random_state=SEED)
        ),
    ),
)
