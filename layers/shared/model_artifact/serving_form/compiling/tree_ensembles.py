"""Reads the ensembles of scikit-learn's decision trees: a single tree, bagging, AdaBoost and gradient boosting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.special import logit
from sklearn._loss.loss import HalfBinomialLoss
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, BaseEnsemble, GradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from model_artifact.serving_form.compiling.raw_trees import CodeQuestions, RawTrees, join_trees, tree_nodes
from model_artifact.serving_form.errors import NotCompilableError

_LATE = 1
TREES = (DecisionTreeClassifier, ExtraTreeClassifier)


def single_tree(tree: Any) -> RawTrees:
    """Return a fitted tree that is a classifier by itself."""
    return _mean([(tree, None)])


def forest_trees(forest: BaseEnsemble) -> RawTrees:
    """Return the trees of a fitted forest of classifiers with two classes and one output."""
    if forest.n_outputs_ != 1:
        raise NotCompilableError("a forest with several outputs")
    return _mean((tree, None) for tree in forest.estimators_)


def bagged_trees(bagging: BaggingClassifier) -> RawTrees:
    """Return the trees of a fitted ``BaggingClassifier`` of trees."""
    return _mean(zip(bagging.estimators_, bagging.estimators_features_, strict=True))


def adaboost_trees(boosting: AdaBoostClassifier) -> RawTrees:
    """Return the trees of a fitted ``AdaBoostClassifier`` of trees: each adds its weight to its class.

    The log-odds are twice the weighted mean of the trees' votes −1 and 1 (``_compute_proba_from_decision``).
    """
    weights = 2.0 * boosting.estimator_weights_ / boosting.estimator_weights_.sum()
    trees = []
    for estimator, weight in zip(boosting.estimators_, weights.tolist(), strict=False):
        _check_tree(estimator)
        votes = np.where(estimator.tree_.value[:, 0, :].argmax(axis=1) == _LATE, weight, -weight)
        trees.append((tree_nodes(estimator.tree_, votes), CodeQuestions()))
    return RawTrees("log_odds", 0.0, *join_trees(trees))


def gradient_boosted_trees(boosting: GradientBoostingClassifier) -> RawTrees:
    """Return the trees of a fitted ``GradientBoostingClassifier`` that begins with zero or the classes' shares."""
    if type(boosting._loss) is not HalfBinomialLoss or boosting.n_trees_per_iteration_ != 1:
        raise NotCompilableError("a GradientBoostingClassifier with another loss than log_loss on two classes")
    base = 0.0
    if not (isinstance(boosting.init_, str) and boosting.init_ == "zero"):
        init = boosting.init_
        if type(init) is not DummyClassifier or init.strategy != "prior":
            raise NotCompilableError(f"a GradientBoostingClassifier that begins with a {type(init).__name__}")
        share = np.clip(init.class_prior_[_LATE], np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
        base = float(logit(share))
    rate = boosting.learning_rate
    trees = [
        (tree_nodes(tree.tree_, rate * tree.tree_.value[:, 0, 0]), CodeQuestions()) for (tree,) in boosting.estimators_
    ]
    return RawTrees("log_odds", base, *join_trees(trees))


def _mean(trees: Iterable[tuple[Any, Any]]) -> RawTrees:
    """Return trees whose late probabilities are averaged, each on its own columns of the matrix (None: on all)."""
    read = []
    for estimator, features in trees:
        _check_tree(estimator)
        nodes = tree_nodes(estimator.tree_, estimator.tree_.value[:, 0, _LATE])
        if features is not None:
            is_question = nodes["column"] >= 0
            nodes["column"][is_question] = np.asarray(features)[nodes["column"][is_question]]
        read.append((nodes, CodeQuestions()))
    return RawTrees("mean", 0.0, *join_trees(read))


def _check_tree(estimator: Any) -> None:
    if type(estimator) not in TREES:
        raise NotCompilableError(f"an ensemble of {type(estimator).__name__}")
    if estimator.n_outputs_ != 1 or len(estimator.classes_) != _LATE + 1:
        raise NotCompilableError("a tree that saw one class only, or several outputs")
