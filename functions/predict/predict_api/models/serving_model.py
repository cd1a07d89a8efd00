"""A model version in the function's memory: the loaded model, and the range of its training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_artifact.errors import NoReasonsError
from model_artifact.loading import LoadedModel, load_version
from model_registry.reader import RegistryReader
from predict_api.http.errors import ExplanationUnavailableError
from predict_api.records.training_range import TrainingRange

_NO_REASONS = "This version of the model gives no reasons. Ask again without parameters.explain."


class ServingModel:
    """One version that answers requests.

    Parameters
    ----------
    model : LoadedModel
        The verified version.

    Attributes
    ----------
    manifest : Manifest
        The version's description.
    form : str
        The form that scores, for ``X-Model-Form``.
    training_range : TrainingRange
        Warns about values that the training data didn't have.
    """

    def __init__(self, model: LoadedModel) -> None:
        self.manifest = model.manifest
        self.form = model.form
        self.training_range = TrainingRange(model.manifest.input_schema)
        self._model = model
        self.late_probabilities = model.late_probabilities
        self.check_probes = model.check_probes

    def explain(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the reasons of one checked record; raise ``ExplanationUnavailableError`` if the model gives none."""
        try:
            return [vars(reason) for reason in self._model.explain(record)]
        except NoReasonsError:
            raise ExplanationUnavailableError(_NO_REASONS) from None


ModelLoader = Callable[[RegistryReader, int], ServingModel]


def make_loader(allowed_names: Sequence[str] = ()) -> ModelLoader:
    """Return the function that loads a version; see ``model_artifact.loading.load_version``."""
    return lambda reader, version: ServingModel(load_version(reader, version, allowed_names))
