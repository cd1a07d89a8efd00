"""The improved model: selected by cross-validation, and its intercept set on the newest loans.

On PeerLoan's data small, regularised gradient-boosted trees are selected that are monotone in four columns; their
pickle has 100 KB. Where the selected model moves against lending sense in others, the contender that never does is
fitted too, so that its price is known.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from training.data import Quarter
from training.evidence.sweeps import DIRECTIONS, LENDING_SENSE, sweep_all
from training.recipes.calibration import NEWEST_ROWS, intercept_shift, shift_intercept, shifted
from training.recipes.contenders import CONTENDERS, DEFAULT_ROUNDS, MONOTONE
from training.recipes.recipe import DEFAULT_SEED, Alternative, Fit, Progress, Recipe, silent
from training.selection import Selection, select

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
        quarter, contenders, n_estimators, seed=seed, progress=lambda done, total: progress(done, total + 2)
    )
    n_fits = sum(len(score.roc_auc) for score in selection.scores)
    pipeline = selection.contender.build(n_estimators, seed).fit(quarter.features, target)
    while contender is None and (against := _moves_against(pipeline, quarter)):
        selection = selection.without_chosen(against)
        pipeline = selection.contender.build(n_estimators, seed).fit(quarter.features, target)
    progress(n_fits + 1, n_fits + 2)
    how = f"selected out of {len(contenders)} by cross-validation" if contender is None else "as named"
    shift = _set_intercept(pipeline, selection, selection.contender.name, target)
    alternative = _alternative(pipeline, selection, quarter, n_estimators, seed) if contender is None else None
    progress(n_fits + 2, n_fits + 2)
    n_newest = min(NEWEST_ROWS, len(target))
    return Fit(
        pipeline=pipeline,
        out_of_sample=shifted(selection.out_of_fold, shift),
        description=(f"{selection.contender.description}, {how}, intercept set on the newest {n_newest:,} loans."),
        evidence={
            "selection": selection.to_dict(),
            "calibration": {"newest_loans": n_newest, "log_odds_shift": shift},
        },
        alternative=alternative,
    )


def _alternative(
    pipeline: Pipeline, selection: Selection, quarter: Quarter, rounds: int, seed: int
) -> Alternative | None:
    """Return the contender that never moves against lending sense, fitted alike; None if the chosen one doesn't."""
    against = _moves_against(pipeline, quarter, LENDING_SENSE)
    if not against:
        return None
    monotone = MONOTONE.build(rounds, seed).fit(quarter.features, quarter.target)
    _set_intercept(monotone, selection, MONOTONE.name, quarter.target)
    return Alternative(MONOTONE.name, monotone, tuple(against))


def _set_intercept(pipeline: Pipeline, selection: Selection, name: str, target: NDArray[np.int64]) -> float:
    """Set a contender's intercept on the newest loans, by its probabilities from folds without them."""
    place = [score.contender.name for score in selection.scores].index(name)
    shift = intercept_shift(selection.held_out[place, :NEWEST_ROWS], target[:NEWEST_ROWS])
    shift_intercept(pipeline, shift)
    return shift


def _moves_against(pipeline: Pipeline, quarter: Quarter, directions: Mapping[str, int] = DIRECTIONS) -> list[str]:
    """Return the columns in which the probability of a training loan moves against lending sense."""
    sweeps = sweep_all(pipeline, quarter.features, directions, loans=_SWEPT_LOANS)
    return [sweep.column for sweep in sweeps if not sweep.is_monotone]


NAMES = tuple(contender.name for contender in CONTENDERS)

RECIPE = Recipe("improved", DEFAULT_ROUNDS, "cross_validation", "probability from cross-validation", fit, NAMES)
