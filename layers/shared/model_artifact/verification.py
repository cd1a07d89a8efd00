"""Whether a published version may serve here: same libraries, a model, and still the same probabilities.

The size and the sha256 are checked before, where the bytes are fetched (``model_registry.reader``).
"""

from __future__ import annotations

import importlib
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from model_artifact.errors import ArtifactError, LibraryMismatchError, UnsuitableModelError
from model_artifact.features import frame_from_records
from model_artifact.opening.allow_list import DEFAULT, AllowList
from model_artifact.opening.load import load_pipeline
from model_artifact.pipeline import check_pipeline, late_probabilities
from model_artifact.probes import PROBE_TOLERANCE, compare_probes
from model_registry.manifest import Manifest, Probe

# How many parts of a version must agree: scikit-learn promises nothing between any two versions, NumPy and joblib keep
# their formats within a minor one. Python is recorded only: training and serving need not run the same.
_PARTS_THAT_COUNT = {"scikit-learn": None, "numpy": 2, "joblib": 2}


def running_environment() -> dict[str, str]:
    """Return the versions of Python, scikit-learn, NumPy and joblib that run here, as a manifest keeps them."""
    return {"python": platform.python_version(), **{name: _installed(name) for name in _PARTS_THAT_COUNT}}


def check_environment(pickled_with: Mapping[str, str]) -> None:
    """Compare a manifest's environment with the running one.

    Raises
    ------
    LibraryMismatchError
        If scikit-learn differs at all, NumPy or joblib in their major or minor version, or one of them is not named.
    """
    running = running_environment()
    for library, parts in _PARTS_THAT_COUNT.items():
        theirs = pickled_with.get(library, "unknown")
        if theirs.split(".")[:parts] != running[library].split(".")[:parts]:
            raise LibraryMismatchError(library, theirs, running[library])


def check_probes(pipeline: Any, probes: Sequence[Probe], tolerance: float = PROBE_TOLERANCE) -> None:
    """Score the manifest's probe records and compare.

    Raises
    ------
    ProbeMismatchError
        If one differs from what the manifest says by more than ``tolerance``.
    NonFiniteOutputError
        If one is no probability.
    """
    if not probes:
        return
    actual = late_probabilities(pipeline, frame_from_records([probe.record for probe in probes]))
    compare_probes(probes, actual.tolist(), tolerance)


def load_verified(data: bytes, manifest: Manifest, allow_list: AllowList = DEFAULT) -> Any:
    """Load a version that the manifest describes, or refuse it.

    Parameters
    ----------
    data : bytes
        The pickle, whose sha256 is known to be the manifest's.
    manifest : Manifest
        Its description.
    allow_list : AllowList
        What the pickle may ask for.

    Returns
    -------
    object
        A pipeline for ``scoring.late_probabilities``.

    Raises
    ------
    ArtifactError
        One of its kinds: other libraries, a name that is not allowed, no complete pickle, no suitable model, other
        probabilities than when it was published.
    """
    check_environment(manifest.environment)
    pipeline = load_pipeline(data, allow_list)
    try:
        check_pipeline(pipeline)
        check_probes(pipeline, manifest.probes)
    except ArtifactError:
        raise
    except Exception as error:  # whatever a foreign or damaged model does with a record
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
