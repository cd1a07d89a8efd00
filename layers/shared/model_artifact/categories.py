"""The labels that a fitted pipeline knows, read from its encoders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_artifact.schema import CATEGORY_NAMES


def find_categories(pipeline: Any) -> dict[str, list[str]]:
    """Return the labels of each category column that some encoder of the pipeline was fitted on.

    Parameters
    ----------
    pipeline : object
        A fitted scikit-learn pipeline.

    Returns
    -------
    dict
        Labels by column name. A column whose encoder isn't found is left out. An imputer's replacement for a missing
        value counts as a label, since a record may hold it.
    """
    labels: dict[str, list[str]] = {}
    for columns, encoder in _encoders(pipeline):
        for column, categories in zip(columns, encoder.categories_, strict=False):
            if column in CATEGORY_NAMES:
                labels[column] = [label for label in categories if isinstance(label, str)]
    return labels


def _encoders(estimator: Any) -> Iterator[tuple[list[str], Any]]:
    """Yield the encoders below a pipeline's column transformers, with the names of their columns."""
    for _, step in getattr(estimator, "steps", ()):
        yield from _encoders(step)
    for _, transformer, columns in getattr(estimator, "transformers_", ()):
        names = [column for column in columns if isinstance(column, str)] if isinstance(columns, list) else []
        steps = [step for _, step in getattr(transformer, "steps", [("", transformer)])]
        for encoder in steps:
            if len(getattr(encoder, "categories_", ())) == len(names) > 0:
                yield names, encoder
