"""Warnings about values that a model has not seen: outside its training range, or an unseen category. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_registry.manifest import FieldSchema
from predict_api.pointers import RecordPointers

UNSEEN_CATEGORY = "unseen_category"
OUT_OF_TRAINING_RANGE = "out_of_training_range"


class TrainingRange:
    """What one model version has seen.

    Parameters
    ----------
    input_schema : sequence of FieldSchema
        From the version's manifest. A column whose range or categories it does not give is not warned about.
    """

    def __init__(self, input_schema: Sequence[FieldSchema]) -> None:
        self._ranges = [
            (field.name, field.train_min, field.train_max)
            for field in input_schema
            if field.type == "number" and field.train_min is not None and field.train_max is not None
        ]
        self._categories = [
            (field.name, frozenset(field.categories))
            for field in input_schema
            if field.type == "category" and field.categories
        ]

    def warnings(self, index: int, record: Mapping[str, Any], pointers: RecordPointers) -> list[dict[str, str]]:
        """Return the warnings about one checked record, numbers first; a null is not warned about."""
        found: list[dict[str, str]] = []
        for name, least, greatest in self._ranges:
            value = record[name]
            if value is not None and not least <= value <= greatest:
                found.append({"code": OUT_OF_TRAINING_RANGE, "pointer": pointers.field(index, name)})
        for name, seen in self._categories:
            value = record[name]
            if value is not None and value not in seen:
                found.append({"code": UNSEEN_CATEGORY, "pointer": pointers.field(index, name)})
        return found
