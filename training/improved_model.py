"""The improved model: small, regularised gradient-boosted trees with monotone constraints.

Ten columns of float64 go into the trees: numbers as they are, categories as ordinal codes, NaN for what is missing or
was never seen (the trees send it where it fitted best). The configuration was chosen by cross-validation on the
training file; more trees, larger ones, other learners and engineered columns gained nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from model_artifact.schema import EMP_LENGTHS, GRADES
from model_registry.manifest import Threshold
from training.data import Quarter
from training.progress import Progress, silent
from training.thresholds import FLAGGED_SHARE, threshold_for_share

NAME = "improved"
DESCRIPTION = "Small gradient-boosted trees with monotone constraints, intercept set on the newest loans."

NUMERIC_COLUMNS = ("loan_amnt", "int_rate", "annual_inc", "revol_util", "dti", "delinq_2yrs")
ORDERED_COLUMNS = ("grade", "emp_length")
UNORDERED_COLUMNS = ("purpose", "home_ownership")

# Where lending sense asks for a direction and the data agree. Forcing dti and revol_util up would cost .005 of AUC.
MONOTONE = {"int_rate": 1, "grade": 1, "annual_inc": -1, "delinq_2yrs": 1}

DEFAULT_TREES = 120
DEFAULT_SEED = 42
FOLDS = 5

# The late rate falls towards the newest loans, and the next quarter is newer still.
NEWEST_ROWS = 10_000


def build_pipeline(n_estimators: int = DEFAULT_TREES, *, seed: int = DEFAULT_SEED) -> Pipeline:
    """Return the unfitted pipeline.

    Parameters
    ----------
    n_estimators : int
        Rounds of boosting.
    seed : int
        The trees' ``random_state``, for the columns that each split may look at.
    """
    unknown_as_nan = {"handle_unknown": "use_encoded_value", "unknown_value": np.nan}
    columns = ColumnTransformer(
        [
            ("numeric", "passthrough", list(NUMERIC_COLUMNS)),
            (
                "ordered",
                OrdinalEncoder(categories=[list(GRADES), list(EMP_LENGTHS)], **unknown_as_nan),
                list(ORDERED_COLUMNS),
            ),
            ("unordered", OrdinalEncoder(**unknown_as_nan), list(UNORDERED_COLUMNS)),
        ]
    )
    into_trees = (*NUMERIC_COLUMNS, *ORDERED_COLUMNS, *UNORDERED_COLUMNS)
    trees = HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=n_estimators,
        max_leaf_nodes=6,
        min_samples_leaf=200,
        l2_regularization=30.0,
        max_features=0.4,
        max_bins=64,
        early_stopping=False,
        monotonic_cst=[MONOTONE.get(name, 0) for name in into_trees],
        random_state=seed,
    )
    return Pipeline([("columns", columns), ("trees", trees)])


def fit(
    quarter: Quarter,
    n_estimators: int = DEFAULT_TREES,
    *,
    seed: int = DEFAULT_SEED,
    progress: Progress = silent,
) -> tuple[Pipeline, NDArray[np.float64]]:
    """Fit the pipeline on all rows, and on each fold's for what it says of rows that it did not see.

    Parameters
    ----------
    quarter : Quarter
        The training data, newest first.
    n_estimators, seed
        As in ``build_pipeline``.
    progress : Progress
        Told of the fits done and the fits wanted.

    Returns
    -------
    pipeline : Pipeline
        With its intercept set on the newest rows.
    out_of_fold : ndarray of shape (n_rows,)
        For each training row the probability of being late from the fit that did not see it, with the same intercept.
    """
    features, target = quarter.features, quarter.target
    out_of_fold = np.empty(len(target))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (seen, unseen) in enumerate(folds.split(features, target)):
        fold = build_pipeline(n_estimators, seed=seed).fit(features.iloc[seen], target[seen])
        out_of_fold[unseen] = fold.predict_proba(features.iloc[unseen])[:, 1]
        progress(number + 1, FOLDS + 1)
    pipeline = build_pipeline(n_estimators, seed=seed).fit(features, target)
    shift = intercept_shift(out_of_fold[:NEWEST_ROWS], target[:NEWEST_ROWS])
    _shift_intercept(pipeline[-1], shift)
    progress(FOLDS + 1, FOLDS + 1)
    return pipeline, _shifted(out_of_fold, shift)


def choose_threshold(out_of_fold: NDArray[np.float64]) -> Threshold:
    """Return the threshold that flags the stated share of the training loans by their out-of-fold probability."""
    return Threshold(
        threshold_for_share(out_of_fold),
        f"The {FLAGGED_SHARE:.0%} of the training loans with the highest probability from {FOLDS}-fold cross-"
        "validation are at or above it.",
    )


def intercept_shift(probabilities: NDArray[np.float64], target: NDArray[np.int64]) -> float:
    """Return what must be added to the log-odds for the mean probability to be the observed late rate.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows,)
        Of rows that the model did not see.
    target : ndarray of shape (n_rows,)
        1 where the loan is late.

    Returns
    -------
    float
        0 if the rows are all late or all on time, which says too little.
    """
    observed = float(np.mean(target))
    if observed in (0.0, 1.0):
        return 0.0
    low, high = -10.0, 10.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if float(np.mean(_shifted(probabilities, middle))) < observed:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _shift_intercept(trees: HistGradientBoostingClassifier, shift: float) -> None:
    """Add to the log-odds that every tree adds to.

    scikit-learn has no public name for it. A calibrator around the pipeline would move the slope too, which is right as
    it is, and would double the time of a prediction. tests/unit/training/test_improved_model.py holds that every
    log-odds moves by exactly this.
    """
    trees._baseline_prediction = trees._baseline_prediction + shift


def _shifted(probabilities: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    odds = probabilities / (1 - probabilities) * np.exp(shift)
    return np.asarray(odds / (1 + odds))
