"""The errors of serving forms, and the check that raises one of them."""

from __future__ import annotations

from model_artifact.errors import ArtifactError


class NotCompilableError(ArtifactError):
    """The pipeline has a part that can't be compiled; the version can still be served from its pickle."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not compilable: {what}")
        self.what = what


class InvalidServingFormError(ArtifactError):
    """The bytes aren't a serving form, or scoring it would read out of bounds, never end, or fill the memory."""

    def __init__(self, what: str) -> None:
        super().__init__(f"This serving form can't be used: {what}. Publish the model again.")
        self.what = what


def require(is_met: object, otherwise: str) -> None:
    """Raise ``InvalidServingFormError`` with the text ``otherwise`` unless the requirement is met."""
    if not is_met:
        raise InvalidServingFormError(otherwise)
