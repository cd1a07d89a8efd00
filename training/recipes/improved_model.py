"""The improved model: selected by cross-validation, and its intercept set on the newest loans.

On PeerLoan's data small, regularised gradient-boosted trees with monotone constraints are selected; their pickle has
100 KB.
"""

from __future__ import annotations

from sklearn.pipeline import Pipeline

from training.data import Quarter
from training.evidence.sweeps import sweep_all
from training.recipes.calibration import NEWEST_ROWS, intercept_shift, shift_intercept, shifted
from training.recipes.contenders import CONTENDERS, DEFAULT_ROUNDS
from training.recipes.recipe import DEFAULT_SEED, Fit, Progress, Recipe, silent
from training.selection import select

# More than the gate draws from the test quarter, so that what passes here passes there.
_SWEPT_LOANS = 1000


def fit(
    quarter: Quarter,
    n_estimators: int = DEFAULT_ROUNDS,
    seed: int = DEFAULT_SEED,
    progress: Progress = silent,
    contender: str | None = None,
) -> Fit:
    """Select a model, fit it on all rows, and set its intercept on the newest, which come first.

    ``n_estimators`` are the rounds of boosting, for the contenders that take them. The out-of-sample probabilities are
    from the folds that did not see the row, with the same intercept. Progress counts fits. ``contender`` is the one to
    take, whichever ranks best and however it moves.
    """
    target = quarter.target
    contenders = [entry for entry in CONTENDERS if contender in (None, entry.name)]
    selection = select(
        quarter, contenders, n_estimators, seed=seed, progress=lambda done, total: progress(done, total + 1)
    )
    pipeline = selection.contender.build(n_estimators, seed).fit(quarter.features, target)
    while contender is None and (against := _moves_against(pipeline, quarter)):
        selection = selection.without_chosen(against)
        pipeline = selection.contender.build(n_estimators, seed).fit(quarter.features, target)
    how = f"selected out of {len(contenders)} by cross-validation" if contender is None else "as named"
    shift = intercept_shift(selection.out_of_fold[:NEWEST_ROWS], target[:NEWEST_ROWS])
    shift_intercept(pipeline, shift)
    n_fits = sum(len(score.roc_auc) for score in selection.scores) + 1
    progress(n_fits, n_fits)
    n_newest = min(NEWEST_ROWS, len(target))
    return Fit(
        pipeline=pipeline,
        out_of_sample=shifted(selection.out_of_fold, shift),
        description=(f"{selection.contender.description}, {how}, intercept set on the newest {n_newest:,} loans."),
        evidence={
            "selection": selection.to_dict(),
            "calibration": {"newest_loans": n_newest, "log_odds_shift": shift},
        },
    )


def _moves_against(pipeline: Pipeline, quarter: Quarter) -> list[str]:
    """Return the columns in which the probability of a training loan moves against lending sense."""
    sweeps = sweep_all(pipeline, quarter.features, loans=_SWEPT_LOANS)
    return [sweep.column for sweep in sweeps if not sweep.is_monotone]


NAMES = tuple(contender.name for contender in CONTENDERS)

RECIPE = Recipe("improved", DEFAULT_ROUNDS, "cross_validation", "probability from cross-validation", fit, NAMES)
