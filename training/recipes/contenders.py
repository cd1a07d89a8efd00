"""The contenders for the improved model, simplest first; ``selection`` chooses one of them.

Tried and left out, since they gained nothing: more and larger trees, twenty engineered columns, and blends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from model_artifact.schema import EMP_LENGTHS, GRADES, NUMERIC_NAMES
from training.evidence.sweeps import DIRECTIONS, LENDING_SENSE
from training.recipes.basic_model import one_hot

ORDERED_COLUMNS = ("grade", "emp_length")
UNORDERED_COLUMNS = ("purpose", "home_ownership")

DEFAULT_ROUNDS = 120


@dataclass(frozen=True)
class Contender:
    """A model that may be selected.

    ``build`` takes the rounds of boosting and a seed, and returns the unfitted pipeline.
    """

    name: str
    description: str
    build: Callable[[int, int], Pipeline]


def logistic_regression(_rounds: int, _seed: int) -> Pipeline:
    """Return a logistic regression on standardised numbers and one-hot encoded categories."""
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    columns = ColumnTransformer(
        [
            ("numeric", numbers, list(NUMERIC_NAMES)),
            ("category", one_hot(), [*ORDERED_COLUMNS, *UNORDERED_COLUMNS]),
        ]
    )
    return Pipeline([("columns", columns), ("regression", LogisticRegression(max_iter=1000))])


def sensible_trees(rounds: int, seed: int) -> Pipeline:
    """Return small boosted trees that only rise, or only fall, in every column of ``LENDING_SENSE``."""
    return _on_ordinal_codes(_small_trees(rounds, seed, LENDING_SENSE))


def monotone_trees(rounds: int, seed: int) -> Pipeline:
    """Return the same small boosted trees, constrained in the columns of ``DIRECTIONS`` alone."""
    return _on_ordinal_codes(_small_trees(rounds, seed, DIRECTIONS))


def free_trees(rounds: int, seed: int) -> Pipeline:
    """Return the same small boosted trees without constraints."""
    return _on_ordinal_codes(_small_trees(rounds, seed, {}))


def trees_as_they_come(rounds: int, seed: int) -> Pipeline:
    """Return boosted trees with the library's own settings; fewer rounds than its 100 if fewer are stated."""
    return _on_ordinal_codes(HistGradientBoostingClassifier(max_iter=min(rounds, 100), random_state=seed))


# It follows lending sense in every column. Where another contender is chosen, the report says what this one would cost.
MONOTONE = Contender("monotone", "Small gradient-boosted trees, monotone wherever lending sense is", sensible_trees)

CONTENDERS: tuple[Contender, ...] = (
    Contender("logistic_regression", "Logistic regression on one-hot encoded columns", logistic_regression),
    MONOTONE,
    Contender(
        "partly_monotone",
        "Small gradient-boosted trees, monotone in rate, grade, income and delinquencies",
        monotone_trees,
    ),
    Contender("free_trees", "Small gradient-boosted trees without constraints", free_trees),
    Contender("trees_as_they_come", "Gradient-boosted trees with the library's own settings", trees_as_they_come),
)


def _on_ordinal_codes(model: BaseEstimator) -> Pipeline:
    """Put a model behind ten columns of float64: numbers unchanged, categories as ordinal codes.

    A missing or unseen label is NaN; each split of the trees learns which way NaN goes.
    """
    unknown_as_nan = {"handle_unknown": "use_encoded_value", "unknown_value": np.nan}
    columns = ColumnTransformer(
        [
            ("numeric", "passthrough", list(NUMERIC_NAMES)),
            (
                "ordered",
                OrdinalEncoder(categories=[list(GRADES), list(EMP_LENGTHS)], **unknown_as_nan),
                list(ORDERED_COLUMNS),
            ),
            ("unordered", OrdinalEncoder(**unknown_as_nan), list(UNORDERED_COLUMNS)),
        ]
    )
    return Pipeline([("columns", columns), ("trees", model)])


def _small_trees(rounds: int, seed: int, directions: Mapping[str, int]) -> HistGradientBoostingClassifier:
    into_trees = (*NUMERIC_NAMES, *ORDERED_COLUMNS, *UNORDERED_COLUMNS)
    return HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=rounds,
        max_leaf_nodes=6,
        min_samples_leaf=200,
        l2_regularization=30.0,
        max_features=0.4,
        max_bins=64,
        early_stopping=False,
        monotonic_cst=[directions.get(name, 0) for name in into_trees] if directions else None,
        random_state=seed,
    )
