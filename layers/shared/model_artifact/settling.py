"""Making a loaded model safe to run: its compiled trees stay inside their arrays, and it stays in one thread.

scikit-learn's trees are walked by compiled code that follows a node's child indices without looking; a damaged or
forged node would read foreign memory or never end. In what scikit-learn grows, a child always comes after its parent,
so a tree whose children do is finite and inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from model_artifact.errors import UnreadablePickleError

_TREE = ("sklearn.tree._tree", "Tree")
_PREDICTOR = ("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor")


def check_state(instance: object, state: object) -> None:
    """Check the state of a ``sklearn.tree`` tree before it is given to compiled code; other objects pass.

    Raises
    ------
    UnreadablePickleError
        If the tree's nodes do not fit together.
    """
    if _kind(instance) != _TREE:
        return
    if not isinstance(state, Mapping) or not isinstance(state.get("nodes"), np.ndarray):
        raise UnreadablePickleError("A tree in the pickle is damaged.")
    nodes: np.ndarray = state["nodes"]
    if nodes.ndim != 1 or len(nodes) == 0 or state.get("node_count") != len(nodes):
        raise UnreadablePickleError("A tree in the pickle is damaged.")
    inner = nodes["left_child"] != -1
    _check_nodes(nodes["left_child"], nodes["right_child"], nodes["feature"], inner, int(instance.n_features))  # type: ignore[attr-defined]


def settle(pipeline: object) -> None:
    """Check what was not checked while loading, and put every estimator to one job without messages.

    Parameters
    ----------
    pipeline : object
        The loaded object, changed in place.

    Raises
    ------
    UnreadablePickleError
        If a tree's nodes do not fit together.
    """
    for part in _parts(pipeline):
        if _kind(part) == _PREDICTOR:
            continue
        attributes = vars(part)
        if "n_jobs" in attributes:
            attributes["n_jobs"] = 1
        if "verbose" in attributes and _is_estimator(part):
            attributes["verbose"] = 0
        for predictor in _flat(attributes.get("_predictors", ())):
            _check_predictor(predictor, int(getattr(part, "n_features_in_", 0)))


def _check_predictor(predictor: Any, n_features: int) -> None:
    nodes = getattr(predictor, "nodes", None)
    if _kind(predictor) != _PREDICTOR or not isinstance(nodes, np.ndarray) or nodes.ndim != 1 or len(nodes) == 0:
        raise UnreadablePickleError("A boosted tree in the pickle is damaged.")
    inner = nodes["is_leaf"] == 0
    _check_nodes(
        nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), nodes["feature_idx"], inner, n_features
    )
    bitsets = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
    if len(bitsets) and int(bitsets.max()) >= len(predictor.raw_left_cat_bitsets):
        raise UnreadablePickleError("A boosted tree in the pickle is damaged.")


def _check_nodes(left: Any, right: Any, feature: Any, inner: Any, n_features: int) -> None:
    """Raise unless every inner node's children come after it and exist, and its feature exists."""
    parents = np.flatnonzero(inner)
    for children in (left[inner], right[inner]):
        if np.any(children <= parents) or np.any(children >= len(inner)):
            raise UnreadablePickleError("A tree in the pickle is damaged: a node's child does not come after it.")
    if np.any(feature[inner] < 0) or np.any(feature[inner] >= n_features):
        raise UnreadablePickleError("A tree in the pickle is damaged: it splits by a column that does not exist.")


def _parts(root: object) -> Iterator[object]:
    """Yield the objects with attributes of their own that a model is made of, each once."""
    seen: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, (str, bytes, int, float, type)):
            continue
        seen.add(id(part))
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple, set, frozenset)) or _is_object_array(part):
            waiting.extend(_flat(part))
        elif hasattr(part, "__dict__") and not callable(part):
            yield part
            waiting.extend(vars(part).values())


def _flat(values: object) -> Iterator[object]:
    if isinstance(values, np.ndarray):
        yield from values.ravel().tolist()
    elif isinstance(values, (list, tuple, set, frozenset)):
        for value in values:
            if isinstance(value, (list, tuple)):
                yield from _flat(value)
            else:
                yield value
    elif isinstance(values, Iterable):
        yield from values


def _is_object_array(part: object) -> bool:
    return isinstance(part, np.ndarray) and part.dtype == np.dtype(object)


def _is_estimator(part: object) -> bool:
    return hasattr(part, "get_params")


def _kind(instance: object) -> tuple[str, str]:
    return type(instance).__module__, type(instance).__qualname__
