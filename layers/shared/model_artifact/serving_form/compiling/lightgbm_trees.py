"""Reads the trees of LightGBM's classifier from the model's own text (``Booster.model_to_string``).

How LightGBM walks them: ``Tree::NumericalDecision`` and ``Tree::CategoricalDecision`` (include/LightGBM/tree.h). The
library itself isn't imported: it belongs to the pickle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.serving_form.compiling.raw_trees import (
    CodeQuestion,
    CodeQuestions,
    MissingNumbers,
    Nodes,
    RawTrees,
    codes_of,
    join_trees,
    make_nodes,
)
from model_artifact.serving_form.errors import NotCompilableError

# kZeroThreshold (include/LightGBM/meta.h): what is this close to zero is zero.
_ZERO = float(np.float32(1e-35))

# The bits of a node's decision_type: 2 and 3 are the missing type.
_IS_CATEGORY, _IS_DEFAULT_LEFT, _MISSING_TYPE_PLACE = 1, 2, 2
_MISSING_IS_ZERO_TOO, _MISSING_IS_NAN = 1, 2

_Section = dict[str, str]


def lightgbm_trees(classifier: Any) -> RawTrees:
    """Return the trees of a fitted ``LGBMClassifier`` with two classes, up to its best iteration.

    Raises ``NotCompilableError`` for another objective than ``binary`` or ``cross_entropy``, linear trees, and early
    stopping of predictions.
    """
    if classifier.get_params().get("pred_early_stop"):
        raise NotCompilableError("a LGBMClassifier with pred_early_stop")
    header, sections = read_model(classifier.booster_.model_to_string())
    scale = _sigmoid(header.get("objective", "of one's own"))
    if int(header["num_tree_per_iteration"]) != 1 or not sections:
        raise NotCompilableError("a LGBMClassifier without trees, or with several in each iteration")
    if "average_output" in header:
        scale /= len(sections)
    return RawTrees(
        "log_odds", 0.0, *join_trees(_tree(tree, scale) for tree in sections), blank=MissingNumbers(-_ZERO, _ZERO)
    )


def read_model(text: str) -> tuple[_Section, list[_Section]]:
    """Return the header and the trees of a model's text, as keys and values."""
    header, *trees = text.partition("\nend of trees")[0].split("\nTree=")
    sections = [dict(line.partition("=")[::2] for line in part.splitlines()) for part in (header, *trees)]
    return sections[0], sections[1:]


def _sigmoid(objective: str) -> float:
    """Return the factor of the log-odds; ``objective`` is ``binary sigmoid:1``, for example."""
    name, *options = objective.split()
    if name == "cross_entropy":
        return 1.0
    if name != "binary":
        raise NotCompilableError(f"a LGBMClassifier with the objective {name}, not binary or cross_entropy")
    return float(dict(option.split(":") for option in options if ":" in option)["sigmoid"])


def _tree(tree: _Section, scale: float) -> tuple[Nodes, CodeQuestions]:
    if tree.get("is_linear", "0") != "0":
        raise NotCompilableError("a LGBMClassifier with linear_tree")
    leaf_value = _numbers(tree["leaf_value"]) * scale
    n_questions = len(leaf_value) - 1
    if n_questions == 0:
        return make_nodes(np.array([True]), leaf_value, 0, 0.0, False, 0, 0), CodeQuestions()
    threshold = _numbers(tree["threshold"])
    decision = _whole(tree["decision_type"])
    is_category = decision & _IS_CATEGORY > 0
    missing_type = np.where(is_category, _MISSING_IS_NAN, decision >> _MISSING_TYPE_PLACE & 3)
    if np.any(~is_category & (np.abs(threshold) < _ZERO)):
        raise NotCompilableError("a LGBMClassifier with a threshold inside what it takes for zero")
    # A missing category goes right. A missing number is zero, unless missing values were seen in training.
    is_missing_left = np.where(missing_type == 0, threshold >= 0, decision & _IS_DEFAULT_LEFT > 0) & ~is_category
    left, right = (_whole(tree[name]) for name in ("left_child", "right_child"))
    asks = _whole(tree["split_feature"]), threshold, is_missing_left, _places(left), _places(right)
    of_leaves = np.zeros(len(leaf_value), dtype=np.int64)
    nodes = make_nodes(
        np.arange(n_questions + len(leaf_value)) >= n_questions,
        np.concatenate([np.zeros(n_questions), leaf_value]),
        *(np.concatenate([values, of_leaves]) for values in asks),
    )
    nodes["has_blank"][:n_questions] = missing_type == _MISSING_IS_ZERO_TOO
    return nodes, _code_questions(tree, threshold, is_category)


def _code_questions(tree: _Section, threshold: NDArray[np.float64], is_category: NDArray[np.bool_]) -> CodeQuestions:
    """Return the questions about categories: the threshold is the number of a bitset of the codes that go left."""
    questions = CodeQuestions()
    if is_category.any():
        ends, words = _whole(tree["cat_boundaries"]).tolist(), _whole(tree["cat_threshold"])
        for node in np.flatnonzero(is_category).tolist():
            bitset = int(threshold[node])
            questions[node] = CodeQuestion(codes_of(words[ends[bitset] : ends[bitset + 1]]))
    return questions


def _places(children: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the children's places in an array of questions, then leaves; the text has ``~n`` for the n-th leaf."""
    return np.where(children >= 0, children, len(children) + ~children)


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array(text.split(), dtype=np.float64)


def _whole(text: str) -> NDArray[np.int64]:
    return np.array(text.split(), dtype=np.int64)
