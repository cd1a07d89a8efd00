"""What a pickle may set on an object: the attributes that its class has, none that stand for something of the class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model_artifact.errors import DisallowedNameError, UnreadablePickleError
from model_artifact.opening import known_classes, numpy_pickles, tree_checks

_ISOTONIC = "sklearn.isotonic.IsotonicRegression"


def check_state(instance: object, state: object) -> None:
    """Check a state before it is given to an object of a class on the list.

    Raises
    ------
    DisallowedNameError
        If the object takes none, or the state has an attribute that the class does not.
    UnreadablePickleError
        If it is no state, or does not fit together.
    """
    kind: type = type(instance)
    if kind in (numpy_pickles.ArrayHeader, numpy_pickles.LeftBehind):
        return
    if known_classes.name_of(kind) == known_classes.TREE:
        tree_checks.check_tree_state(instance, state)
        return
    if known_classes.name_of(kind) not in known_classes.PARTS:
        raise DisallowedNameError(f"state of a {kind.__qualname__}")
    if type(state) is not dict:
        raise UnreadablePickleError(f"The state of a {kind.__qualname__} is damaged.")
    check_keys(kind, state)
    known = known_classes.attributes_of(kind)
    for key in state:
        if key not in known:
            raise DisallowedNameError(f"{kind.__qualname__}.{key}")
    if type(state.get("_sklearn_version", "")) is not str:
        raise UnreadablePickleError(f"The state of a {kind.__qualname__} is damaged.")
    if known_classes.name_of(kind) == _ISOTONIC:
        # Taking its state, it builds a function of these.
        _check_thresholds(state.get("X_thresholds_"), state.get("y_thresholds_"))


def check_keys(kind: type, state: Mapping[object, object]) -> None:
    """Raise ``DisallowedNameError`` if a key would take the place of a method, a property, or Python's own names."""
    for key in state:
        if type(key) is not str or (key.startswith("__") and key.endswith("__")):
            raise DisallowedNameError(f"{kind.__qualname__}.{key!s:.100}")
        of_class = getattr(kind, key, None)
        if callable(of_class) or hasattr(of_class, "__get__"):
            raise DisallowedNameError(f"{kind.__qualname__}.{key} in place of the class's own")


def _check_thresholds(*arrays: object) -> None:
    for array in arrays:
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind != "f" or len(array) == 0:
            raise UnreadablePickleError("An isotonic calibration in the pickle is damaged.")
