"""Resources by their models, as the readers of functions and APIs ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from emulator.template.resolve import Reference, Resource
from emulator.template.resource_models import MODELS, Model, read_model

_TYPES = {model: kind for kind, model in MODELS.items()}


class Resources:
    """Gives resources as models, and finds the resource that a value names.

    Parameters
    ----------
    resources : mapping
        By logical id, resolved.
    folder : Path
        What local paths are relative to.

    Attributes
    ----------
    notes : list of str
        What is left out without changing any answer; readers add to it.
    """

    def __init__(self, resources: Mapping[str, Resource], folder: Path) -> None:
        self._resources = resources
        self._folder = folder
        self.notes: list[str] = []

    def __getitem__(self, logical_id: str) -> Resource:
        return self._resources[logical_id]

    def of_type(self, model: type[Model]) -> dict[str, Model]:
        """Return logical id → model of each resource of the model's type."""
        return {logical_id: self.read(logical_id, model) for logical_id in self._ids(model)}

    def read(self, logical_id: str, model: type[Model]) -> Model:
        """Return a resource as its model.

        Raises
        ------
        UnsupportedError
            A property isn't imitated, isn't allowed or can't be resolved.
        """
        return read_model(model, self[logical_id].properties, resource=logical_id, folder=self._folder)

    def target(self, value: Any, model: type[BaseModel]) -> str | None:
        """Return the logical id of the resource of a type that a value names, by reference, name or ARN."""
        ids = self._ids(model)
        if isinstance(value, Reference) and value.logical_id in ids:
            return value.logical_id
        return next((name for name in ids if str(value) in {self[name].name, self[name].arn}), None)

    def _ids(self, model: type[BaseModel]) -> list[str]:
        return [name for name, resource in self._resources.items() if resource.type == _TYPES[model]]
