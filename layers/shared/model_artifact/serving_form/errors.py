"""What can be wrong with a serving form, under the base of all errors about a model's artefacts."""

from __future__ import annotations

from model_artifact.errors import ArtifactError


class ServingFormError(ArtifactError):
    """Base of all errors about serving forms."""


class NotCompilableError(ServingFormError):
    """The pipeline has a part that has no serving form; the pickle can still serve."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not compilable: {what}")
        self.what = what


class InvalidServingFormError(ServingFormError):
    """The bytes are no serving form, or one that would read beyond its own arrays, never end, or fill the memory."""

    def __init__(self, what: str) -> None:
        super().__init__(f"This is no serving form that can be used: {what}. Publish the model again.")
        self.what = what
