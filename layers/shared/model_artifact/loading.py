"""Load a published version, and verify that it may serve.

The function, ``peerloan score`` and ``peerloan report`` load versions here and nowhere else. NumPy, pandas and
scikit-learn are imported only when a pickle is loaded: a version that is served from its arrays needs none of them for
a single record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from model_artifact.errors import ArtifactError, NoReasonsError, ProbeMismatchError, UnsuitableModelError
from model_artifact.training_range import TrainingRange
from model_registry.errors import InvalidManifestError
from model_registry.manifest import Artifact, Manifest
from model_registry.reader import RegistryReader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model_artifact.reasons.explain import Explainer, Reason

PICKLE = "pickle"
ARRAYS = "arrays"
# Sums of a hundred trees differ in the last bits between processors; another model differs by more.
PROBE_TOLERANCE = 1e-9

Record = Mapping[str, Any]
Columns = Mapping[str, Sequence[Any]]


class BatchScorer(Protocol):
    """Scores records and tables that were checked before (``record_rules``)."""

    def late_probabilities(self, records: Sequence[Record]) -> list[float]:
        """Return P(is_late = 1) of each record; raise ``NonFiniteOutputError`` if one isn't a probability."""
        ...

    def late_probabilities_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """Return P(is_late = 1) of each row of a table: numbers as float64 with NaN for missing, texts with None."""
        ...


class LoadedModel:
    """One published version, verified and ready to score.

    ``form`` is the form that scores: ``PICKLE``, with the fitted scikit-learn ``pipeline``, or ``ARRAYS``, which
    publishing proved equal to the pickle. ``file`` is that form's size and sha256. The version takes over its scorer's
    two methods. ``training_range`` warns about values that the training data didn't have.
    """

    def __init__(self, manifest: Manifest, file: Artifact, scorer: BatchScorer, pipeline: Any = None) -> None:
        self.manifest = manifest
        self.file = file
        self.form = ARRAYS if pipeline is None else PICKLE
        self.pipeline = pipeline
        self.training_range = TrainingRange(manifest.input_schema)
        self.late_probabilities = scorer.late_probabilities
        self.late_probabilities_of_columns = scorer.late_probabilities_of_columns
        self._scorer: Any = scorer
        self._explainer: Explainer | None = None

    def explain(self, record: Record) -> tuple[Reason, ...]:
        """Return the reasons of one record; raise ``NoReasonsError`` if this version can't give any."""
        if self.form == PICKLE:
            # A pipeline takes too long for the 512 records that an explanation scores.
            raise NoReasonsError("A version that is served from its pickle gives no reasons.")
        reasons = self.manifest.reasons
        if reasons is None:
            raise NoReasonsError("The manifest has no typical loan to compare with.")
        if self._explainer is None:
            from model_artifact.reasons.explain import Explainer

            self._explainer = Explainer(self._scorer, reasons.reference, codes_version=reasons.codes_version)
        return self._explainer.explain(record).reasons

    def check_probes(self) -> None:
        """Score the manifest's probe records again.

        Raises ``ProbeMismatchError`` if a probability is NaN, or differs by more than ``PROBE_TOLERANCE``.
        """
        probes = self.manifest.probes
        probabilities = self.late_probabilities([probe.record for probe in probes]) if probes else ()
        for number, (probe, probability) in enumerate(zip(probes, probabilities, strict=True)):
            if not abs(probability - probe.late_probability) <= PROBE_TOLERANCE:
                raise ProbeMismatchError(number, probe.late_probability, probability)


def load_version(reader: RegistryReader, version: int, allowed_names: Sequence[str] = ()) -> LoadedModel:
    """Load a version in the form that serves: its arrays where it has them, else its pickle.

    Parameters
    ----------
    reader : RegistryReader
        The registry.
    version : int
        The version's number.
    allowed_names : sequence of str
        Names that a pickle may use besides the default ones. They come from the server's settings, never the artefact.

    Raises
    ------
    RegistryError
        If the version or a file is missing, or a file isn't the one that the manifest describes.
    ArtifactError
        If the model may not serve here; see ``load_verified`` and ``reading.form_from_bytes``.
    """
    manifest = _get_manifest(reader, version)
    if manifest.serving_form is None:
        return load_verified(reader.get_artifact(manifest), manifest, allowed_names)
    from model_artifact.serving_form.scorers.record_scorer import load_scorer

    model = LoadedModel(manifest, manifest.serving_form, load_scorer(reader.get_serving_form(manifest)))
    model.check_probes()
    return model


def load_pickle(reader: RegistryReader, version: int, allowed_names: Sequence[str] = ()) -> LoadedModel:
    """Load a version from its pickle, whether or not it has arrays; see ``load_version``."""
    manifest = _get_manifest(reader, version)
    return load_verified(reader.get_artifact(manifest), manifest, allowed_names)


def load_verified(pickle: bytes, manifest: Manifest, allowed_names: Sequence[str] = ()) -> LoadedModel:
    """Load the pickle that a manifest describes; ``RegistryReader`` compared its size and sha256 before.

    Raises
    ------
    ArtifactError
        If the libraries differ, the pickle is incomplete or uses a name that isn't allowed, or the model can't serve or
        gives other probabilities than when it was published.
    """
    from model_artifact.libraries import check_environment
    from model_artifact.opening.allow_list import DEFAULT
    from model_artifact.opening.load import load_pipeline
    from model_artifact.pipeline import PipelineScorer, check_pipeline

    check_environment(manifest.environment)
    pipeline = load_pipeline(pickle, DEFAULT.with_names(allowed_names))
    try:
        check_pipeline(pipeline)
        model = LoadedModel(manifest, manifest.artifact, PipelineScorer(pipeline), pipeline)
        model.check_probes()
    except ArtifactError:
        raise
    except Exception as error:  # a damaged model may raise anything
        raise UnsuitableModelError(
            f"The model can't score the probe records ({type(error).__name__}: {error}). Publish another version."
        ) from error
    return model


def _get_manifest(reader: RegistryReader, version: int) -> Manifest:
    manifest = reader.get_manifest(version)
    if (manifest.model, manifest.version) != (reader.model, version):
        raise InvalidManifestError(
            f"The manifest of {reader.model!r} version {version} belongs to {manifest.model!r} version "
            f"{manifest.version}. Publish the model again."
        )
    return manifest
