"""Reads the trees of CatBoost's classifier on numbers. Each tree asks one question a level, the same at all its nodes.

How CatBoost walks and adds them: ``x > border`` on float32 goes right, and so the answers are the leaf's number in
binary, the first question's the lowest bit; leaves are added in float64. The library isn't imported: it belongs to the
pickle. Its own file formats hold the same, but the process that opens candidates may not write a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.serving_form.compiling.raw_trees import CodeQuestions, Nodes, RawTrees, join_trees, make_nodes
from model_artifact.serving_form.errors import NotCompilableError

_LOSSES = ("Logloss", "CrossEntropy")
# A question about a number, as CatBoost prints it for its pictures: with six digits of the border.
_QUESTION = re.compile(r"(\d+), bin=(\S+)")

_Question = tuple[int, float]


def catboost_trees(classifier: Any) -> RawTrees:
    """Return the trees of a fitted ``CatBoostClassifier`` with two classes.

    Raises ``NotCompilableError`` for another loss, trees that aren't symmetric, missing numbers above all others, and
    columns of categories, texts or embeddings, which CatBoost encodes by hashes.
    """
    options = classifier.get_all_params()
    loss = options.get("loss_function")
    if loss not in _LOSSES:
        raise NotCompilableError(f"a CatBoostClassifier with the loss {loss}")
    for name, usual in (("grow_policy", "SymmetricTree"), ("nan_mode", "Min")):
        if options.get(name, usual) != usual:
            raise NotCompilableError(f"a CatBoostClassifier with {name}={options[name]!r}")
    scale, bias = classifier.get_scale_and_bias()
    borders = classifier.get_borders()
    ends = np.cumsum(classifier.get_tree_leaf_counts())
    leaves = np.split(scale * np.asarray(classifier.get_leaf_values(), dtype=np.float64), ends[:-1])
    trees = (
        _tree([_question(text, borders) for text in classifier._get_tree_splits(number, None)], of_tree)
        for number, of_tree in enumerate(leaves)
    )
    return RawTrees("log_odds", float(bias), *join_trees(trees))


def _question(text: str, borders: Any) -> _Question:
    """Return the column and the border of a question; the border with all its digits is one of the column's."""
    match = _QUESTION.fullmatch(text)
    if match is None:
        raise NotCompilableError("a CatBoostClassifier that encodes a column itself")
    column = int(match[1])
    same = [border for border in borders[column] if f"{border:g}" == match[2]]
    if len(same) != 1:
        raise NotCompilableError(f"a CatBoostClassifier with {len(same)} borders that are printed as {match[2]}")
    return column, float(np.float32(same[0]))


def _tree(questions: Sequence[_Question], leaves: NDArray[np.float64]) -> tuple[Nodes, CodeQuestions]:
    """Return a tree level by level: the children of node n are 2n + 1 and 2n + 2."""
    depth = len(questions)
    if len(leaves) != 1 << depth:
        raise NotCompilableError("a CatBoostClassifier whose trees aren't symmetric")
    n_questions = len(leaves) - 1
    of_leaves = np.zeros(len(leaves))
    # The last question first: then the leaves are in the order of their numbers.
    of_levels = np.array(questions[::-1], dtype=np.float64).reshape(depth, 2)
    column, border = np.repeat(of_levels, 1 << np.arange(depth), axis=0).T
    number = np.arange(n_questions + len(leaves))
    nodes = make_nodes(
        number >= n_questions,
        np.concatenate([np.zeros(n_questions), leaves]),
        np.concatenate([column, of_leaves]),
        np.concatenate([border, of_leaves]),
        True,
        2 * number + 1,
        2 * number + 2,
    )
    return nodes, CodeQuestions()
