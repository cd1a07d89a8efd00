"""Reads the trees of scikit-learn's ensembles as plain arrays, in preorder.

Reads private attributes where scikit-learn has no public ones. Its version is pinned, and ``parity`` would notice if
their meaning changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn._loss.loss import HalfBinomialLoss
from sklearn.ensemble import BaseEnsemble, HistGradientBoostingClassifier

from model_artifact.serving_form.errors import NotCompilableError

_LATE = 1
_CATEGORIES_A_WORD = 32

_NODE = np.dtype(
    [
        # The matrix's column that the node asks about, −1 at a leaf.
        ("column", np.int64),
        # The threshold, or the leaf's value.
        ("value", np.float64),
        ("is_missing_left", np.bool_),
        # The children; the right one is 0 at a leaf of ``RawTrees``.
        ("left", np.int64),
        ("right", np.int64),
    ]
)
Nodes = NDArray[np.void]
# For a node that asks whether a code is in a set: the codes that go left, and all known codes.
LeftCodes = dict[int, tuple[frozenset[int], frozenset[int]]]


@dataclass(frozen=True)
class RawTrees:
    """All nodes of all trees, each tree in preorder: a node's left child follows it.

    ``output`` and ``base`` are as in ``TreesForm``. ``roots`` are each tree's first node. ``order`` is the classifier's
    own order of the matrix's columns, if it has one.
    """

    output: Literal["log_odds", "mean"]
    base: float
    roots: NDArray[np.int64]
    nodes: Nodes
    left_codes: LeftCodes
    order: list[int] | None = None


def forest_trees(forest: BaseEnsemble) -> RawTrees:
    """Return the trees of a fitted forest of classifiers with two classes and one output."""
    if forest.n_outputs_ != 1:
        raise NotCompilableError("a forest with several outputs")
    trees = ((_forest_nodes(estimator.tree_), LeftCodes()) for estimator in forest.estimators_)
    return RawTrees("mean", 0.0, *_join(trees))


def boosted_trees(model: HistGradientBoostingClassifier) -> RawTrees:
    """Return the trees of a fitted ``HistGradientBoostingClassifier`` with two classes."""
    if type(model._loss) is not HalfBinomialLoss or model.n_trees_per_iteration_ != 1:
        raise NotCompilableError("gradient boosting with another loss than log_loss on two classes")
    known_codes, place = model._bin_mapper.make_known_categories_bitsets()
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        left_codes = {
            int(node): (
                _codes(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]),
                _codes(known_codes[place[nodes["feature_idx"][node]]]),
            )
            for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf)
        }
        asks = nodes["feature_idx"], nodes["num_threshold"], nodes["missing_go_to_left"]
        trees.append((_nodes(is_leaf, nodes["value"], *asks, nodes["left"], nodes["right"]), left_codes))
    order = None
    if model.is_categorical_ is not None:
        # Its own ColumnTransformer puts the categorical columns first.
        order = [*np.flatnonzero(model.is_categorical_).tolist(), *np.flatnonzero(~model.is_categorical_).tolist()]
    return RawTrees("log_odds", float(np.ravel(model._baseline_prediction)[0]), *_join(trees), order)


def _forest_nodes(tree: Any) -> Nodes:
    asks = tree.feature, tree.threshold, tree.missing_go_to_left
    return _nodes(tree.children_left < 0, tree.value[:, 0, _LATE], *asks, tree.children_left, tree.children_right)


def _nodes(is_leaf: Any, leaf: Any, column: Any, threshold: Any, is_missing_left: Any, left: Any, right: Any) -> Nodes:
    nodes = np.empty(len(is_leaf), dtype=_NODE)
    nodes["column"] = np.where(is_leaf, -1, column)
    nodes["value"] = np.where(is_leaf, leaf, threshold)
    nodes["is_missing_left"] = is_missing_left
    nodes["left"] = left
    nodes["right"] = right
    return nodes


def _codes(bitset: NDArray[np.uint32]) -> frozenset[int]:
    words = bitset.tolist()
    return frozenset(
        code
        for code in range(_CATEGORIES_A_WORD * len(words))
        if words[code // _CATEGORIES_A_WORD] >> (code % _CATEGORIES_A_WORD) & 1
    )


def _join(trees: Iterable[tuple[Nodes, LeftCodes]]) -> tuple[NDArray[np.int64], Nodes, LeftCodes]:
    """Return the roots, the nodes in preorder, and the codes by the nodes' new places."""
    roots, parts, left_codes = [], [], LeftCodes()
    size = 0
    for tree, codes_of in trees:
        preorder = _preorder(tree)
        place = np.empty(len(tree), dtype=np.int64)
        place[preorder] = np.arange(size, size + len(tree))
        nodes = tree[preorder]
        is_leaf = nodes["column"] < 0
        nodes["right"] = np.where(is_leaf, 0, place[np.where(is_leaf, 0, nodes["right"])])
        left_codes |= {int(place[node]): codes for node, codes in codes_of.items()}
        roots.append(size)
        parts.append(nodes)
        size += len(tree)
    return np.array(roots, dtype=np.int64), np.concatenate(parts), left_codes


def _preorder(tree: Nodes) -> NDArray[np.int64]:
    columns, left, right = (tree[name].tolist() for name in ("column", "left", "right"))
    order: list[int] = []
    waiting = [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        if columns[node] >= 0:
            waiting += (right[node], left[node])
    if len(order) != len(columns):
        raise NotCompilableError("a tree with nodes that can't be reached")
    return np.array(order, dtype=np.int64)
