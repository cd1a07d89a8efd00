"""Whether the trees in a pickle can be walked: compiled code follows their indices without looking.

A damaged or forged node would read foreign memory or never end. In what scikit-learn grows, a child always comes after
its parent, so a tree whose children do is finite and inside. How wide a row is, scikit-learn compares with the
estimator's ``n_features_in_`` at each prediction; so the tree is compared with that, never with what it says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_artifact.errors import UnreadablePickleError

_MAX_CLASSES = 1000
_MAX_FEATURES = 1 << 20


def make_tree(n_features: object, n_classes: object, n_outputs: object) -> object:
    """Stand in for the constructor of scikit-learn's tree, which reads as many class counts as it is told.

    Raises
    ------
    UnreadablePickleError
        If it is told anything but the number of columns, and one number of classes.
    """
    from sklearn.tree._tree import Tree

    is_one = isinstance(n_classes, np.ndarray) and n_classes.shape == (1,) and n_classes.dtype == np.intp
    if not is_one or n_outputs != 1 or not _is_count(n_features, _MAX_FEATURES):
        raise UnreadablePickleError("A tree in the pickle is damaged, or predicts more than one thing.")
    if not 1 <= int(n_classes[0]) <= _MAX_CLASSES:  # type: ignore[index]
        raise UnreadablePickleError("A tree in the pickle is damaged: it has no classes, or too many.")
    return Tree(int(n_features), n_classes, 1)  # type: ignore[call-overload]


def check_tree_state(tree: Any, state: object) -> None:
    """Check the state of a ``sklearn.tree`` tree before it is given to compiled code.

    Raises
    ------
    UnreadablePickleError
        If the tree's nodes do not fit together.
    """
    if not isinstance(state, Mapping) or not isinstance(state.get("nodes"), np.ndarray):
        raise UnreadablePickleError("A tree in the pickle is damaged.")
    nodes: np.ndarray = state["nodes"]
    if nodes.ndim != 1 or len(nodes) == 0 or state.get("node_count") != len(nodes):
        raise UnreadablePickleError("A tree in the pickle is damaged.")
    inner = nodes["left_child"] != -1
    _check_nodes(nodes["left_child"], nodes["right_child"], nodes["feature"], inner, int(tree.n_features))


def check_grown(estimator: Any) -> None:
    """Check what a decision tree, a forest or gradient boosting says of its trees: columns, and shape of the answer."""
    width = estimator.n_features_in_
    if not _is_count(width, _MAX_FEATURES):
        raise UnreadablePickleError("A model in the pickle does not say how many columns it takes.")
    if hasattr(estimator, "tree_"):
        if estimator.tree_.n_features != width or estimator.tree_.node_count < 1:
            raise UnreadablePickleError("A tree in the pickle is damaged: it has other columns than its model.")
        return
    grown = estimator.estimators_
    if isinstance(grown, np.ndarray):
        _check_stages(estimator, grown)
        grown = grown.ravel().tolist()
    if not grown or any(tree.n_features_in_ != width or not hasattr(tree, "tree_") for tree in grown):
        raise UnreadablePickleError("A forest in the pickle is damaged: its trees have other columns than itself.")


def check_boosted(estimator: Any) -> None:
    """Check histogram-based gradient boosting: nodes, columns, categories.

    Splits by sets of categories would be read from bitsets that the pickle sizes. They never get here whole: what
    prepares such columns is a function, and no pickle may hold one.
    """
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    width = estimator.n_features_in_
    rounds = estimator._predictors
    binned = estimator._bin_mapper.is_categorical_
    baseline = estimator._baseline_prediction
    if not (
        _is_count(width, _MAX_FEATURES)
        and isinstance(binned, np.ndarray)
        and binned.shape == (width,)
        and binned.dtype in (np.bool_, np.uint8)
        and not binned.any()
        and isinstance(baseline, np.ndarray | np.floating)
        and baseline.dtype.kind == "f"
        and baseline.size <= _MAX_CLASSES
        and isinstance(rounds, list)
    ):
        raise UnreadablePickleError("A boosted model in the pickle is damaged, or splits by sets of categories.")
    for predictors in rounds:
        if not isinstance(predictors, list) or len(predictors) != estimator.n_trees_per_iteration_:
            raise UnreadablePickleError("A boosted model in the pickle is damaged.")
        for predictor in predictors:
            _check_predictor(predictor, width, PREDICTOR_RECORD_DTYPE)


def _check_predictor(predictor: Any, width: int, record: object) -> None:
    nodes = getattr(predictor, "nodes", None)
    if not isinstance(nodes, np.ndarray) or nodes.dtype != record or nodes.ndim != 1 or len(nodes) == 0:
        raise UnreadablePickleError("A boosted tree in the pickle is damaged.")
    for name in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        bits = getattr(predictor, name)
        if not isinstance(bits, np.ndarray) or bits.dtype != np.uint32 or bits.ndim != 2 or bits.shape[1] != 8:
            raise UnreadablePickleError("A boosted tree in the pickle is damaged.")
    if np.any(nodes["is_categorical"] != 0):
        raise UnreadablePickleError("A boosted tree in the pickle is damaged, or splits by sets of categories.")
    inner = nodes["is_leaf"] == 0
    _check_nodes(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), nodes["feature_idx"], inner, width)


def _check_stages(estimator: Any, grown: np.ndarray) -> None:
    # Compiled code adds stage by stage to an array of that many columns, one value a leaf.
    shape = (len(grown), estimator.n_trees_per_iteration_)
    values = [tree.tree_.value.shape[1:] for tree in grown.ravel().tolist()]
    if grown.shape != shape or any(value != (1, 1) for value in values):
        raise UnreadablePickleError("A boosted model in the pickle is damaged: its trees have another shape.")


def _check_nodes(left: Any, right: Any, feature: Any, inner: Any, n_features: int) -> None:
    """Raise unless every inner node's children come after it and exist, and its feature exists."""
    parents = np.flatnonzero(inner)
    for children in (left[inner], right[inner]):
        if np.any(children <= parents) or np.any(children >= len(inner)):
            raise UnreadablePickleError("A tree in the pickle is damaged: a node's child does not come after it.")
    if np.any(feature[inner] < 0) or np.any(feature[inner] >= n_features):
        raise UnreadablePickleError("A tree in the pickle is damaged: it splits by a column that does not exist.")


def _is_count(number: object, limit: int) -> bool:
    return type(number) is int and 0 < number <= limit
