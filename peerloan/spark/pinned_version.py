"""The version that a job scores with, as it ships: its manifest and its arrays, named by the sha256 of the arrays."""

from __future__ import annotations

from dataclasses import dataclass

from batch_scoring.scores import VersionScorer
from model_artifact.loading import LoadedModel
from model_registry.errors import ArtifactMismatchError
from model_registry.manifest import Artifact, Manifest

# The two files' names in this package, as it ships.
MANIFEST, ARRAYS = "pinned/manifest.json", "pinned/arrays"


@dataclass(frozen=True)
class PinnedVersion:
    """The bytes of a version's manifest and of its arrays: all that a worker needs to score."""

    manifest: bytes
    arrays: bytes

    @property
    def sha256(self) -> str:
        """The sha256 of the arrays."""
        return Artifact.of(self.arrays).sha256

    def load(self) -> VersionScorer:
        """Return a scorer, once its probe records have the manifest's probabilities on this machine.

        Raises ``ArtifactMismatchError`` if the arrays aren't the manifest's, and ``ProbeMismatchError``.
        """
        # Imported here: it brings NumPy.
        from model_artifact.serving_form.scorers.record_scorer import load_scorer

        manifest = Manifest.from_json(self.manifest)
        form = Artifact.of(self.arrays)
        if manifest.serving_form != form:
            expected = "none" if manifest.serving_form is None else manifest.serving_form.sha256
            raise ArtifactMismatchError(manifest.model, manifest.version, "sha256", expected, form.sha256)
        model = LoadedModel(manifest, form, load_scorer(self.arrays))
        model.check_probes()
        return VersionScorer(model)
