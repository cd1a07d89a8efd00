"""The improved model: selected by cross-validation, and its intercept set on the newest loans.

On PeerLoan's data small, regularised gradient-boosted trees with monotone constraints are selected; their pickle has
100 KB.
"""

from __future__ import annotations

from training.data import Quarter
from training.recipes.calibration import NEWEST_ROWS, intercept_shift, shift_intercept, shifted
from training.recipes.contenders import CONTENDERS, DEFAULT_ROUNDS
from training.recipes.recipe import DEFAULT_SEED, Fit, Progress, Recipe, silent
from training.selection import select


def fit(
    quarter: Quarter,
    n_estimators: int = DEFAULT_ROUNDS,
    seed: int = DEFAULT_SEED,
    progress: Progress = silent,
) -> Fit:
    """Select a model, fit it on all rows, and set its intercept on the newest, which come first.

    ``n_estimators`` are the rounds of boosting, for the contenders that take them. The out-of-sample probabilities are
    from the folds that did not see the row, with the same intercept. Progress counts fits.
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
        out_of_sample=shifted(selection.out_of_fold, shift),
        description=(
            f"{selection.contender.description}, selected out of {len(CONTENDERS)} by cross-validation, "
            f"intercept set on the newest {n_newest:,} loans."
        ),
        evidence={
            "selection": selection.to_dict(),
            "calibration": {"newest_loans": n_newest, "log_odds_shift": shift},
        },
    )


RECIPE = Recipe("improved", DEFAULT_ROUNDS, "cross_validation", "probability from cross-validation", fit)
