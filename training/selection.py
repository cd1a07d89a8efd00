"""Chooses a model by repeated cross-validation on the training file alone. The test quarter plays no part in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold

from model_artifact.pipeline import late_probabilities
from training.data import Quarter
from training.recipes.contenders import Contender
from training.recipes.recipe import Progress, silent

FOLDS = 5
REPEATS = 2

RULE = (
    "The simplest model whose mean ROC-AUC over the folds is less than one standard error of the difference below the "
    "best one's. Differences are taken fold by fold; their standard error is corrected for the rows that the training "
    "sets of the folds share (Nadeau and Bengio 2003). The models are listed simplest first. A model that moves "
    "against lending sense as rate, grade, income or delinquencies change isn't chosen: the gate on monotonicity would "
    "refuse it."
)


@dataclass(frozen=True)
class Score:
    """A contender's metrics in each fold."""

    contender: Contender
    roc_auc: tuple[float, ...]
    log_loss: tuple[float, ...]


@dataclass(frozen=True)
class Selection:
    """All scores, and the number of the chosen contender.

    Attributes
    ----------
    held_out : ndarray of shape (n_contenders, n_rows)
        Each contender's out-of-fold probability of each training row.
    against : mapping of int to tuple of str
        The contenders that may not be chosen, with the columns in which they move against lending sense.
    """

    scores: tuple[Score, ...]
    chosen: int
    held_out: NDArray[np.float64] = field(repr=False)
    against: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def out_of_fold(self) -> NDArray[np.float64]:
        """The chosen contender's out-of-fold probability of each training row."""
        return np.asarray(self.held_out[self.chosen])

    def without_chosen(self, columns: Sequence[str]) -> Selection:
        """Return the selection among the others; the chosen one moves against lending sense in these columns."""
        against = {**self.against, self.chosen: tuple(columns)}
        return replace(self, chosen=choose(self.scores, against), against=against)

    @property
    def contender(self) -> Contender:
        """The chosen contender."""
        return self.scores[self.chosen].contender

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        best = best_of(self.scores, self.against)
        return {
            "folds": f"{len(self.scores[0].roc_auc) // FOLDS} times {FOLDS} stratified folds of the training file",
            "rule": RULE,
            "chosen": self.contender.name,
            "contenders": [
                {
                    "name": score.contender.name,
                    "description": score.contender.description,
                    "roc_auc": float(np.mean(score.roc_auc)),
                    "log_loss": float(np.mean(score.log_loss)),
                    "below_best": _below_best(self.scores, number, best)[0],
                    "standard_error": _below_best(self.scores, number, best)[1],
                    "roc_auc_by_fold": [round(value, 6) for value in score.roc_auc],
                    "not_monotone_in": list(self.against.get(number, ())),
                }
                for number, score in enumerate(self.scores)
            ],
        }


def select(
    quarter: Quarter,
    contenders: Sequence[Contender],
    rounds: int,
    *,
    seed: int,
    repeats: int = REPEATS,
    progress: Progress = silent,
) -> Selection:
    """Score the contenders, the simplest first, on the same folds of the training data, and choose one by ``RULE``.

    ``rounds`` are the rounds of boosting, for the contenders that take them; ``seed`` is that of the folds and of the
    models. The rows are split into folds ``repeats`` times. Progress counts fits.
    """
    features, target = quarter.features, quarter.target
    splits = list(RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=repeats, random_state=seed).split(features, target))
    # The first repeat holds each row out once.
    held_out = np.empty((len(contenders), len(target)))
    scores = []
    for place, contender in enumerate(contenders):
        aucs, losses = [], []
        for number, (seen, unseen) in enumerate(splits):
            fold = contender.build(rounds, seed).fit(features.iloc[seen], target[seen])
            probabilities = late_probabilities(fold, features.iloc[unseen])
            aucs.append(float(roc_auc_score(target[unseen], probabilities)))
            losses.append(float(log_loss(target[unseen], probabilities)))
            if number < FOLDS:
                held_out[place, unseen] = probabilities
            progress(place * len(splits) + number + 1, len(contenders) * len(splits))
        scores.append(Score(contender, tuple(aucs), tuple(losses)))
    chosen = choose(scores)
    return Selection(tuple(scores), chosen, held_out)


def choose(scores: Sequence[Score], excluded: Collection[int] = ()) -> int:
    """Return the place of the contender that ``RULE`` chooses; the scores are in order of simplicity."""
    best = best_of(scores, excluded)
    for number in range(len(scores)):
        if number in excluded:
            continue
        below, standard_error = _below_best(scores, number, best)
        if number == best or below < standard_error:
            return number
    raise AssertionError("unreachable")


def best_of(scores: Sequence[Score], excluded: Collection[int] = ()) -> int:
    """Return the place of the highest mean ROC-AUC of those that may be chosen; of equals, the simplest contender's."""
    means = [-np.inf if number in excluded else float(np.mean(score.roc_auc)) for number, score in enumerate(scores)]
    return int(np.argmax(means))


def _below_best(scores: Sequence[Score], number: int, best: int) -> tuple[float, float]:
    """Return how far a score is below the best one, and the standard error of that difference."""
    difference = np.array(scores[best].roc_auc) - np.array(scores[number].roc_auc)
    if number == best or len(difference) < 2:
        return 0.0, 0.0
    correction = 1 / len(difference) + 1 / (FOLDS - 1)
    return float(difference.mean()), float(difference.std(ddof=1) * np.sqrt(correction))
