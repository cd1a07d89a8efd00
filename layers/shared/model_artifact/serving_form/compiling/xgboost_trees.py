"""Reads the trees of XGBoost's classifiers from the model's own JSON (``Booster.save_raw("json")``).

How XGBoost walks and adds them, in float32: ``predictor::GetNextNode`` (src/predictor/predict_fn.h),
``common::Decision`` (src/common/categorical.h), ``Dart::PredictBatchImpl`` (src/gbm/gbtree.cc). The library isn't
imported: it belongs to the pickle.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from model_artifact.serving_form.compiling.raw_trees import (
    CodeQuestion,
    CodeQuestions,
    MissingNumbers,
    Nodes,
    RawTrees,
    join_trees,
    make_nodes,
)
from model_artifact.serving_form.errors import NotCompilableError

_OBJECTIVES = ("binary:logistic", "reg:logistic")


def xgboost_trees(classifier: Any, *, is_sparse: bool) -> RawTrees:
    """Return the trees of a fitted ``XGBClassifier`` or ``XGBRFClassifier`` with two classes, up to its best iteration.

    ``is_sparse`` says whether the classifier is given sparse matrices; to XGBoost their zeros are missing. Raises
    ``NotCompilableError`` for another booster than ``gbtree`` and ``dart``, or another objective than logistic.
    """
    booster = classifier.get_booster()
    document = json.loads(booster.save_raw("json"))
    learner = document["learner"]
    objective = learner["objective"]["name"]
    if objective not in _OBJECTIVES:
        raise NotCompilableError(f"a {type(classifier).__name__} with the objective {objective}, not binary:logistic")
    model = _trees_of(learner)
    trees = model["trees"][: _n_trees(learner, model)]
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees) or not trees:
        raise NotCompilableError(f"a {type(classifier).__name__} without trees, or whose leaves are vectors")
    # Dart's weights: beside the trees since 3.4, and outside before, when the base was added to a leaf and taken off.
    plain, around_base = model.pop("weight_drop", None), learner["gradient_booster"].get("weight_drop")
    weights = plain or around_base or [1.0] * len(trees)
    base = _base(booster, document)
    offset = base if around_base else np.float32(0)
    raw = (_tree(tree, offset, weight) for tree, weight in zip(trees, weights, strict=False))
    blank = _blank(float(classifier.missing), is_sparse=is_sparse)
    joined = RawTrees("log_odds_float32", float(base), *join_trees(raw), blank=blank)
    joined.nodes["has_blank"] = blank is not None
    return joined


def _trees_of(learner: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the JSON that has the trees."""
    booster = learner["gradient_booster"]
    if booster["name"] not in ("gbtree", "dart"):
        raise NotCompilableError(f"an XGBClassifier with the booster {booster['name']}")
    model: dict[str, Any] = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    return model


def _n_trees(learner: dict[str, Any], model: dict[str, Any]) -> int:
    """Return how many trees predict: those up to the best iteration, if training was stopped early."""
    begins: list[int] = model["iteration_indptr"]
    best = learner["attributes"].get("best_iteration")
    return begins[-1] if best is None else begins[int(best) + 1]


def _base(booster: Any, document: dict[str, Any]) -> np.float32:
    """Return the log-odds before any tree, as XGBoost rounds them: the document's own booster without its trees."""
    learner = document["learner"]
    model = _trees_of(learner)
    model |= {"trees": [], "tree_info": [], "iteration_indptr": [0]}
    model["gbtree_model_param"]["num_trees"] = "0"
    learner["attributes"] = {}
    learner["gradient_booster"] = {"name": "gbtree", "model": model}
    # Without trees it would take the base score for one that training has yet to estimate.
    learner["learner_model_param"]["boost_from_average"] = "0"
    empty = type(booster)()
    empty.load_model(bytearray(json.dumps(document).encode("ascii")))
    record = np.zeros((1, int(learner["learner_model_param"]["num_feature"])))
    return np.float32(empty.inplace_predict(record, predict_type="margin", validate_features=False)[0])


def _blank(missing: float, *, is_sparse: bool) -> MissingNumbers | None:
    """Return what counts as missing besides NaN: zeros of a sparse matrix, or the classifier's ``missing``."""
    if is_sparse and not (np.isnan(missing) or missing == 0):
        raise NotCompilableError(f"an XGBClassifier of sparse matrices with missing={missing:g}")
    if is_sparse:
        return MissingNumbers(0.0, 0.0, is_float32=missing == 0)
    if np.isnan(missing):
        return None
    rounded = float(np.float32(missing))
    return MissingNumbers(rounded, rounded, is_float32=True)


def _tree(tree: dict[str, Any], offset: np.float32, weight: float) -> tuple[Nodes, CodeQuestions]:
    left, right = (np.array(tree[name], dtype=np.int64) for name in ("left_children", "right_children"))
    # Thresholds; at leaves the leaf's value.
    value = np.array(tree["split_conditions"], dtype=np.float32)
    leaf = np.float32(weight) * ((value + offset) - offset)
    # x < threshold, for float32: x <= the float32 below it.
    threshold = np.nextafter(value, np.float32(-np.inf))
    is_missing_left = np.array(tree["default_left"], dtype=np.bool_)
    nodes = make_nodes(left < 0, leaf, tree["split_indices"], threshold, is_missing_left, left, right)
    return nodes, CodeQuestions(_code_questions(tree))


def _code_questions(tree: dict[str, Any]) -> CodeQuestions:
    """Return the questions about categories: listed codes go right."""
    parts = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    return {
        node: CodeQuestion(frozenset(tree["categories"][begin : begin + size]), are_left=False)
        for node, begin, size in parts
    }
