"""A model version in memory, ready to score, and how it gets there: verified first, whatever form it is served in.

NumPy, pandas and scikit-learn are imported when a pickle is loaded and not before, so that a form that needs none of
them costs none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from model_registry.errors import InvalidManifestError
from model_registry.manifest import Manifest
from model_registry.reader import RegistryReader
from predict_api.http.errors import ExplanationUnavailableError
from predict_api.records.training_range import TrainingRange

if TYPE_CHECKING:
    from model_artifact.opening.allow_list import AllowList
    from model_artifact.reasons.explain import Explainer

PICKLE = "pickle"
ARRAYS = "arrays"

_NO_REASONS = "This version of the model gives no reasons. Ask again without parameters.explain."


class ServingModel(Protocol):
    """One version of the model, loaded and verified."""

    @property
    def manifest(self) -> Manifest:
        """The version's description."""
        ...

    @property
    def training_range(self) -> TrainingRange:
        """What it has seen."""
        ...

    @property
    def form(self) -> str:
        """In which form it serves, for ``X-Model-Form``."""
        ...

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        """Return P(is_late = 1) of each checked record; ``NonFiniteOutputError`` if one is no probability."""
        ...

    def explain(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the reasons of one checked record; ``ExplanationUnavailableError`` if the version has none to give."""
        ...

    def check_probes(self) -> None:
        """Score the manifest's probe records again; ``ArtifactError`` if they get other probabilities."""
        ...


ModelLoader = Callable[[RegistryReader, int], ServingModel]


class PickledModel:
    """A model that serves as the pipeline that its pickle held."""

    form = PICKLE

    def __init__(self, manifest: Manifest, pipeline: Any) -> None:
        self.manifest = manifest
        self.training_range = TrainingRange(manifest.input_schema)
        self._pipeline = pipeline

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        """See ``ServingModel``."""
        from model_artifact.features import frame_from_records
        from model_artifact.pipeline import late_probabilities

        probabilities: list[float] = late_probabilities(self._pipeline, frame_from_records(records)).tolist()
        return probabilities

    def explain(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG002
        """See ``ServingModel``: 512 coalitions through a pipeline would take longer than the answer is worth."""
        raise ExplanationUnavailableError(_NO_REASONS)

    def check_probes(self) -> None:
        """See ``ServingModel``."""
        from model_artifact.verification import check_probes

        check_probes(self._pipeline, self.manifest.probes)


class CompiledModel:
    """A model that serves as flat arrays, proven equal to its pickle when it was published. Nothing is unpickled."""

    form = ARRAYS

    def __init__(self, manifest: Manifest, serving_form: bytes) -> None:
        from model_artifact.serving_form.scorers.record_scorer import load_scorer

        self.manifest = manifest
        self.training_range = TrainingRange(manifest.input_schema)
        self._scorer = load_scorer(serving_form)
        self._explainer: Explainer | None = None

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        """See ``ServingModel``."""
        return self._scorer.late_probabilities(records)

    def explain(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See ``ServingModel``."""
        if self.manifest.reasons is None:
            raise ExplanationUnavailableError(_NO_REASONS)
        if self._explainer is None:
            from model_artifact.reasons.explain import Explainer

            reasons = self.manifest.reasons
            self._explainer = Explainer(self._scorer, reasons.reference, codes_version=reasons.codes_version)
        return [vars(reason) for reason in self._explainer.explain(record).reasons]

    def check_probes(self) -> None:
        """See ``ServingModel``."""
        from model_artifact.probes import compare_probes

        probes = self.manifest.probes
        compare_probes(probes, self.late_probabilities([probe.record for probe in probes]))


def make_loader(allowed_names: Sequence[str] = ()) -> ModelLoader:
    """Return the function that loads a version.

    Parameters
    ----------
    allowed_names : sequence of str
        What pickles may ask for besides the default: the server's setting, never the artefact's.
    """

    def load(reader: RegistryReader, version: int) -> ServingModel:
        """Load one version; raises what the registry and ``model_artifact.verification`` raise."""
        manifest = reader.get_manifest(version)
        if (manifest.model, manifest.version) != (reader.model, version):
            raise InvalidManifestError(
                f"The manifest of {reader.model!r} version {version} is that of {manifest.model!r} version "
                f"{manifest.version}. Publish the model again."
            )
        # Invariant: the bytes are the manifest's, by size and sha256, before any of them is read as a model.
        if manifest.serving_form is not None:
            compiled = CompiledModel(manifest, reader.get_serving_form(manifest))
            compiled.check_probes()
            return compiled
        data = reader.get_artifact(manifest)
        return PickledModel(manifest, _verify(data, manifest, allowed_names))

    return load


def _verify(data: bytes, manifest: Manifest, allowed_names: Sequence[str]) -> Any:
    from model_artifact.verification import load_verified

    return load_verified(data, manifest, _allow_list(allowed_names))


def _allow_list(allowed_names: Sequence[str]) -> AllowList:
    from model_artifact.opening.allow_list import DEFAULT

    return DEFAULT.with_names(allowed_names) if allowed_names else DEFAULT
