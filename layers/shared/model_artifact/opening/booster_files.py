"""Opens a booster's own file: LightGBM's text, or XGBoost's JSON or UBJSON.

Such a file holds numbers and nothing that could be run. It is read here first. Then the library makes its classifier of
it, in the limited process that opens a candidate, so that the arrays can be compared with the library itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from model_artifact.errors import UnreadablePickleError, UnsuitableModelError
from model_artifact.native_categories import find_native_labels
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES

# Reading JSON takes ten times as much memory.
MAX_BYTES = 64 << 20

_LIGHTGBM, _XGBOOST = "lightgbm", "xgboost"
_TEXT_START = b"tree\n"
# The library itself writes no labels, its Python package does.
_TEXT_END = re.compile(r"\nend of trees\n.*\nend of parameters\n\s*(?:pandas_categorical:(.*))?\s*\Z", re.DOTALL)
_CUT_OFF = "it is cut off"
_NAMES_LINE = re.compile(r"^feature_names=.*$", re.MULTILINE)
_OBJECTIVES = {_LIGHTGBM: ("binary", "cross_entropy"), _XGBOOST: ("binary:logistic", "reg:logistic")}
# The keys of other files in JSON, and what to do about them.
_OTHER_FILES = {
    "features_info": "CatBoost's files aren't taken: hand the fitted pipeline over as a pickle (docs/models.md)",
    "tree_info": "this is LightGBM's dump_model: write its text with booster_.save_model('model.txt')",
}


def library_of(data: bytes) -> str | None:
    """Return the library whose own file this looks like; None for a pickle, or anything else."""
    if _unix(data[:100]).startswith(_TEXT_START):
        return _LIGHTGBM
    return _XGBOOST if data.startswith((b"{", b"[")) else None


def with_columns(data: bytes, columns: Sequence[str]) -> bytes:
    """Return a booster's file in which the columns have these names, in the file's order.

    Raises ``UnsuitableModelError`` if the names aren't the ten of the schema, or the file can't be changed.
    """
    library = library_of(data)
    if library is None:
        raise UnsuitableModelError("--columns goes with a booster's own file. A pickled model knows its columns.")
    if sorted(columns) != sorted(FIELD_NAMES):
        raise UnsuitableModelError(f"--columns names {', '.join(columns)}. Name each of {', '.join(FIELD_NAMES)} once.")
    with _damage_explained():
        if library == _LIGHTGBM:
            return _NAMES_LINE.sub(f"feature_names={' '.join(columns)}", _text(data), count=1).encode()
        if not _is_json(data):
            raise UnsuitableModelError("--columns can't be written into UBJSON. Save the booster as model.json.")
        document = _document(data)
        document["learner"]["feature_names"] = list(columns)
        return json.dumps(document).encode()


def open_booster(data: bytes) -> Any:
    """Return the library's own classifier with the file's trees.

    Raises
    ------
    UnreadablePickleError
        If the file is cut off, damaged or too large, or its library isn't installed.
    UnsuitableModelError
        If it predicts something else than the probability of one of two classes, or its columns aren't the ten.
    """
    if len(data) > MAX_BYTES:
        raise UnreadablePickleError(f"The file has more than {MAX_BYTES:,} bytes. Train a smaller model.")
    with _damage_explained():
        model = _open_lightgbm(_text(data)) if library_of(data) == _LIGHTGBM else _open_xgboost(data)
    names = list(getattr(model, "feature_names_in_", ()))
    if sorted(names) != sorted(FIELD_NAMES):
        known = f"calls its columns {', '.join(names)}" if names else "doesn't name its columns"
        raise UnsuitableModelError(
            f"The file {known}. Train it on the ten columns {', '.join(FIELD_NAMES)}, or name the columns of the file "
            "in its order with --columns."
        )
    if unlabelled := [name for name in CATEGORY_NAMES if name not in find_native_labels(model)]:
        raise UnsuitableModelError(
            f"The file doesn't say which labels {', '.join(unlabelled)} may have. Train on a data frame in which they "
            "have pandas' category type (XGBoost keeps them since 3.1), or pickle the fitted pipeline with joblib.dump."
        )
    return model


@contextmanager
def _damage_explained() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UnreadablePickleError(
            f"The file is compared with {error.name} itself, which isn't installed here. Install it where you publish; "
            "the function doesn't need it."
        ) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(f"{type(error).__name__}: {error}") from error


def _open_lightgbm(text: str) -> Any:
    from model_artifact.serving_form.compiling.lightgbm_trees import read_model

    header, trees = read_model(text)
    end = _TEXT_END.search(text)
    if end is None or len(trees) != len(header["tree_sizes"].split()):
        raise _damaged(_CUT_OFF)
    json.loads(end[1] or "null")
    _check_objective(_LIGHTGBM, header.get("objective", "one's own").split()[0])
    from lightgbm import Booster, LGBMClassifier

    model: Any = LGBMClassifier(n_jobs=1)
    # What `fit` would set (lightgbm/sklearn.py); the library itself can't make a classifier of a file.
    model._Booster = Booster(model_str=text)
    model._n_features = model._n_features_in = model._Booster.num_feature()
    model._n_classes, model._classes, model._objective = 2, [0, 1], header["objective"]
    model.fitted_ = model._fitted_with_feature_names = True
    return model


def _open_xgboost(data: bytes) -> Any:
    if not data.rstrip().endswith((b"}", b"]")):
        raise _damaged(_CUT_OFF)
    document = _document(data) if _is_json(data) else None
    if document is not None:
        _check_objective(_XGBOOST, document["learner"]["objective"]["name"])
    from xgboost import Booster, XGBClassifier
    from xgboost.core import XGBoostError

    booster = Booster()
    try:
        booster.load_model(bytearray(data))
    except XGBoostError as error:
        raise _damaged("XGBoost can't read it") from error
    if document is None:
        _check_objective(_XGBOOST, json.loads(booster.save_config())["learner"]["objective"]["name"])
    # What the wrapper wrote about itself, such as that it was a regressor with a logistic objective.
    booster.set_attr(scikit_learn=None)
    model = XGBClassifier(n_jobs=1)
    model.load_model(booster.save_raw("json"))
    return model


def _check_objective(library: str, name: str) -> None:
    if name not in _OBJECTIVES[library]:
        raise UnsuitableModelError(
            f"The file's objective is {name}, which gives no late probability. Train with {_OBJECTIVES[library][0]} "
            "on is_late as it is in the data."
        )


def _document(data: bytes) -> dict[str, Any]:
    document = json.loads(data)
    if not isinstance(document, dict) or "learner" not in document:
        advice = next((advice for key, advice in _OTHER_FILES.items() if key in document), None)
        raise UnsuitableModelError(
            f"This isn't a file of XGBoost's save_model; {advice or 'write one with booster.save_model'}."
        )
    return document


def _is_json(data: bytes) -> bool:
    """Return whether it is JSON; UBJSON has a length or a type after the brace."""
    return data.startswith(b"[") or data[1:].lstrip()[:1] in (b'"', b"}", b"")


def _text(data: bytes) -> str:
    return _unix(data).decode()


def _unix(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def _damaged(how: str) -> UnreadablePickleError:
    return UnreadablePickleError(f"The booster's file isn't complete ({how}). Save it again and copy the whole file.")
