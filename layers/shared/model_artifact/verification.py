"""Verifies that a pickle may serve here: the libraries match, it holds a model, and its probabilities are unchanged.

``model_registry.reader`` compares the size and the sha256 before.
"""

from __future__ import annotations

import importlib
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from model_artifact.errors import ArtifactError, LibraryMismatchError, UnsuitableModelError
from model_artifact.opening.allow_list import DEFAULT, AllowList
from model_artifact.opening.load import load_pipeline
from model_artifact.pipeline import PipelineScorer, check_pipeline
from model_artifact.probes import check_probes
from model_registry.manifest import Manifest

# How many parts of a library's version must agree; None for all. scikit-learn promises no compatibility between any two
# versions; NumPy and joblib keep their formats within a minor version. Python's version may differ, and isn't compared.
_COMPARED_PARTS = {"scikit-learn": None, "numpy": 2, "joblib": 2}


def running_environment() -> dict[str, str]:
    """Return the versions of Python, scikit-learn, NumPy and joblib that run here, in a manifest's form."""
    return {"python": platform.python_version(), **{name: _installed(name) for name in _COMPARED_PARTS}}


def check_environment(pickled_with: Mapping[str, str]) -> None:
    """Compare a manifest's environment with the running one.

    Raises
    ------
    LibraryMismatchError
        If scikit-learn differs at all, NumPy or joblib differ in their major or minor version, or one is missing.
    """
    running = running_environment()
    for library, parts in _COMPARED_PARTS.items():
        recorded = pickled_with.get(library, "unknown")
        if recorded.split(".")[:parts] != running[library].split(".")[:parts]:
            raise LibraryMismatchError(library, recorded, running[library])


def load_verified(data: bytes, manifest: Manifest, allow_list: AllowList = DEFAULT) -> Any:
    """Load a version that the manifest describes, or refuse it.

    Parameters
    ----------
    data : bytes
        The pickle; its sha256 was compared with the manifest's.
    manifest : Manifest
        The version's description.
    allow_list : AllowList
        The names that the pickle may use.

    Returns
    -------
    object
        A pipeline for ``pipeline.late_probabilities``.

    Raises
    ------
    ArtifactError
        If the libraries differ, the pickle is incomplete or uses a name that isn't allowed, or the model can't serve or
        gives other probabilities than when it was published.
    """
    check_environment(manifest.environment)
    pipeline = load_pipeline(data, allow_list)
    try:
        check_pipeline(pipeline)
        check_probes(manifest.probes, PipelineScorer(pipeline).late_probabilities)
    except ArtifactError:
        raise
    except Exception as error:  # a damaged model may raise anything
        raise UnsuitableModelError(
            f"The model can't score the probe records ({type(error).__name__}: {error}). Publish another version."
        ) from error
    return pipeline


def _installed(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        # A package that was copied without its metadata, as slimmed deployments are.
        module = importlib.import_module("sklearn" if library == "scikit-learn" else library)
        return str(module.__version__)
