"""What a row of a file must be: exactly what the API takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitted_pipelines import any_record, records
from model_artifact.schema import FIELD_NAMES, FIELDS
from peerloan.scoring.row_rules import are_right, check_record, columns_of, read_cells
from predict_api.http.errors import InvalidRequestError
from predict_api.records.pointers import BareRecordPointers
from predict_api.records.record_schema import check_records

GOOD: dict[str, Any] = dict(records()[0]) | {"loan_id": "L-1"}

EDGES = st.sampled_from(
    [
        None,
        "",
        "x",
        "x" * 100,
        "x" * 101,
        "x" * 129,
        True,
        -1.0,
        0.0,
        -0.0,
        1.5,
        1e-5,
        1e-8,
        1e-9,
        1 + 1e-9,
        1 - 1e-9,
        1e9,
        1e10,
        100,
        101,
        1e308,
    ]
    + [bound for field in FIELDS if field.type == "number" for bound in (field.hard_min, field.hard_max)]
    + [float(np.nextafter(field.hard_max or 0, 1e300)) for field in FIELDS if field.type == "number"]
    + [float("nan"), float("inf"), float("-inf")]
)


def violations(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What the API says of a record: field and code."""
    try:
        check_records([record], BareRecordPointers())
    except InvalidRequestError as error:
        return [(violation.pointer[1:], violation.code) for violation in error.violations]
    return []


@given(any_record(), st.sampled_from([*FIELD_NAMES, "loan_id"]), EDGES)
def test_a_record_is_wrong_as_it_is_to_the_api(record: dict[str, Any], name: str, value: Any) -> None:
    record = {**record, "loan_id": None, name: value}
    # An empty cell is a missing value, and never a text without characters.
    record["loan_id"] = record["loan_id"] or None if isinstance(record["loan_id"], str) else record["loan_id"]
    found = [(wrong.column, wrong.code) for wrong in check_record(record, 1)]
    assert found == violations(record)


@given(st.lists(any_record(), min_size=1, max_size=5), st.sampled_from(FIELD_NAMES), EDGES, st.integers(0, 4))
def test_columns_are_right_where_every_record_is(
    batch: list[dict[str, Any]], name: str, value: Any, place: int
) -> None:
    field = FIELDS[FIELD_NAMES.index(name)]
    if not isinstance(value, bool) and isinstance(value, str if field.type == "category" else int | float):
        batch[place % len(batch)][name] = value
    # NaN in a column of numbers is a missing value.
    batch = [{key: None if cell != cell else cell for key, cell in record.items()} for record in batch]
    assert are_right(columns_of(batch)) == (not any(check_record(record, 1) for record in batch))


@pytest.mark.parametrize(
    ("cell", "value"),
    [("12", 12.0), ("1e3", 1000.0), (" 0.5 ", 0.5), (".5", 0.5), ("+5.", 5.0), ("", None), ("1_0", "1_0")]
    + [(text, text) for text in ("nan", "inf", "-Infinity", "0x10", "1,5", "١", "1 2", "true", "1e", "--1")],
)
def test_cell_of_a_number(cell: str, value: Any) -> None:
    cells = dict.fromkeys(FIELD_NAMES, "x") | {"dti": cell}
    assert read_cells(cells)["dti"] == value


def test_rejection_names_the_column_and_what_it_must_be_and_not_the_value() -> None:
    [wrong] = check_record({**GOOD, "annual_inc": -31337.0}, 7)
    assert (wrong.line, wrong.column, wrong.code) == (7, "annual_inc", "out_of_range")
    assert "from 0 to 1000000000" in wrong.detail
    assert "31337" not in wrong.detail
