"""The stated rule chooses on folds of the training file alone, and the choice is the same twice."""

from __future__ import annotations

import json

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from model_kit import small_quarter
from training.recipes.contenders import CONTENDERS, Contender
from training.selection import FOLDS, REPEATS, Score, best_of, choose, select

FEW = tuple(contender for contender in CONTENDERS if contender.name in ("logistic_regression", "partly_monotone"))


def _score(*aucs: float) -> Score:
    return Score(CONTENDERS[0], aucs, tuple(0.1 for _ in aucs))


def test_the_best_is_chosen_where_the_simpler_ones_are_clearly_worse() -> None:
    scores = [_score(0.60, 0.62, 0.61, 0.60), _score(0.70, 0.71, 0.72, 0.71), _score(0.69, 0.70, 0.71, 0.70)]
    assert choose(scores) == 1


def test_the_simplest_within_a_standard_error_is_chosen() -> None:
    scores = [_score(0.60, 0.62, 0.61, 0.60), _score(0.70, 0.72, 0.71, 0.71), _score(0.71, 0.71, 0.72, 0.71)]
    assert (best_of(scores), choose(scores)) == (2, 1)


def test_differences_are_taken_fold_by_fold() -> None:
    # The folds differ by far more than the models, which differ by as much in each: that isn't luck.
    scores = [_score(0.50, 0.60, 0.70, 0.80), _score(0.51, 0.611, 0.709, 0.81)]
    assert choose(scores) == 1


def test_of_equals_the_simplest_is_the_best() -> None:
    assert choose([_score(0.7, 0.7), _score(0.7, 0.7)]) == 0


def test_the_standard_error_is_corrected_for_overlapping_training_sets() -> None:
    # Uncorrected it is .0158 / 2 = .0079: the mean difference of .01 would be clear.
    steps = np.array([-0.01, 0.0, 0.02, 0.03])
    scores = [_score(*(0.7 - steps)), _score(0.7, 0.7, 0.7, 0.7)]
    assert steps.mean() > steps.std(ddof=1) / 2
    assert choose(scores) == 0


def test_selection_is_the_same_twice_and_scores_each_contender_on_the_same_folds() -> None:
    quarter = small_quarter()
    first, second = (select(quarter, FEW, 5, seed=1) for _ in range(2))
    assert first.to_dict() == second.to_dict()
    assert np.array_equal(first.out_of_fold, second.out_of_fold)
    assert [len(score.roc_auc) for score in first.scores] == [FOLDS * REPEATS] * 2
    document = json.loads(json.dumps(first.to_dict(), allow_nan=False))
    assert document["chosen"] in {contender.name for contender in FEW}
    assert [contender["name"] for contender in document["contenders"]] == [contender.name for contender in FEW]


def test_every_row_gets_its_probability_from_a_fit_that_did_not_see_it() -> None:
    def coin(_rounds: int, seed: int) -> Pipeline:
        return Pipeline([("rate", DummyClassifier(strategy="prior"))])

    quarter = small_quarter()
    selection = select(quarter, [Contender("rate", "the late rate", coin)], 1, seed=1)
    # A fold whose late loans are held out has the lower rate: the constant is right nowhere, and never informative.
    assert selection.scores[0].roc_auc == (0.5,) * 10
    assert roc_auc_score(quarter.target, selection.out_of_fold) <= 0.5


def test_progress_counts_fits() -> None:
    reports = []
    select(small_quarter(), FEW[:1], 5, seed=1, progress=lambda *report: reports.append(report))
    assert reports == [(number, 10) for number in range(1, 11)]


def test_a_contender_that_the_gate_would_refuse_is_left_out_with_its_columns() -> None:
    selection = select(small_quarter(), FEW, 5, seed=1)
    first = selection.chosen
    other = selection.without_chosen(["grade"])
    assert other.chosen == 1 - first
    assert np.array_equal(other.out_of_fold, selection.held_out[1 - first])
    document = other.to_dict()
    assert document["chosen"] == FEW[1 - first].name
    assert [contender["not_monotone_in"] for contender in document["contenders"]][first] == ["grade"]
