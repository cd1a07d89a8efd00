"""Warnings about values that a model wasn't trained on: numbers out of range and unseen categories. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_artifact.serving_form.encoding import RecordTable
from model_registry.manifest import FieldSchema

UNSEEN_CATEGORY = "unseen_category"
OUT_OF_TRAINING_RANGE = "out_of_training_range"


class TrainingRange:
    """The values that one model version was trained on, by the schema in its manifest.

    A column without a range or categories gets no warnings.
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

    def warnings(
        self, records: Sequence[Mapping[str, Any]], pointer_to: Callable[[int, str], str]
    ) -> list[list[dict[str, str]]]:
        """Return the warnings about each checked record, numbers first. A null gets no warning.

        ``pointer_to`` returns the JSON Pointer to a field of a record, by the record's number and the field's name.
        A ``RecordTable`` is looked through column by column, which is faster for many records.
        """
        warnings: list[list[dict[str, str]]] = [[] for _ in records]
        if isinstance(records, RecordTable):
            warned = self.warned_rows(records.columns).items()
            faults = [(index, name, code) for (name, code), rows in warned for index in rows]
        else:
            faults = [(index, *fault) for index, record in enumerate(records) for fault in self._faults(record)]
        for index, name, code in faults:
            warnings[index].append({"code": code, "pointer": pointer_to(index, name)})
        return warnings

    def _faults(self, record: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the fields of a record that get a warning, with its code."""
        faults = [
            (name, OUT_OF_TRAINING_RANGE)
            for name, least, greatest in self._ranges
            if (value := record[name]) is not None and not least <= value <= greatest
        ]
        faults += [
            (name, UNSEEN_CATEGORY)
            for name, seen in self._categories
            if (label := record[name]) not in seen and label is not None
        ]
        return faults

    def warned_rows(self, columns: Mapping[str, Any]) -> dict[tuple[str, str], list[int]]:
        """Return the rows of a checked table that ``warnings`` warns about, by the field's name and the code.

        ``columns`` are the ten fields: numbers as float64 with NaN for missing, texts with None for missing.
        """
        rows: dict[tuple[str, str], list[int]] = {}
        for name, least, greatest in self._ranges:
            values = columns[name]
            # Both comparisons are false for NaN.
            rows[name, OUT_OF_TRAINING_RANGE] = ((values < least) | (values > greatest)).nonzero()[0].tolist()
        for name, seen in self._categories:
            labels = columns[name]
            if not seen.issuperset(labels):
                rows[name, UNSEEN_CATEGORY] = [
                    row for row, label in enumerate(labels) if label is not None and label not in seen
                ]
        return {warning: places for warning, places in rows.items() if places}
