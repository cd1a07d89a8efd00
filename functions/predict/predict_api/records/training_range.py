"""Warnings about values that a model has not seen: outside its training range, or an unseen category. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_registry.manifest import FieldSchema
from predict_api.records.pointers import RecordPointers

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
            (field.name, {*field.categories, None} if field.nullable else {*field.categories})
            for field in input_schema
            if field.type == "category" and field.categories
        ]

    def warnings(self, records: Sequence[Mapping[str, Any]], pointers: RecordPointers) -> list[list[dict[str, str]]]:
        """Return the warnings about each checked record, numbers first; a null is not warned about."""
        found: list[list[dict[str, str]]] = [[] for _ in records]
        # Column by column: most have nothing to warn about, which their extremes or their set of labels tells at once.
        for name, least, greatest in self._ranges:
            values = [record[name] for record in records]
            known = [value for value in values if value is not None]
            if known and not (least <= min(known) and max(known) <= greatest):
                for index, value in enumerate(values):
                    if value is not None and not least <= value <= greatest:
                        found[index].append(_warning(OUT_OF_TRAINING_RANGE, pointers, index, name))
        for name, seen in self._categories:
            labels = [record[name] for record in records]
            if not seen.issuperset(labels):
                for index, label in enumerate(labels):
                    if label is not None and label not in seen:
                        found[index].append(_warning(UNSEEN_CATEGORY, pointers, index, name))
        return found


def _warning(code: str, pointers: RecordPointers, index: int, name: str) -> dict[str, str]:
    return {"code": code, "pointer": pointers.field(index, name)}
