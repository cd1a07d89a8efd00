"""Warnings about a table are those about its records."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fitted_pipelines import table_of
from model_artifact.schema import FIELDS
from model_artifact.serving_form.encoding import RecordTable
from model_artifact.training_range import TrainingRange
from model_registry.manifest import FieldSchema

SCHEMA = [
    FieldSchema(
        name=field.name,
        type=field.type,
        unit=field.unit,
        nullable=field.nullable,
        hard_min=field.hard_min,
        hard_max=field.hard_max,
        train_min=1.0 if field.type == "number" else None,
        train_max=2.0 if field.type == "number" else None,
        categories=("a", "b") if field.type == "category" else None,
        description="",
    )
    for field in FIELDS
]
RECORDS = st.fixed_dictionaries(
    {
        field.name: st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5] if field.type == "number" else ["a", "b", "A", "c"])
        | (st.none() if field.nullable else st.nothing())
        for field in FIELDS
    }
)


@given(st.lists(RECORDS, min_size=1, max_size=8))
def test_table_and_records_get_the_same_warnings(records: list[dict[str, Any]]) -> None:
    of_records = TrainingRange(SCHEMA).warnings(records, lambda index, name: name)
    expected = [{(warning["pointer"], warning["code"]) for warning in warnings} for warnings in of_records]
    warned_rows = TrainingRange(SCHEMA).warned_rows(table_of(records))
    assert all(warned_rows.values())
    assert of_records == TrainingRange(SCHEMA).warnings(RecordTable(records), lambda index, name: name)
    assert expected == [
        {warning for warning, rows in warned_rows.items() if index in rows} for index in range(len(records))
    ]
