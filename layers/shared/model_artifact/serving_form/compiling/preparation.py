"""The fitted transformers that a record passes through before a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_artifact.features import frame_from_records


@dataclass(frozen=True)
class Preparation:
    """The columns in the model's own order, and the transformers that they pass one after another."""

    names: tuple[str, ...]
    steps: tuple[Any, ...] = ()

    def then(self, *steps: Any) -> Preparation:
        """Return a preparation with more transformers at its end; ``"passthrough"`` and None change nothing."""
        return replace(self, steps=(*self.steps, *(step for step in steps if not is_passthrough(step))))

    def transform(self, records: Sequence[Mapping[str, Any]]) -> Any:
        """Return what the classifier would get for these records: a data frame, or a matrix that isn't sparse."""
        matrix: Any = frame_from_records(records)[list(self.names)]
        for step in self.steps:
            matrix = step.transform(matrix)
        return matrix.toarray() if hasattr(matrix, "toarray") else matrix


def is_passthrough(step: Any) -> bool:
    """Return whether this is what a pipeline or a ``ColumnTransformer`` may have in place of a transformer."""
    return step is None or (isinstance(step, str) and step == "passthrough")
