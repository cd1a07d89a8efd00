"""The columns that a fitted model takes, by name and in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_artifact.schema import FIELD_NAMES

# Where scikit-learn's models around models keep the fitted ones.
_INNER = ("best_estimator_", "estimator_", "estimators_", "calibrated_classifiers_", "estimator")


def input_columns(model: Any) -> list[str] | None:
    """Return the names of the columns that a fitted model takes, in its order; None if it was fitted without names.

    A transformer of somebody's own needn't remember names. If a step after it knows some of the ten, the pipeline was
    fitted on a data frame: it takes the ten columns, in the order of that step.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        return [str(name) for name in names]
    for part in _parts(model):
        if columns := [name for name in input_columns(part) or () if name in FIELD_NAMES]:
            return columns + [name for name in FIELD_NAMES if name not in columns]
    return None


def _parts(model: Any) -> Iterator[Any]:
    """Yield a pipeline's steps, or the fitted model inside another one."""
    for _, step in getattr(model, "steps", ()):
        yield step
    for name in _INNER:
        part = getattr(model, name, None)
        if isinstance(part, list):
            part = next(iter(part), None)
        if part is not None:
            yield part
