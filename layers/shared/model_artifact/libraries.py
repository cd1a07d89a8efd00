"""Compares the versions of the libraries that run here with those that a model was pickled with."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Mapping
from importlib import metadata

from model_artifact.errors import LibraryMismatchError

# How many parts of a library's version must agree; None for all. scikit-learn promises no compatibility between any two
# versions; NumPy and joblib keep their formats within a minor version. Python's version may differ, and isn't compared.
_COMPARED_PARTS = {"scikit-learn": None, "numpy": 2, "joblib": 2}


def running_environment() -> dict[str, str]:
    """Return the versions of Python, scikit-learn, NumPy and joblib that run here, in a manifest's form."""
    return {"python": platform.python_version(), **{name: _installed(name) for name in _COMPARED_PARTS}}


def check_environment(pickled_with: Mapping[str, str]) -> None:
    """Raise ``LibraryMismatchError`` if a manifest's environment can't be trusted to compute the same here.

    scikit-learn may not differ at all, NumPy and joblib only in their patch version, and none may be missing.
    """
    running = running_environment()
    for library, parts in _COMPARED_PARTS.items():
        recorded = pickled_with.get(library, "unknown")
        if recorded.split(".")[:parts] != running[library].split(".")[:parts]:
            raise LibraryMismatchError(library, recorded, running[library])


def _installed(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        # A package that was copied without its metadata, as slimmed deployments are.
        module = importlib.import_module("sklearn" if library == "scikit-learn" else library)
        return str(module.__version__)
