"""A published version, loaded and verified for scoring a table: as its arrays, or as its pickle where it has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.probes import compare_probes
from model_artifact.schema import FIELD_NAMES
from model_registry.errors import InvalidManifestError
from model_registry.manifest import Manifest
from model_registry.reader import RegistryReader
from peerloan.scoring.row_rules import Columns


@dataclass(frozen=True)
class TableModel:
    """What scores a table.

    Attributes
    ----------
    identity : str
        Everything that a result depends on, as a text.
    version : int
        The version's number.
    form : str
        ``arrays`` or ``pickle``.
    threshold : float
        Late from here on.
    late_probabilities : callable
        Returns P(is_late = 1) of each row of the ten columns.
    """

    identity: str
    version: int
    form: str
    threshold: float
    late_probabilities: Callable[[Columns], NDArray[np.float64]]


def load_version(reader: RegistryReader, version: int) -> TableModel:
    """Fetch a version, verify it as the function does, and return it.

    Raises
    ------
    RegistryError, ArtifactError
        If it is not there, or does not pass.
    """
    manifest = reader.get_manifest(version)
    if (manifest.model, manifest.version) != (reader.model, version):
        raise InvalidManifestError(
            f"The manifest of {reader.model!r} version {version} is another one's. Publish again."
        )
    if manifest.serving_form is not None:
        return _model(manifest, "arrays", manifest.serving_form.sha256, _from_arrays(reader, manifest))
    return _model(manifest, "pickle", manifest.artifact.sha256, _from_pickle(reader, manifest))


def _model(manifest: Manifest, form: str, sha256: str, score: Callable[[Columns], NDArray[np.float64]]) -> TableModel:
    threshold = manifest.threshold.value
    identity = f"{manifest.model} {manifest.version} {form} {sha256} {threshold!r}"
    return TableModel(identity, manifest.version, form, threshold, score)


def _from_arrays(reader: RegistryReader, manifest: Manifest) -> Callable[[Columns], NDArray[np.float64]]:
    from model_artifact.serving_form.scorers.record_scorer import load_scorer

    scorer = load_scorer(reader.get_serving_form(manifest))
    compare_probes(manifest.probes, scorer.late_probabilities([probe.record for probe in manifest.probes]))
    return scorer.late_probabilities_of_columns


def _from_pickle(reader: RegistryReader, manifest: Manifest) -> Callable[[Columns], NDArray[np.float64]]:
    # Imported here: scikit-learn takes a second, and most versions serve without.
    from model_artifact.features import frame_from_records
    from model_artifact.pipeline import late_probabilities
    from model_artifact.verification import load_verified

    pipeline = load_verified(reader.get_artifact(manifest), manifest)
    return lambda columns: late_probabilities(pipeline, frame_from_records(_records(columns)))


def _records(columns: Columns) -> Sequence[dict[str, Any]]:
    # NaN is a missing value to frame_from_records too.
    return [
        dict(zip(FIELD_NAMES, row, strict=True)) for row in zip(*map(columns.__getitem__, FIELD_NAMES), strict=True)
    ]
