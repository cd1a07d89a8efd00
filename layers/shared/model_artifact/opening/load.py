"""Loading a pickle without running what it says: only what models are made of is resolved, built and called.

The reader is Python's own pure one (joblib's is built on it too), with three changes: names go through an allow-list
before anything is imported, arrays are rebuilt by ``numpy_pickles``, and a pickle may call and set only what ``parts``
knows: no class of an estimator with arguments, no attribute that it does not have. ``settling`` then looks at what the
attributes hold. A served pickle's sha256 was checked before any of this; here is the second door.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import re
import types
import warnings
from collections.abc import Container, Iterator, Mapping
from typing import IO, Any, ClassVar

import numpy as np

from model_artifact.errors import ArtifactError, DisallowedNameError, LibraryMismatchError, UnreadablePickleError
from model_artifact.opening import attributes, audit, known_classes, numpy_pickles, tree_checks
from model_artifact.opening.allow_list import DEFAULT, AllowList
from model_artifact.opening.compression import open_stream

# The basic forest takes 82 MB unpacked; the function has 1,769 MiB for this and everything else.
MAX_UNPACKED_BYTES = 256 << 20

# Where scikit-learn's estimators keep the version that pickled them (sklearn/base.py, __getstate__): the key, its memo
# opcode and the string's header, the version.
_PICKLED_VERSION = re.compile(
    rb"_sklearn_version.{2,10}?(\d+\.\d+(?:\.\d+)?(?:(?:a|b|rc|\.dev|\.post)\d+)?)", re.DOTALL
)

_STATELESS = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    np.ufunc,
)

# What the pickle's own functions and classes are replaced by.
_STAND_INS: Mapping[str, object] = {**numpy_pickles.RESOLVED, known_classes.TREE: tree_checks.make_tree}
_CALLED = (*(value for value in _STAND_INS.values() if isinstance(value, types.FunctionType)), set, frozenset, slice)

# Opcodes that no estimator's pickle has: they build by other ways, or reach outside the file.
_UNUSED_OPCODES = (
    pickle.INST,
    pickle.OBJ,
    pickle.NEWOBJ_EX,
    pickle.EXT1,
    pickle.EXT2,
    pickle.EXT4,
    pickle.PERSID,
    pickle.BINPERSID,
    pickle.NEXT_BUFFER,
    pickle.READONLY_BUFFER,
)


def load_pipeline(data: bytes, allow_list: AllowList = DEFAULT, *, max_unpacked_bytes: int = MAX_UNPACKED_BYTES) -> Any:
    """Load a model's pickle, as ``joblib.dump`` or ``pickle.dump`` wrote it.

    Parameters
    ----------
    data : bytes
        The file, uncompressed or compressed by zlib, gzip, bz2, lzma or xz.
    allow_list : AllowList
        What the pickle may ask for.
    max_unpacked_bytes : int
        How many bytes it may have when it is decompressed.

    Returns
    -------
    object
        What the pickle held, with ``n_jobs`` 1 and ``verbose`` 0 throughout. ``scoring.check_pipeline`` says whether it
        is a model.

    Raises
    ------
    UnreadablePickleError
        If the bytes are no complete pickle.
    DisallowedNameError
        If it asks for a name that is not allowed; nothing of it was imported or called.
    LibraryMismatchError
        If it was pickled with another version of scikit-learn.
    """
    if not data:
        raise UnreadablePickleError("The pickle is empty (0 bytes). Copy the file again.")
    try:
        with _inconsistent_versions_as_errors():
            stream = open_stream(data, max_unpacked_bytes)
            if stream.peek(1)[:1] != pickle.PROTO:
                raise pickle.UnpicklingError("it does not begin as a pickle of protocol 2 or later")
            added = _Added(allow_list.added)
            pipeline = _Unpickler(stream, allow_list, added).load()
            _check_end(stream)
            audit.settle(pipeline, added.objects)
    except DisallowedNameError as error:
        # A name of scikit-learn's that is not known here may be of another version: then that is the better message.
        if error.name.startswith("sklearn."):
            _check_pickled_version(data)
        raise
    except LibraryMismatchError:
        raise
    except Exception as error:
        _check_pickled_version(data)
        if isinstance(error, ArtifactError):
            raise
        raise UnreadablePickleError(
            f"The file is no complete pickle of a model{_looks_like(data)} ({type(error).__name__}: {error}). "
            "Pickle the fitted pipeline with joblib.dump and copy the whole file."
        ) from error
    return pipeline


class _Added:
    """What the pickle asked for by a name that the operator added."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self.objects: list[object] = []

    def remember(self, name: str, found: object) -> object:
        if name in self._names:
            self.objects.append(found)
        return found

    def has(self, found: object) -> bool:
        return any(found is added for added in self.objects)


class _Unpickler(pickle._Unpickler):  # pure Python: the one whose steps can be overridden
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    # What the base class keeps its half-built objects and its remembered ones in.
    stack: list[Any]
    memo: dict[int, Any]
    metastack: list[list[Any]]

    def __init__(self, file: IO[bytes], allow_list: AllowList, added: _Added) -> None:
        super().__init__(file)
        self._file = file
        self._allow_list = allow_list
        self._added = added

    def find_class(self, module: str, name: str) -> Any:
        if module == "__builtin__":  # as protocol 2 writes it
            module = "builtins"
        full_name = f"{module}.{name}"
        if full_name in _STAND_INS:
            return _STAND_INS[full_name]
        return self._added.remember(full_name, self._allow_list.resolve(module, name))

    def load_reduce(self) -> None:
        function = self.stack[-2]
        is_known = any(function is known for known in _CALLED) or _is_listed(function, known_classes.COMPILED)
        if not is_known and not self._added.has(function):
            raise DisallowedNameError(f"a call of {_name(function)}")
        pickle._Unpickler.dispatch[pickle.REDUCE[0]](self)  # type: ignore[arg-type]

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_newobj(self) -> None:
        arguments, kind = self.stack[-1], self.stack[-2]
        if not self._added.has(kind):
            is_known = kind is numpy_pickles.ArrayHeader or _is_listed(kind, known_classes.PARTS)
            if not is_known or type(arguments) is not tuple or arguments:
                raise DisallowedNameError(f"a new {_name(kind)}")
        pickle._Unpickler.dispatch[pickle.NEWOBJ[0]](self)  # type: ignore[arg-type]

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_build(self) -> None:
        state, instance = self.stack[-1], self.stack[-2]
        if instance is None or isinstance(instance, _STATELESS):
            raise DisallowedNameError(f"state of {getattr(instance, '__qualname__', instance)!s}")
        if isinstance(instance, np.dtype):
            self._replace(instance, numpy_pickles.build_dtype(instance, state))
        elif isinstance(instance, np.ndarray):
            self._replace(instance, numpy_pickles.build_array(state))
        else:
            if not self._added.has(type(instance)):
                attributes.check_state(instance, state)
            elif isinstance(state, dict):
                attributes.check_keys(type(instance), state)
            pickle._Unpickler.dispatch[pickle.BUILD[0]](self)  # type: ignore[arg-type]
            if isinstance(instance, numpy_pickles.ArrayHeader):
                self.stack[-1] = self._read_array(instance)

    dispatch[pickle.BUILD[0]] = load_build

    def _replace(self, old: object, new: object) -> None:
        """End a BUILD with another object than the one it began with, also where the pickle remembers that one."""
        self.stack.pop()
        self.stack[-1] = new
        for key, remembered in self.memo.items():
            if remembered is old:
                self.memo[key] = new

    def _read_array(self, header: numpy_pickles.ArrayHeader) -> object:
        if header.has_objects():
            return _Unpickler(self._file, self._allow_list, self._added).load()
        return header.read(self._file)


def _refuse_opcode(_unpickler: _Unpickler) -> None:
    raise UnreadablePickleError("The pickle is built in a way that no estimator's is, or refers to what is outside it.")


def _is_listed(found: object, names: Container[str]) -> bool:
    return isinstance(found, type) and known_classes.name_of(found) in names


def _name(found: object) -> str:
    return str(getattr(found, "__qualname__", found))[:200]


def _only_on(kind: type, opcode: bytes, depth: int | None) -> Any:
    """Return an opcode's action that takes nothing but a plain container: another object could have such a method."""
    act = pickle._Unpickler.dispatch[opcode[0]]

    def load(unpickler: _Unpickler) -> None:
        target = unpickler.stack[-depth] if depth else unpickler.metastack[-1][-1]
        if type(target) is not kind:
            raise DisallowedNameError(f"items of {_name(type(target))}")
        act(unpickler)  # type: ignore[arg-type]

    return load


_Unpickler.dispatch |= {
    pickle.APPEND[0]: _only_on(list, pickle.APPEND, 2),
    pickle.APPENDS[0]: _only_on(list, pickle.APPENDS, None),
    pickle.SETITEM[0]: _only_on(dict, pickle.SETITEM, 3),
    pickle.SETITEMS[0]: _only_on(dict, pickle.SETITEMS, None),
    pickle.ADDITEMS[0]: _only_on(set, pickle.ADDITEMS, None),
}
for _opcode in _UNUSED_OPCODES:
    _Unpickler.dispatch[_opcode[0]] = _refuse_opcode


@contextlib.contextmanager
def _inconsistent_versions_as_errors() -> Iterator[None]:
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            yield
        except InconsistentVersionWarning as warning:
            raise LibraryMismatchError(
                "scikit-learn", str(warning.original_sklearn_version), str(warning.current_sklearn_version)
            ) from warning


def _check_end(stream: io.BufferedReader) -> None:
    if stream.read(1):
        raise UnreadablePickleError("Other bytes follow the pickle. Copy the file again.")


def _check_pickled_version(data: bytes) -> None:
    """Raise ``LibraryMismatchError`` if the file names another scikit-learn: that explains whatever else went wrong."""
    import sklearn

    pickled_with = _find_pickled_version(data)
    if pickled_with not in (None, sklearn.__version__):
        raise LibraryMismatchError("scikit-learn", str(pickled_with), sklearn.__version__)


def _find_pickled_version(data: bytes) -> str | None:
    try:
        unpacked = open_stream(data, MAX_UNPACKED_BYTES).read()
    except Exception:  # noqa: BLE001 - the file is damaged in one of many ways, which is being reported already
        return None
    found = _PICKLED_VERSION.search(unpacked)
    return found.group(1).decode() if found else None


def _looks_like(data: bytes) -> str:
    if data.lstrip()[:1] == b"<":
        return "; it looks like a web page"
    if data.startswith(b"PK\x03\x04"):
        return "; it looks like a zip archive"
    return ""
