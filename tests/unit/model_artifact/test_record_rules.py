"""One rule says what a record must be; its twin for columns accepts exactly the same records."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitted_pipelines import any_record, records
from model_artifact.column_rules import Fault, find_faults, which_are_valid
from model_artifact.record_rules import InvalidRecordsError, check_records
from model_artifact.schema import FIELD_NAMES, FIELDS, LOAN_ID

GOOD: dict[str, Any] = {**records()[0], LOAN_ID: "L-1"}
NUMBERS = [field for field in FIELDS if field.type == "number"]
BOUNDS = [bound for field in NUMBERS for bound in (field.hard_min, field.hard_max)]
EDGES = [
    *(None, "", "x", "x" * 100, "x" * 101, "x" * 128, "x" * 129, True, -1.0, -0.0, 0.0, 1.5, 1e-5, 1e-8, 1 + 1e-9),
    *(1 - 1e-9, 1e9, 1e10, 100, 101, 1e308, float("nan"), float("inf"), float("-inf")),
    *BOUNDS,
    *(float(np.nextafter(bound, towards)) for bound in BOUNDS for towards in (-1e300, 1e300)),
]


def faults(*batch: Any) -> list[tuple[int, str | None, str]]:
    """Return what is wrong with the records."""
    try:
        check_records(list(batch))
    except InvalidRecordsError as error:
        return [(fault.index, fault.name, fault.code) for fault in error.faults]
    return []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("dti", "12", "wrong_type"),
        ("dti", True, "wrong_type"),
        ("dti", None, "null_not_allowed"),
        ("dti", float("nan"), "not_finite"),
        ("dti", -0.5, "out_of_range"),
        ("dti", 1000.5, "out_of_range"),
        ("delinq_2yrs", 0.5, "not_whole"),
        ("delinq_2yrs", 2.0000000001, "not_whole"),
        ("grade", 1, "wrong_type"),
        ("grade", None, "null_not_allowed"),
        ("grade", "", "wrong_length"),
        ("grade", "x" * 101, "wrong_length"),
        ("grade", "\ud800", "wrong_type"),
        ("loan_id", "", "wrong_length"),
        ("loan_id", "x" * 129, "wrong_length"),
        ("loan_id", 7, "wrong_type"),
        ("colour", "red", "unknown_field"),
        ("\ud800", "red", "unknown_field"),
    ],
)
def test_each_kind_of_fault_has_its_code(name: str, value: Any, code: str) -> None:
    assert faults(GOOD, {**GOOD, name: value}) == [(1, name, code)]


def test_a_missing_field_and_a_record_that_is_not_an_object_are_faults() -> None:
    without = {name: value for name, value in GOOD.items() if name != "dti"}
    assert faults(without, 5, GOOD) == [(0, "dti", "missing"), (1, None, "wrong_type")]


def test_a_fault_never_holds_the_value() -> None:
    with pytest.raises(InvalidRecordsError) as caught:
        check_records([{**GOOD, "grade": 31337}])
    assert "31337" not in str(caught.value)
    assert caught.value.faults == (Fault(0, "grade", "wrong_type"),)


def test_a_right_record_comes_back_with_floats() -> None:
    [record] = check_records([{**GOOD, "annual_inc": 65000, "revol_util": None, LOAN_ID: None}])
    assert record == {**GOOD, "annual_inc": 65000.0, "revol_util": None, LOAN_ID: None}
    assert type(record["annual_inc"]) is float


@given(
    st.lists(any_record(), min_size=1, max_size=5),
    st.sampled_from([*FIELD_NAMES, LOAN_ID]),
    st.sampled_from(EDGES),
    st.integers(0, 4),
)
def test_rows_of_columns_are_right_exactly_where_the_records_are(
    batch: list[dict[str, Any]], name: str, value: Any, place: int
) -> None:
    batch = [{**record, LOAN_ID: None} for record in batch]
    is_number = name in {field.name for field in NUMBERS}
    # A column holds one type; other types can't be in it.
    if value is None or (isinstance(value, float | int if is_number else str) and not isinstance(value, bool)):
        batch[place % len(batch)][name] = value
    # NaN in a column of numbers is a missing value.
    batch = [{key: None if cell != cell else cell for key, cell in record.items()} for record in batch]
    columns: dict[str, Any] = {key: [record[key] for record in batch] for key in (*FIELD_NAMES, LOAN_ID)}
    columns |= {field.name: np.array(columns[field.name], dtype=np.float64) for field in NUMBERS}
    assert which_are_valid(columns).tolist() == [not faults(record) for record in batch]


@given(
    st.lists(any_record(), min_size=1, max_size=5),
    st.lists(st.tuples(st.sampled_from([*FIELD_NAMES, LOAN_ID]), st.sampled_from(EDGES), st.integers(0, 4))),
)
def test_rows_of_a_table_have_the_faults_of_the_same_records(
    batch: list[dict[str, Any]], changes: list[tuple[str, Any, int]]
) -> None:
    for name, value, place in changes:
        # A table's numbers are floats.
        batch[place % len(batch)][name] = float(value) if type(value) is int else value
    assert [(fault.index, fault.name, fault.code) for fault in find_faults(batch)] == faults(*batch)
