"""Reads the trees of scikit-learn's ensembles as plain arrays, in preorder.

Reads private attributes where scikit-learn has no public ones. Its version is pinned, and ``parity`` would notice if
their meaning changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn._loss.loss import HalfBinomialLoss
from sklearn.ensemble import HistGradientBoostingClassifier

from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.form import Output

_CATEGORIES_A_WORD = 32

_NODE = np.dtype(
    [
        # The matrix's column that the node asks about, −1 at a leaf.
        ("column", np.int64),
        # The threshold, or the leaf's value.
        ("value", np.float64),
        ("is_missing_left", np.bool_),
        # Whether numbers in ``RawTrees.blank`` count as missing.
        ("has_blank", np.bool_),
        # The children; the right one is 0 at a leaf of ``RawTrees``.
        ("left", np.int64),
        ("right", np.int64),
    ]
)
Nodes = NDArray[np.void]


@dataclass(frozen=True)
class CodeQuestion:
    """A question about a category: whether its code is one of ``codes``, which go left if ``are_left``.

    A code that isn't in ``known`` is as good as missing; None stands for all codes.
    """

    codes: frozenset[int]
    are_left: bool = True
    known: frozenset[int] | None = None

    def goes_left(self, x: float, *, is_missing_left: bool) -> bool:
        """Return the side of a value of the matrix."""
        if not x.is_integer():
            raise NotCompilableError(f"a question about a category whose code is {x}")
        if self.known is not None and x not in self.known | self.codes:
            return is_missing_left
        return (x in self.codes) is self.are_left


# By node.
CodeQuestions = dict[int, CodeQuestion]


@dataclass(frozen=True)
class MissingNumbers:
    """Numbers of the matrix, ``low`` to ``high``, that count as missing: as they are, or after a cast to float32."""

    low: float
    high: float
    is_float32: bool = False

    def __contains__(self, x: float) -> bool:
        return self.low <= x <= self.high


@dataclass(frozen=True)
class RawTrees:
    """All nodes of all trees, each tree in preorder: a node's left child follows it.

    ``output`` and ``base`` are as in ``TreesForm``. ``roots`` are each tree's first node. ``order`` is the classifier's
    own order of the matrix's columns, if it has one.
    """

    output: Output
    base: float
    roots: NDArray[np.int64]
    nodes: Nodes
    code_questions: CodeQuestions
    order: list[int] | None = None
    blank: MissingNumbers | None = None


def boosted_trees(model: HistGradientBoostingClassifier) -> RawTrees:
    """Return the trees of a fitted ``HistGradientBoostingClassifier`` with two classes."""
    if type(model._loss) is not HalfBinomialLoss or model.n_trees_per_iteration_ != 1:
        raise NotCompilableError("gradient boosting with another loss than log_loss on two classes")
    known_codes, place = model._bin_mapper.make_known_categories_bitsets()
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        code_questions = {
            int(node): CodeQuestion(
                codes_of(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]),
                known=codes_of(known_codes[place[nodes["feature_idx"][node]]]),
            )
            for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf)
        }
        asks = nodes["feature_idx"], nodes["num_threshold"], nodes["missing_go_to_left"]
        trees.append((make_nodes(is_leaf, nodes["value"], *asks, nodes["left"], nodes["right"]), code_questions))
    order = None
    if model.is_categorical_ is not None:
        # Its own ColumnTransformer puts the categorical columns first.
        order = [*np.flatnonzero(model.is_categorical_).tolist(), *np.flatnonzero(~model.is_categorical_).tolist()]
    return RawTrees("log_odds", float(np.ravel(model._baseline_prediction)[0]), *join_trees(trees), order)


def tree_nodes(tree: Any, leaves: NDArray[np.float64]) -> Nodes:
    """Return the nodes of a fitted decision tree (``sklearn.tree``), given the values of its leaves, node by node."""
    asks = tree.feature, tree.threshold, tree.missing_go_to_left
    return make_nodes(tree.children_left < 0, leaves, *asks, tree.children_left, tree.children_right)


def make_nodes(
    is_leaf: Any, leaf: Any, column: Any, threshold: Any, is_missing_left: Any, left: Any, right: Any
) -> Nodes:
    """Return one tree's nodes from arrays of length n_nodes; at leaves only ``leaf`` matters, elsewhere the others."""
    nodes = np.empty(len(is_leaf), dtype=_NODE)
    nodes["column"] = np.where(is_leaf, -1, column)
    nodes["value"] = np.where(is_leaf, leaf, threshold)
    nodes["is_missing_left"] = is_missing_left
    nodes["has_blank"] = False
    nodes["left"] = left
    nodes["right"] = right
    return nodes


def codes_of(bitset: NDArray[np.integer[Any]]) -> frozenset[int]:
    """Return the codes whose bits are set, from the lowest bit of the first word on."""
    words = bitset.tolist()
    return frozenset(
        code
        for code in range(_CATEGORIES_A_WORD * len(words))
        if words[code // _CATEGORIES_A_WORD] >> (code % _CATEGORIES_A_WORD) & 1
    )


def join_trees(
    trees: Iterable[tuple[Nodes, CodeQuestions]],
) -> tuple[NDArray[np.int64], Nodes, CodeQuestions]:
    """Return the roots, the nodes in preorder, and the questions about codes by the nodes' new places."""
    roots, parts, code_questions = [], [], CodeQuestions()
    size = 0
    for tree, of_tree in trees:
        preorder = _preorder(tree)
        place = np.full(len(tree), -1, dtype=np.int64)
        place[preorder] = np.arange(size, size + len(preorder))
        nodes = tree[preorder]
        is_leaf = nodes["column"] < 0
        nodes["right"] = np.where(is_leaf, 0, place[np.where(is_leaf, 0, nodes["right"])])
        code_questions |= {int(place[node]): question for node, question in of_tree.items() if place[node] >= 0}
        roots.append(size)
        parts.append(nodes)
        size += len(preorder)
    return np.array(roots, dtype=np.int64), np.concatenate(parts), code_questions


def _preorder(tree: Nodes) -> NDArray[np.int64]:
    # Pruned nodes, which can't be reached, are left out.
    columns, left, right = (tree[name].tolist() for name in ("column", "left", "right"))
    order: list[int] = []
    waiting = [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        if len(order) > len(columns):
            raise NotCompilableError("a tree whose nodes go round in a circle")
        if columns[node] >= 0:
            waiting += (right[node], left[node])
    return np.array(order, dtype=np.int64)
