"""Files as spreadsheets save them are read where their meaning is certain; others are refused with advice."""

from __future__ import annotations

import pandas as pd
import pytest

from model_artifact.loan_header import MAX_ROW_BYTES
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, MISSING_CELLS, TARGET
from training.errors import DataRefusedError
from training.loans.loan_csv import read_table

NAMES = ",".join((*FIELD_NAMES, TARGET))
ROW = "12000,0.1356,credit_card,C,65000,0.54,3 years,18.4,0,RENT,1"
TABLE = read_table("loans.csv", f"{NAMES}\n{ROW}\n{ROW}\n".encode())


def _read(*lines: str, end: str = "\n") -> pd.DataFrame:
    return read_table("loans.csv", end.join([*lines, ""]).encode())


@pytest.mark.parametrize(
    "content",
    [
        f"{NAMES}\r\n{ROW}\r\n{ROW}\r\n",
        f"{NAMES}\r{ROW}\r{ROW}\r",
        f"\ufeff{NAMES}\n{ROW}\n{ROW}",
        f"{NAMES}\n\n{ROW}\n{ROW}\n\n",
        f"{NAMES},,\n{ROW},,\n{ROW},,\n",
        f"{NAMES}\n{ROW},\n{ROW}\n",
        f"{NAMES}\n{ROW}\n{ROW},,\n",
        f'id,{NAMES},note\n1,{ROW},"a, b"\n2,{ROW},\n',
        f"{NAMES},note,note\n{ROW},a,b\n{ROW},a,b\n",
    ],
    ids=["CRLF", "CR", "mark", "blank-lines", "empty-columns", "row-1-longer", "row-2-longer", "more-columns", "twice"],
)
def test_the_same_loans_are_read_however_a_spreadsheet_saved_them(content: str) -> None:
    pd.testing.assert_frame_equal(read_table("loans.csv", content.encode()), TABLE)


@pytest.mark.parametrize("cell", MISSING_CELLS)
def test_the_cells_that_mean_missing_are_missing_in_every_column(cell: str) -> None:
    table = _read(NAMES, ",".join([cell] * 11), ROW)
    assert table.iloc[0].isna().all()
    assert table.iloc[1].notna().all()


@pytest.mark.parametrize("cell", ["<NA>", "#N/A", "-nan", "1.#QNAN", "N/a", "none", "-", " "])
def test_no_other_cell_is_missing(cell: str) -> None:
    table = _read(NAMES, ",".join([cell] * 11), ROW)
    assert table.loc[0, list(CATEGORY_NAMES)].tolist() == [cell] * 4


@pytest.mark.parametrize(
    ("lines", "column", "advice"),
    [
        ([NAMES.replace(",", ";"), ROW.replace(",", ";")], None, "separated by semicolons. Save the file with commas"),
        ([NAMES.replace(",", "\t"), ROW.replace(",", "\t")], None, "separated by tabs"),
        (["sep=;", NAMES.replace(",", ";")], None, "separated by semicolons"),
        ([NAMES.upper(), ROW], "loan_amnt", "named 'LOAN_AMNT' here. Write the names in lower case"),
        ([NAMES.replace(",", ", "), ROW], "int_rate", "named ' int_rate' here"),
        (["Loans of the third quarter", NAMES, ROW], None, "Line 2 holds the column names. Delete the line above"),
        (["Notes:", "", '"a, b"', NAMES, ROW], None, "Line 4 holds the column names. Delete the 3 lines above"),
        ([f"{NAMES},dti", f"{ROW},1"], "dti", "names the column twice"),
        ([NAMES.replace("dti", "debts"), ROW], "dti", "The column is missing; there are loan_amnt"),
        ([",".join(map(str, range(50_000)))], "loan_amnt", "18, 19 and more"),
        ([], None, "The file is empty"),
    ],
)
def test_a_header_that_is_not_understood_says_what_to_do(lines: list[str], column: str | None, advice: str) -> None:
    with pytest.raises(DataRefusedError, match=advice) as caught:
        _read(*lines)
    assert caught.value.column == column
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("row", "advice"),
    [(f"{ROW},extra", "has 12 cells, the header has 11"), (ROW.removesuffix(",RENT,1"), "has 9 cells")],
)
def test_a_row_of_another_length_is_refused_with_its_number(row: str, advice: str) -> None:
    with pytest.raises(DataRefusedError, match=advice) as caught:
        _read(NAMES, ROW, row, ROW)
    assert caught.value.row == 2


@pytest.mark.parametrize(
    "content", [b"\xff\xfel\x00", f"{NAMES}\n{ROW}".encode().replace(b"RENT", b"R\xe9"), b"\0" * 9]
)
def test_what_is_not_text_in_utf_8_is_refused(content: bytes) -> None:
    with pytest.raises(DataRefusedError):
        read_table("loans.csv", content)


def test_a_cell_longer_than_a_row_that_is_scored_is_refused() -> None:
    assert len(_read(f"{NAMES},note", f"{ROW},{'x' * 140_000}")) == 1
    with pytest.raises(DataRefusedError, match="isn't a CSV file"):
        _read(f"{NAMES},note", f"{ROW},{'x' * MAX_ROW_BYTES}x")
