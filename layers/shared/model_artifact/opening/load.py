"""Opens a pickle. That runs whatever the pickle says, so it happens only in a process of its own (``child``)."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from model_artifact.errors import ArtifactError, DisallowedNamesError, LibraryMismatchError, UnreadablePickleError
from model_artifact.opening.scan import find_names, is_allowed, unpack

# Where scikit-learn's estimators keep the version that pickled them (sklearn/base.py, __getstate__): the key, its memo
# opcode and the string's header, the version.
_PICKLED_VERSION = re.compile(
    rb"_sklearn_version.{2,10}?(\d+\.\d+(?:\.\d+)?(?:(?:a|b|rc|\.dev|\.post)\d+)?)", re.DOTALL
)
# What pickle says of a class or function that its module hasn't.
_MISSING_NAME = re.compile(r"Can't get attribute '([^']+)'")


def check_names(data: bytes) -> set[str]:
    """Scan a pickle without opening it, and return the packages that it asks for.

    Raises
    ------
    DisallowedNamesError
        If it asks for names outside the packages that models are made of. The error lists all of them.
    UnreadablePickleError
        If it isn't a complete pickle.
    """
    with _damage_explained(data):
        names = find_names(unpack(data))
    unknown = [f"{module}.{name}" for module, name in names if not is_allowed(module, name)]
    if unknown:
        raise DisallowedNamesError(unknown)
    return {module.partition(".")[0] for module, _ in names}


def open_pickle(data: bytes) -> Any:
    """Open a pickle, as ``joblib.dump``, ``pickle.dump`` or ``cloudpickle.dump`` wrote it.

    Parameters
    ----------
    data : bytes
        The file, uncompressed or compressed by zlib, gzip, bz2, lzma or xz.

    Returns
    -------
    object
        What it holds. Each part runs in one thread (``n_jobs=1``) and prints nothing (``verbose=0``).
        ``pipeline.check_pipeline`` says whether it is a model.

    Raises
    ------
    UnreadablePickleError
        If the bytes aren't a complete pickle, or it needs a module that isn't installed.
    LibraryMismatchError
        If it was pickled with another version of scikit-learn.
    """
    import joblib

    with _damage_explained(data), _inconsistent_versions_as_errors():
        model = joblib.load(io.BytesIO(unpack(data)))
    _make_quiet(model)
    return model


@contextlib.contextmanager
def _damage_explained(data: bytes) -> Iterator[None]:
    if not data:
        raise UnreadablePickleError("The pickle is empty (0 bytes). Copy the file again.")
    try:
        yield
    except LibraryMismatchError:
        raise
    except ModuleNotFoundError as error:
        raise UnreadablePickleError(
            f"The pickle needs the module {error.name!r}, which isn't installed here. Install it where the model is "
            "published and served, or pickle the module by value with cloudpickle (docs/models.md)."
        ) from error
    except Exception as error:
        _check_pickled_version(data)
        if isinstance(error, ArtifactError):
            raise
        if name := _MISSING_NAME.match(str(error)):
            raise UnreadablePickleError(
                f"The pickle asks for {name[1]!r} of a notebook, a script or a module that has changed: it isn't here. "
                "Write the pickle by cloudpickle.dump, which puts code of your own into it (docs/models.md)."
            ) from error
        raise UnreadablePickleError(
            f"The file isn't a complete pickle of a model{_looks_like(data)} ({type(error).__name__}: {error}). "
            "Pickle the fitted pipeline with joblib.dump and copy the whole file."
        ) from error


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


def _make_quiet(model: object) -> None:
    """Set ``n_jobs`` to 1 and ``verbose`` to 0 in a model and all its parts.

    On two cores, more threads make a single row up to 25 times as slow.
    """
    pending, seen = [model], set()
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, (list, tuple)):
            pending.extend(part)
        elif hasattr(part, "get_params") and not isinstance(part, type):
            attributes: dict[str, Any] = vars(part)
            for name, value in (("n_jobs", 1), ("verbose", 0)):
                if name in attributes:
                    attributes[name] = value
            pending.extend(_containers(attributes.values()))


def _containers(values: Iterable[object]) -> list[object]:
    return [value for value in values if isinstance(value, (dict, list, tuple)) or hasattr(value, "get_params")]


def _check_pickled_version(data: bytes) -> None:
    """Raise ``LibraryMismatchError`` if the file names another scikit-learn: that explains whatever else went wrong."""
    import sklearn

    try:
        found = _PICKLED_VERSION.search(unpack(data))
    except ArtifactError:
        return
    pickled_with = found.group(1).decode() if found else sklearn.__version__
    if pickled_with != sklearn.__version__:
        raise LibraryMismatchError("scikit-learn", pickled_with, sklearn.__version__)


def _looks_like(data: bytes) -> str:
    if data.lstrip()[:1] == b"<":
        return "; it looks like a web page"
    if data.startswith(b"PK\x03\x04"):
        return "; it looks like a zip archive"
    return ""
