"""The improved model: selected by cross-validation, and its intercept set on the newest loans.

On PeerLoan's data small, regularised gradient-boosted trees with monotone constraints are selected, whose pickle is
100 KB.
"""

from __future__ import annotations

from sklearn.pipeline import Pipeline

from training.data import Quarter
from training.progress import Progress, silent
from training.recipes.calibration import NEWEST_ROWS, intercept_shift, shift_intercept, shifted
from training.recipes.contenders import CONTENDERS, DEFAULT_ROUNDS, monotone_trees
from training.recipes.recipe import Fit
from training.selection import select

NAME = "improved"

DEFAULT_TREES = DEFAULT_ROUNDS
DEFAULT_SEED = 42


def build_pipeline(n_estimators: int = DEFAULT_TREES, *, seed: int = DEFAULT_SEED) -> Pipeline:
    """Return the unfitted pipeline of the boosted trees with monotone constraints.

    Parameters
    ----------
    n_estimators : int
        Rounds of boosting.
    seed : int
        The trees' ``random_state``, for the columns that each split may look at.
    """
    return monotone_trees(n_estimators, seed)


def fit(
    quarter: Quarter,
    n_estimators: int = DEFAULT_TREES,
    *,
    seed: int = DEFAULT_SEED,
    progress: Progress = silent,
) -> Fit:
    """Select a model, fit it on all rows, and set its intercept on the newest.

    Parameters
    ----------
    quarter : Quarter
        The training data, newest first.
    n_estimators, seed
        As in ``build_pipeline``, for all contenders that take them.
    progress : Progress
        Told of the fits done and the fits wanted.

    Returns
    -------
    Fit
        ``unseen`` are the probabilities from the folds that did not see the row, with the same intercept.
    """
    target = quarter.target
    selection = select(
        quarter, CONTENDERS, n_estimators, seed=seed, progress=lambda done, total: progress(done, total + 1)
    )
    pipeline = selection.contender.build(n_estimators, seed).fit(quarter.features, target)
    shift = intercept_shift(selection.out_of_fold[:NEWEST_ROWS], target[:NEWEST_ROWS])
    shift_intercept(pipeline, shift)
    n_fits = sum(len(score.roc_auc) for score in selection.scores) + 1
    progress(n_fits, n_fits)
    n_newest = min(NEWEST_ROWS, len(target))
    return Fit(
        pipeline=pipeline,
        unseen=shifted(selection.out_of_fold, shift),
        description=(
            f"{selection.contender.description}, selected out of {len(CONTENDERS)} by cross-validation, "
            f"intercept set on the newest {n_newest:,} loans."
        ),
        evidence={
            "selection": selection.to_dict(),
            "calibration": {"newest_loans": n_newest, "log_odds_shift": shift},
        },
    )
