"""From cells to records, and from faults to rejections."""

from __future__ import annotations

from typing import Any

import pytest

from batch_scoring.row_rules import find_rejections, read_cells
from fitted_pipelines import records
from model_artifact.schema import FIELD_NAMES, MISSING_CELLS

GOOD: dict[str, Any] = dict(records()[0]) | {"loan_id": "L-1"}


@pytest.mark.parametrize(
    ("cell", "value"),
    [("12", 12.0), ("1e3", 1000.0), (" 0.5 ", 0.5), (".5", 0.5), ("+5.", 5.0), ("", None), ("1_0", "1_0")]
    + [(text, text) for text in ("NAN", "inf", "-Infinity", "0x10", "1,5", "١", "1 2", "true", "1e", "--1")],
)
def test_cell_of_a_number(cell: str, value: Any) -> None:
    cells = dict.fromkeys(FIELD_NAMES, "x") | {"dti": cell}
    assert read_cells(cells)["dti"] == value


@pytest.mark.parametrize("cell", MISSING_CELLS)
def test_cells_that_are_missing(cell: str) -> None:
    record = read_cells(dict.fromkeys((*FIELD_NAMES, "loan_id"), cell))
    assert set(record.values()) == {None}


def test_rejection_names_the_column_and_what_it_must_be_and_not_the_value() -> None:
    [wrong] = find_rejections([GOOD, {**GOOD, "annual_inc": -31337.0}], [5, 7])
    assert (wrong.line, wrong.column, wrong.code) == (7, "annual_inc", "out_of_range")
    assert "from 0 to 1000000000" in wrong.detail
    assert "31337" not in wrong.detail


@pytest.mark.parametrize(
    ("column", "cell", "hint"),
    [
        ("int_rate", "13.56%", "Write a percentage as a fraction"),
        ("loan_amnt", "12,000", "without commas between the thousands"),
        ("loan_amnt", "n/a", "The value is missing"),
    ],
)
def test_rejection_of_a_number_in_another_form_says_how_to_write_it(column: str, cell: str, hint: str) -> None:
    cells = {name: "" if value is None else str(value) for name, value in GOOD.items()} | {column: cell}
    [wrong] = find_rejections([read_cells(cells)], [2])
    assert wrong.column == column
    assert hint in wrong.detail
