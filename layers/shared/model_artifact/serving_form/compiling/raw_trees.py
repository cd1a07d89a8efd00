"""Reads the trees of scikit-learn's ensembles as plain arrays, in preorder.

Reads private attributes where scikit-learn has no public ones. Its version is pinned, and ``parity`` would notice if
their meaning changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn._loss.loss import HalfBinomialLoss
from sklearn.ensemble import BaseEnsemble, HistGradientBoostingClassifier

from model_artifact.serving_form.errors import NotCompilableError

_LATE = 1
_CATEGORIES_A_WORD = 32


@dataclass(frozen=True)
class RawTrees:
    """All nodes of all trees, each tree in preorder.

    Attributes
    ----------
    output, base
        As in ``TreesForm``.
    roots : ndarray of shape (n_trees,)
        Each tree's first node.
    column : ndarray of shape (n_nodes,)
        The matrix's column that a node asks about, −1 at a leaf.
    value : ndarray of shape (n_nodes,)
        The threshold, or the leaf's value.
    is_missing_left : ndarray of bool, shape (n_nodes,)
        Whether NaN goes left.
    right : ndarray of shape (n_nodes,)
        The right child, 0 at a leaf.
    left_codes : dict
        For a node that asks whether a code is in a set: the codes that go left, and all known codes.
    order : list of int, optional
        The classifier's own order of the matrix's columns, if it has one.
    """

    output: Literal["log_odds", "mean"]
    base: float
    roots: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray[np.float64]
    is_missing_left: NDArray[np.bool_]
    right: NDArray[np.int64]
    left_codes: dict[int, tuple[frozenset[int], frozenset[int]]]
    order: list[int] | None = None


@dataclass(frozen=True)
class _Tree:
    """One tree as scikit-learn numbers its nodes; ``left_codes`` as above."""

    column: NDArray[np.int64]
    value: NDArray[np.float64]
    is_missing_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    left_codes: dict[int, tuple[frozenset[int], frozenset[int]]]


def forest_trees(forest: BaseEnsemble) -> RawTrees:
    """Return the trees of a fitted forest of classifiers with two classes and one output."""
    if forest.n_outputs_ != 1:
        raise NotCompilableError("a forest with several outputs")
    return _join([_forest_tree(estimator.tree_) for estimator in forest.estimators_], "mean", 0.0)


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
        trees.append(
            _Tree(
                column=np.where(is_leaf, -1, nodes["feature_idx"]),
                value=np.where(is_leaf, nodes["value"], nodes["num_threshold"]),
                is_missing_left=nodes["missing_go_to_left"].astype(bool),
                left=nodes["left"].astype(np.int64),
                right=nodes["right"].astype(np.int64),
                left_codes=left_codes,
            )
        )
    order = None
    if model.is_categorical_ is not None:
        # Its own ColumnTransformer puts the categorical columns first.
        order = [*np.flatnonzero(model.is_categorical_).tolist(), *np.flatnonzero(~model.is_categorical_).tolist()]
    return _join(trees, "log_odds", float(np.ravel(model._baseline_prediction)[0]), order)


def _forest_tree(tree: Any) -> _Tree:
    is_leaf = tree.children_left < 0
    return _Tree(
        column=np.where(is_leaf, -1, tree.feature).astype(np.int64),
        value=np.where(is_leaf, tree.value[:, 0, _LATE], tree.threshold),
        is_missing_left=tree.missing_go_to_left.astype(bool),
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        left_codes={},
    )


def _codes(bitset: NDArray[np.uint32]) -> frozenset[int]:
    words = bitset.tolist()
    return frozenset(
        code
        for code in range(_CATEGORIES_A_WORD * len(words))
        if words[code // _CATEGORIES_A_WORD] >> (code % _CATEGORIES_A_WORD) & 1
    )


def _join(
    trees: Sequence[_Tree], output: Literal["log_odds", "mean"], base: float, order: list[int] | None = None
) -> RawTrees:
    roots, columns, values, missing, rights = [], [], [], [], []
    left_codes: dict[int, tuple[frozenset[int], frozenset[int]]] = {}
    size = 0
    for tree in trees:
        preorder = _preorder(tree)
        place = np.empty(len(preorder), dtype=np.int64)
        place[preorder] = np.arange(size, size + len(preorder))
        roots.append(size)
        columns.append(tree.column[preorder])
        values.append(tree.value[preorder])
        missing.append(tree.is_missing_left[preorder])
        is_leaf = columns[-1] < 0
        rights.append(np.where(is_leaf, 0, place[np.where(is_leaf, 0, tree.right[preorder])]))
        left_codes |= {int(place[node]): codes for node, codes in tree.left_codes.items()}
        size += len(preorder)
    return RawTrees(
        output=output,
        base=base,
        roots=np.array(roots, dtype=np.int64),
        column=np.concatenate(columns),
        value=np.concatenate(values).astype(np.float64),
        is_missing_left=np.concatenate(missing),
        right=np.concatenate(rights),
        left_codes=left_codes,
        order=order,
    )


def _preorder(tree: _Tree) -> NDArray[np.int64]:
    columns, left, right = tree.column.tolist(), tree.left.tolist(), tree.right.tolist()
    order: list[int] = []
    waiting = [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        if columns[node] >= 0:
            waiting.append(right[node])
            waiting.append(left[node])
    if len(order) != len(columns):
        raise NotCompilableError("a tree with nodes that can't be reached")
    return np.array(order, dtype=np.int64)
