"""Making a loaded model safe to run: its attributes hold what their classes score with, and it stays in one thread.

What a pickle can name and set was limited while it was read (``unpickling``, ``states``). This looks at the whole that
came of it, when nothing in it changes any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from model_artifact.errors import DisallowedNameError, UnreadablePickleError
from model_artifact.opening import known_classes, numpy_pickles
from model_artifact.opening.allow_list import NUMBER_TYPES
from model_artifact.opening.encoder_checks import check_encoder
from model_artifact.opening.tree_checks import check_boosted, check_grown

_ANY_PART = frozenset(known_classes.PARTS)
_NOTHING: frozenset[str] = frozenset()

# What would be called, looked up, formatted or opened by what it says: of each, the values that are known to be none
# of these.
_FIXED: dict[str, tuple[object, ...]] = {
    "_is_categorical_remapped": (None,),
    "_preprocessor": (None,),
    "_scorer": (None,),
    "_sklearn_output_config": ({}, {"transform": None}, {"transform": "default"}, {"transform": "pandas"}),
    "feature_name_combiner": ("concat",),
    "func": (None,),
    "inv_kw_args": (None,),
    "inverse_func": (None,),
    "is_categorical_": (None,),
    "kw_args": (None,),
    "memory": (None,),
    "n_outputs_": (1,),
    "transform_input": (None,),
    "transformer_weights": (None,),
    "verbose_feature_names_out": (True, False),
}
# The trees' binning has an array of this name, which ``trees`` looks at.
_NOT_FIXED = {("_BinMapper", "is_categorical_")}

_SCALARS = (type(None), bool, int, float, str, bytes)
_MAX_INTEGER = 1 << 64
_MAX_CLASSES = 1000


def settle(pipeline: object, added: Sequence[object] = ()) -> None:
    """Check what the parts hold, and put every estimator to one job without messages.

    Parameters
    ----------
    pipeline : object
        The loaded object, changed in place.
    added : sequence of object
        What the operator's own names stand for: as values, and as classes of values, they are left as they are.

    Raises
    ------
    UnreadablePickleError
        If something does not fit together.
    DisallowedNameError
        If an attribute holds a function, a class, or a part that does not belong there.
    """
    _Walk(added).visit(pipeline, _ANY_PART, "the model")


class _Walk:
    def __init__(self, added: Sequence[object]) -> None:
        self._added = added
        # By identity, with what was allowed there; all of them are held by the model.
        self._seen: set[tuple[int, frozenset[str]]] = set()
        self._above: set[int] = set()

    def visit(self, value: object, holds: frozenset[str], where: str) -> None:
        """Check a value and all that it holds; ``holds`` are the classes that may be among it."""
        kind = type(value)
        if kind in _SCALARS or isinstance(value, np.generic | np.dtype):
            _check_scalar(value, where)
            return
        if any(value is known for known in self._added):
            return
        if id(value) in self._above:
            raise UnreadablePickleError(f"The pickle holds something that holds itself ({where}).")
        if (id(value), holds) in self._seen:
            return
        self._above.add(id(value))
        for content, its_holds, its_where in self._contents(value, holds, where):
            self.visit(content, its_holds, its_where)
        self._above.remove(id(value))
        self._seen.add((id(value), holds))

    def _contents(self, value: Any, holds: frozenset[str], where: str) -> Iterable[tuple[object, frozenset[str], str]]:
        kind = type(value)
        if kind in (list, tuple, set, frozenset):
            return ((item, holds, where) for item in value)
        if kind is dict:
            return (
                *((key, _NOTHING, where) for key in value),
                *((item, holds, where) for item in value.values()),
            )
        if kind is slice:
            return ((item, _NOTHING, where) for item in (value.start, value.stop, value.step))
        if kind is np.ndarray:
            return _array_contents(value, holds, where)
        return () if kind is numpy_pickles.LeftBehind else self._instance_contents(value, holds, where)

    def _instance_contents(
        self, value: Any, holds: frozenset[str], where: str
    ) -> Iterable[tuple[object, frozenset[str], str]]:
        kind = type(value)
        name = known_classes.name_of(kind)
        if any(kind is known for known in self._added):
            return self._of_operator(value)
        if name not in holds or isinstance(value, type):
            raise DisallowedNameError(f"{known_classes.name_of(value) if isinstance(value, type) else name} as {where}")
        return self._of_part(value, name)

    def _of_operator(self, part: Any) -> Iterable[tuple[object, frozenset[str], str]]:
        _calm(part)
        names = getattr(part, "__dict__", {})
        return ((value, _ANY_PART, f"{type(part).__qualname__}.{name}") for name, value in names.items())

    def _of_part(self, part: Any, name: str) -> Iterable[tuple[object, frozenset[str], str]]:
        if name not in known_classes.PARTS:  # compiled: a loss, a tree
            return ()
        _calm(part)
        _check_part(part, name)
        known = known_classes.PARTS[name].holds
        found = []
        for attribute, value in vars(part).items():
            where = f"{type(part).__qualname__}.{attribute}"
            if attribute == "f_" or (attribute == "dtype" and _is_number_type(value)):
                continue  # what an isotonic calibration built of its own arrays; a number's type
            if attribute == "nodes" and name == known_classes.PREDICTOR:
                continue
            if not any(value is added for added in self._added):
                _check_fixed(type(part), attribute, value, where)
            found.append((value, known.get(attribute, _NOTHING), where))
        return found


def _check_scalar(value: object, where: str) -> None:
    is_huge = isinstance(value, int) and abs(value) > _MAX_INTEGER
    is_record = isinstance(value, np.dtype) and (value.names is not None or value.kind not in "biufUSO")
    if is_huge or is_record or isinstance(value, np.void):
        raise UnreadablePickleError(f"The pickle holds a value that no model needs ({where}).")


def _array_contents(
    array: np.ndarray, holds: frozenset[str], where: str
) -> Iterable[tuple[object, frozenset[str], str]]:
    if array.dtype == np.dtype(object):
        return ((item, holds, where) for item in array.flat)
    if array.dtype.kind not in "biufUS":
        raise UnreadablePickleError(f"The pickle holds an array that no model needs ({where}).")
    return ()


def _check_fixed(kind: type, attribute: str, value: object, where: str) -> None:
    if attribute not in _FIXED or (kind.__name__, attribute) in _NOT_FIXED:
        return
    if isinstance(value, np.ndarray) or value not in _FIXED[attribute]:
        raise DisallowedNameError(f"{type(value).__qualname__} as {where}")


def _check_part(part: Any, name: str) -> None:
    try:
        if name.endswith("Encoder") and "categories_" in vars(part):
            check_encoder(part)
        if "_predictors" in vars(part):
            check_boosted(part)
        if "tree_" in vars(part) or ("estimators_" in vars(part)):
            check_grown(part)
    except (AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
        raise UnreadablePickleError(f"A {type(part).__qualname__} in the pickle is damaged ({error}).") from error
    for attribute in ("n_classes_", "n_classes", "n_trees_per_iteration_"):
        count = vars(part).get(attribute, 1)
        if not isinstance(count, int | np.integer | type(None)) or not 0 <= (count or 0) <= _MAX_CLASSES:
            raise UnreadablePickleError(f"A {type(part).__qualname__} in the pickle is damaged ({attribute}).")


def _calm(part: Any) -> None:
    attributes = getattr(part, "__dict__", {})
    if "n_jobs" in attributes:
        attributes["n_jobs"] = 1
    if "verbose" in attributes and hasattr(part, "get_params"):
        attributes["verbose"] = 0


def _is_number_type(value: object) -> bool:
    return isinstance(value, type) and known_classes.name_of(value) in NUMBER_TYPES
