"""The results of a batch: by a version whose arrays or pickle are loaded, or by whoever else scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from batch_scoring.row_rules import Columns
from model_artifact.loading import LoadedModel


@dataclass(frozen=True)
class Scores:
    """One version's results for some rows: P(is_late = 1), and whether that reaches the threshold.

    ``warned_rows`` are the places of rows with a value that the version wasn't trained on, by column and code.
    """

    probabilities: Sequence[float]
    is_late: Sequence[bool]
    version: int
    warned_rows: Mapping[tuple[str, str], Sequence[int]] = field(default_factory=dict)

    def warning_texts(self) -> list[str]:
        """Return each row's warnings as a text, such as ``purpose:unseen_category``; several with a space between."""
        texts: list[list[str]] = [[] for _ in self.probabilities]
        for column, code in sorted(self.warned_rows):
            for place in self.warned_rows[column, code]:
                texts[place].append(f"{column}:{code}")
        return [" ".join(text) for text in texts]


class Scorer(Protocol):
    """Scores the valid rows of a table.

    ``step_bytes`` is how much of a CSV file it gets at once.
    """

    step_bytes: int

    @property
    def identity(self) -> str:
        """A text that changes with everything a result depends on. A run resumes only with the same identity."""
        ...

    def score(self, columns: Columns) -> Iterator[Scores]:
        """Yield the scores of valid rows in order, in one or several parts."""
        ...


class VersionScorer:
    """Scores with a verified version that this process has loaded."""

    # The cells of so many bytes fit into a processor's cache: in steps of 1 MiB a row takes half as long again.
    step_bytes = 1 << 16

    def __init__(self, model: LoadedModel) -> None:
        manifest = model.manifest
        self._model = model
        self._threshold = manifest.threshold.value
        self._version = manifest.version
        self.identity = f"{manifest.model} {manifest.version} {model.form} {model.file.sha256} {self._threshold!r}"

    def score(self, columns: Columns) -> Iterator[Scores]:
        """See ``Scorer``."""
        probabilities = np.asarray(self._model.late_probabilities_of_columns(columns))
        yield Scores(
            probabilities.tolist(),
            (probabilities >= self._threshold).tolist(),
            self._version,
            self._model.training_range.warned_rows(columns),
        )
