"""The fitted transformers that a record passes through before a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy.sparse import issparse

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
        matrix = self._transform(records)
        return matrix.toarray() if issparse(matrix) else matrix

    @property
    def is_sparse(self) -> bool:
        """Whether the classifier gets sparse matrices; to some, their zeros are missing."""
        return bool(issparse(self._transform([{}])))

    def _transform(self, records: Sequence[Mapping[str, Any]]) -> Any:
        matrix: Any = frame_from_records(records)[list(self.names)]
        for step in self.steps:
            matrix = step.transform(matrix)
        return matrix


def is_passthrough(step: Any) -> bool:
    """Return whether this is what a pipeline or a ``ColumnTransformer`` may have in place of a transformer."""
    return step is None or (isinstance(step, str) and step == "passthrough")
