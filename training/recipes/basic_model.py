"""The basic model, as PeerLoan's data scientist defined it: imputers, one-hot encoding, a random forest.

It stays as it was given, to compare better models with. What is added changes no probability: the encoded columns are
a dense array (four times faster to train on), the pickled forest uses one thread, and it has a threshold.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from model_artifact.schema import CATEGORY_NAMES, NUMERIC_NAMES
from training.data import Quarter
from training.recipes.recipe import DEFAULT_SEED, Fit, Progress, Recipe, silent

DESCRIPTION = "Random forest on imputed and one-hot encoded columns: the basic model."

DEFAULT_TREES = 100

# Progress is reported each time so many trees have been grown.
_TREES_A_STEP = 10


def build_pipeline(n_estimators: int = DEFAULT_TREES, *, seed: int = DEFAULT_SEED) -> Pipeline:
    """Return the unfitted pipeline: ``n_estimators`` trees, with ``seed`` as the forest's ``random_state``."""
    columns = ColumnTransformer(
        [
            ("numeric", SimpleImputer(strategy="median"), list(NUMERIC_NAMES)),
            ("category", one_hot(), list(CATEGORY_NAMES)),
        ]
    )
    forest = RandomForestClassifier(n_estimators=n_estimators, random_state=seed)
    return Pipeline([("columns", columns), ("forest", forest)])


def one_hot() -> Pipeline:
    """Return the unfitted encoder of labels; a missing one is a label of its own, an unseen one is all zeros."""
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="constant", fill_value="missing")),
            ("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ]
    )


def fit(
    quarter: Quarter,
    n_estimators: int = DEFAULT_TREES,
    seed: int = DEFAULT_SEED,
    progress: Progress = silent,
    *,
    n_jobs: int = -1,
) -> Fit:
    """Fit the pipeline, reporting after every few trees.

    It is equal to ``build_pipeline(…).fit(…)``, bit for bit, whatever the number of threads, ``n_jobs``. The
    out-of-sample probabilities are those of the trees that did not see the row.
    """
    pipeline = build_pipeline(n_estimators, seed=seed)
    features = pipeline[:-1].fit_transform(quarter.features)
    forest: RandomForestClassifier = pipeline[-1]
    forest.set_params(warm_start=True, n_jobs=n_jobs)
    with warnings.catch_warnings():
        # A row that every tree saw has no such probability; it becomes NaN below.
        warnings.filterwarnings("ignore", "Some inputs do not have OOB scores", UserWarning)
        # The forest's threads each set and restore the process's one list of filters, and may so leave it empty for a
        # moment (Python 3.14 gives each thread a list of its own). scikit-learn then warns that a tree was grown
        # without the settings of the calling thread. Nothing here depends on these, and where warnings are errors, the
        # training would stop.
        warnings.filterwarnings("ignore", "`sklearn.utils.parallel.delayed` should be used", UserWarning)
        for grown in [*range(_TREES_A_STEP, n_estimators, _TREES_A_STEP), n_estimators]:
            # The out-of-bag vote is taken once, over all the trees.
            forest.set_params(n_estimators=grown, oob_score=_no_score if grown == n_estimators else False)
            forest.fit(features, quarter.target)
            progress(grown, n_estimators)
    votes: NDArray[np.float64] = forest.oob_decision_function_
    out_of_bag = np.where(votes.sum(axis=1) > 0, votes[:, 1], np.nan)
    # A prediction doesn't need them, and they are as long as the training file.
    del forest.oob_decision_function_, forest.oob_score_
    forest.set_params(warm_start=False, oob_score=False, n_jobs=1)
    return Fit(pipeline, out_of_bag, DESCRIPTION, evidence={})


RECIPE = Recipe("basic", DEFAULT_TREES, "out_of_bag", "out-of-bag probability", fit)


def _no_score(_target: NDArray[np.int64], _decisions: NDArray[np.float64]) -> float:
    """Spare the default score, accuracy, which says nothing where 98 % are on time."""
    return 0.0
