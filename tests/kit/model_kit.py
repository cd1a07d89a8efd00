"""Small models that are fitted on generated loans, and harmful pickles, for tests of every kind."""

from __future__ import annotations

import functools
import io
import os
import pickle
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from model_artifact.opening.load import open_pickle
from model_artifact.pipeline import PipelineScorer, check_pipeline
from model_artifact.schema import FIELD_NAMES
from training.data import Quarter, read_quarter
from training.loans import sample_data
from training.recipes import basic_model
from training.recipes.contenders import monotone_trees
from training.recipes.recipe import DEFAULT_SEED

# One thread, as in the function: on two cores, OpenMP's threads make a single row up to 25 times as slow.
threadpool_limits(limits=1, user_api="openmp")


@functools.cache
def small_quarter(rows: int = 3000) -> Quarter:
    """The first rows of the generated training data."""
    return read_quarter("small.csv", _generated_loans().head(rows).to_csv(index=False).encode())


@functools.cache
def _generated_loans() -> pd.DataFrame:
    return sample_data.generate()[0]


@functools.cache
def small_forest() -> Pipeline:
    """The basic pipeline with five trees."""
    return basic_model.fit(small_quarter(), 5, n_jobs=1)[0]


@functools.cache
def small_boosted() -> Pipeline:
    """The improved pipeline with five trees."""
    quarter = small_quarter()
    return monotone_trees(5, DEFAULT_SEED).fit(quarter.features, quarter.target)


def dumped(model: object, compress: Any = 3) -> bytes:
    """The bytes that ``joblib.dump`` writes."""
    file = io.BytesIO()
    joblib.dump(model, file, compress=compress)
    return file.getvalue()


class OpenedHere(PipelineScorer):
    """Opens a pickle of a test's own in this process; a ``ModelProcess`` takes seconds to start."""

    def __init__(self, pickle: bytes, probe_records: Sequence[Mapping[str, Any]] = (), **_options: object) -> None:
        super().__init__(None)
        self._pickle = pickle
        self._probe_records = probe_records

    def is_ready(self, within_s: float = 0.0) -> bool:
        return True

    def wait(self) -> dict[str, Any]:
        pipeline = open_pickle(self._pickle)
        check_pipeline(pipeline)
        super().__init__(pipeline)
        return {"probe_probabilities": self.late_probabilities(self._probe_records)}

    def close(self) -> None:
        """No process has to be ended."""

    def wait_for_end(self) -> None:
        """No process has to be kept."""


class Calls:
    """Unpickles as a call of ``function``."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


def harmful_pickles(canary: Path) -> dict[str, bytes]:
    """Return harmful pickles by their trick; loading one without checks makes the file ``canary``, or worse."""
    command = f"touch '{canary}'"
    touches = Calls(os.system, command)
    in_a_model = Pipeline([("trees", small_boosted()), ("model", "placeholder")])
    in_a_model.steps[1] = ("model", touches)
    code = f"open({str(canary)!r}, 'w').close()"
    plain = {
        "os.system": touches,
        "nested in a model": in_a_model,
        "nested in a dictionary's keys": {(touches,): 1},
        "in an array of objects": np.array([touches, None], dtype=object),
        "eval": Calls(eval, code.replace("open", "__builtins__['open']")),
        "exec": Calls(exec, code),
        "open": Calls(open, str(canary), "w"),
        "foreign function in a FunctionTransformer": FunctionTransformer(os.system),
        "numpy's own runner of code": Calls(_named("numpy.testing._private.utils", "runstring"), code, {}),
    }
    by_name: dict[str, tuple[str, str]] = {
        "dotted walk from scikit-learn": ("sklearn.ensemble._forest", "np.os.system"),
        "dotted walk from the utilities": ("sklearn.utils._joblib", "joblib.os.system"),
        "dotted walk from an allowed class": ("sklearn.pipeline", "Pipeline.__init__.__globals__"),
        "a module that scikit-learn imported": ("sklearn.ensemble._forest", "threading"),
        "a function of scikit-learn": ("sklearn.datasets", "fetch_openml"),
        "a function of an allowed module": ("sklearn.pipeline", "make_pipeline"),
        "getattr": ("builtins", "getattr"),
        "import": ("builtins", "__import__"),
        "ctypes": ("ctypes", "CDLL"),
        "numpy's ctypes": ("numpy.ctypeslib", "load_library"),
        "numpy's reconstruction of any type": ("numpy", "ndarray.__reduce__"),
        "joblib's reading of other files": ("joblib.numpy_pickle_compat", "ZNDArrayWrapper"),
        "pickle in pickle": ("pickle", "loads"),
        "partial": ("functools", "partial"),
        "attribute getter": ("operator", "attrgetter"),
        "code objects": ("types", "CodeType"),
        "a re-exported class": ("sklearn.ensemble", "RandomForestClassifier"),
        "a class of the tests": ("sklearn.ensemble.tests.test_base", "BaseEstimator"),
    }
    return {
        **{name: dumped(value, compress) for compress in (3,) for name, value in plain.items()},
        **{name: _call_by_name(module, attribute, command) for name, (module, attribute) in by_name.items()},
        "protocol 0": b"(S" + repr(command).encode() + b"\nios\nsystem\n.",
        "state set on a class": _state_on_a_class(),
        "object from outside": b"\x80\x04\x8c\x01xQ.",
        "extension code": b"\x80\x04\x82\x01.",
        "raw bytes as object pointers": _forged_object_array(),
        "raw bytes as an object": _forged_object_scalar(),
    }


def scoring_pickles(canary: Path) -> dict[str, bytes]:
    """Pickles of estimators alone that run ``touch canary`` when a record is scored where MODEL_BUCKET is set."""
    code = (
        f"__import__('os').environ.get('MODEL_BUCKET') and __import__('os').system('touch {canary}'), "
        "__import__('numpy').tile([0.98, 0.02], (5, 1))"
    )
    expression = f'@np._core.numeric.builtins.eval("({code})[1]")'
    evaluates = _evaluating_pipeline(expression)
    with_methods = pickle.loads(pickle.dumps(small_boosted()))
    with_methods[0].transform = np.float64
    in_a_column = pickle.loads(pickle.dumps(small_boosted()))
    name, _, columns = in_a_column[0].transformers_[0]
    in_a_column[0].transformers_[0] = (name, FunctionTransformer(str), columns)
    by_format = pickle.loads(pickle.dumps(small_boosted()))
    by_format[0].verbose_feature_names_out = "{feature_name:>9999999999}"
    by_callable = pickle.loads(pickle.dumps(small_forest()))
    by_callable[0].transformers_[1][1][1].feature_name_combiner = str
    cached = pickle.loads(pickle.dumps(small_boosted()))
    cached.memory = str(canary)
    return {
        "expression by stacking": dumped(evaluates),
        "expression by stacking, uncompressed": dumped(evaluates, 0),
        "expression by stacking, protocol 2": pickle.dumps(evaluates, 2),
        "expression in a step of a model": dumped(Pipeline([("first", evaluates), *small_boosted().steps])),
        "class in a method's place": dumped(with_methods),
        "class as a column's function": dumped(in_a_column),
        "column names by a format": dumped(by_format),
        "class that names columns": dumped(by_callable),
        "folder to cache in": dumped(cached),
        "voting": dumped(Pipeline([("columns", small_boosted()[0]), ("vote", VotingClassifier([("a", "drop")]))])),
    }


def _evaluating_pipeline(expression: str) -> Pipeline:
    """A pipeline that spells an expression letter by letter and has the data frame evaluate it."""
    nothing = FrozenEstimator(None)

    def calling(method: str) -> StackingClassifier:
        stacking = StackingClassifier([], None)
        vars(stacking).update(
            estimators_=[nothing], stack_method_=[method], passthrough=False, classes_=np.array([0, 1])
        )
        return stacking

    first = calling("__init__")
    vars(first).update(
        _concatenate_predictions=FunctionTransformer, feature_names_in_=np.array(FIELD_NAMES, dtype=object)
    )
    letters = expression.encode()
    single_bytes = [Pipeline([("a", FunctionTransformer(set)), ("b", FunctionTransformer(bool))]) for _ in letters[1:]]
    spelling = FeatureUnion(
        [
            (f"t{place}", part)
            for place, part in enumerate([Pipeline([("a", first), ("b", FunctionTransformer(bool))]), *single_bytes])
        ],
        n_jobs=1,
        transformer_weights={f"t{place}": letter for place, letter in enumerate(letters)},
    )
    spelling._hstack = bytes
    last = FunctionTransformer()
    vars(last).update(classes_=np.array([0, 1]), predict_proba=np.float64, predict=FunctionTransformer)
    as_text = FunctionTransformer(str, kw_args={"encoding": "ascii"})
    return Pipeline([("spell", spelling), ("text", as_text), ("evaluate", calling("eval")), ("last", last)])


def _named(module: str, name: str) -> Callable[..., object]:
    import importlib

    return getattr(importlib.import_module(module), name)


def _string(text: str) -> bytes:
    content = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def _call_by_name(module: str, name: str, argument: str) -> bytes:
    resolved = _string(module) + _string(name) + pickle.STACK_GLOBAL
    return b"\x80\x04" + resolved + _string(argument) + pickle.TUPLE1 + pickle.REDUCE + pickle.STOP


def _state_on_a_class() -> bytes:
    """Would replace a method of a class for everybody in the process."""
    forest = _string("sklearn.ensemble._forest") + _string("RandomForestClassifier") + pickle.STACK_GLOBAL
    replacement = _string("builtins") + _string("str") + pickle.STACK_GLOBAL
    attributes = pickle.EMPTY_DICT + _string("predict_proba") + replacement + pickle.SETITEM
    return b"\x80\x04" + forest + pickle.NONE + attributes + pickle.TUPLE2 + pickle.BUILD + pickle.STOP


def _forged_object_type() -> bytes:
    """A type of object pointers whose flags deny that it holds objects."""
    constructor = _string("numpy") + _string("dtype") + pickle.STACK_GLOBAL
    arguments = _string("O8") + pickle.NEWFALSE + pickle.NEWTRUE + pickle.TUPLE3
    state = pickle.MARK + b"K\x03" + _string("|") + pickle.NONE * 3 + b"K\x08K\x08K\x00" + pickle.TUPLE
    return constructor + arguments + pickle.REDUCE + state + pickle.BUILD


def _forged_object_array() -> bytes:
    constructor = _string("numpy._core.numeric") + _string("_frombuffer") + pickle.STACK_GLOBAL
    raw = pickle.SHORT_BINBYTES + b"\x08" + b"A" * 8
    arguments = pickle.MARK + raw + _forged_object_type() + b"K\x01" + pickle.TUPLE1 + _string("C") + pickle.TUPLE
    return b"\x80\x04" + constructor + arguments + pickle.REDUCE + pickle.STOP


def _forged_object_scalar() -> bytes:
    constructor = _string("numpy._core.multiarray") + _string("scalar") + pickle.STACK_GLOBAL
    arguments = _forged_object_type() + pickle.SHORT_BINBYTES + b"\x08" + b"A" * 8 + pickle.TUPLE2
    return b"\x80\x04" + constructor + arguments + pickle.REDUCE + pickle.STOP
