"""Scoring a CSV file: no byte of the output depends on where a step ends, or on how the step was read."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_scoring.errors import UnusableFileError
from model_artifact.loan_header import MAX_ROW_BYTES
from model_artifact.schema import FIELD_NAMES, MISSING_CELLS
from peerloan.scoring.targets import Outcome
from tests.unit.peerloan.scoring.csv_kit import LOANS, SCORER, WARNING_MODEL, as_csv, files, run


def as_csv_row(loan: dict[str, Any]) -> str:
    return as_csv([loan]).decode().splitlines()[1]


# Each writes to a disk, and waits until it is there.
@settings(max_examples=40, deadline=None)
@given(files(), st.integers(1, 3000), st.integers(1, 3000))
def test_chunked_is_whole(source: bytes, step_bytes: int, checkpoint_bytes: int) -> None:
    whole = run(source)
    assert run(source, step_bytes=step_bytes, checkpoint_bytes=checkpoint_bytes) == whole


def test_output_is_the_input_and_three_columns() -> None:
    rows = [{**loan, "note": f"n{number}, of many"} for number, loan in enumerate(LOANS)]
    source = as_csv(rows, ("note", *FIELD_NAMES))
    scored = run(source, step_bytes=997)
    assert scored.outcome == Outcome(300, 0, 0)
    lines = zip(source.decode().splitlines(), scored.text.splitlines(), strict=True)
    assert all(after.startswith(before + ",") for before, after in lines)
    expected = SCORER.late_probabilities(LOANS)
    assert [float(row["late_probability"]) for row in scored.rows] == expected
    assert [row["predicted_is_late"] for row in scored.rows] == [str(int(p >= 0.3)) for p in expected]
    assert {row["model_version"] for row in scored.rows} == {"3"}


def test_bad_rows_are_rejected_and_the_rest_is_scored() -> None:
    lines = as_csv(LOANS[:9]).decode().splitlines()
    lines[2] += ",1"
    lines[4] = lines[4].replace(lines[4].split(",")[0], "many", 1)
    lines[6] = ""
    lines[8] = lines[8].replace(",", ",,", 1).rsplit(",", 1)[0]
    source = "\n".join([*lines, '"open,1,2', "3,4"]).encode()
    scored = run(source)
    rejects = [(row["line"], row["column"], row["code"]) for row in scored.rejects]
    assert rejects[:2] == [("3", "", "wrong_length"), ("5", "loan_amnt", "wrong_type")]
    assert {line for line, _, _ in rejects[2:-1]} == {"9"}
    assert rejects[-1] == ("11", "", "malformed")
    assert scored.outcome == Outcome(5, 4, 0)
    assert len(scored.rows) == 5


def test_rows_over_several_lines_are_kept_and_counted() -> None:
    rows = [{**loan, "note": "two\nlines" if number % 2 else 'a "quote"'} for number, loan in enumerate(LOANS[:20])]
    rows[10]["dti"] = "much"
    scored = run(as_csv(rows, (*FIELD_NAMES, "note")), step_bytes=50)
    assert [row["note"] for row in scored.rows] == [row["note"] for row in rows[:10] + rows[11:]]
    assert scored.rejects[0]["line"] == "17"


@pytest.mark.parametrize(
    ("note", "rows", "detail"),
    [
        ("n", 4, "A quotation mark is opened and not closed, which leaves 5 lines out."),
        (
            "n" * 300_000,
            5,
            "The row has more than 1,048,576 bytes, which leaves 4 lines out. Is a quotation mark not closed?",
        ),
    ],
)
def test_a_quotation_mark_that_isnt_closed_says_how_many_lines_it_costs(note: str, rows: int, detail: str) -> None:
    lines = as_csv([{**loan, "note": note} for loan in LOANS[:9]], (*FIELD_NAMES, "note")).splitlines(keepends=True)
    lines[5] = b'"' + lines[5]
    scored = run(b"".join(lines))
    assert scored.outcome == Outcome(rows, 1, 0)
    assert [(row["line"], row["code"], row["detail"]) for row in scored.rejects] == [("6", "malformed", detail)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (",".join(FIELD_NAMES[1:]), "column loan_amnt: The column is missing; there are int_rate"),
        (",".join([*FIELD_NAMES, "dti"]), "column dti: The header names the column twice"),
        (",".join([*FIELD_NAMES, "model_version"]), "as scored files do"),
        ("", "The file is empty"),
        ("loan_\udce9", "isn't text in UTF-8. Save the file as CSV in UTF-8"),
        ("l\0o\0a\0n\0_\0i\0d\0,\0", "isn't text in UTF-8"),
        ("\x1f\udc8b\x08\0", "The file is compressed by gzip. Unpack it first"),
        ("PAR1\x15\x04", "The file is Parquet. Give it a name that ends in .parquet"),
        ("PK\x03\x04\x14", "The file is a zip archive or an Excel workbook. Save its table as CSV"),
        (";".join(FIELD_NAMES), "separated by semicolons. Save the file with commas"),
        ("\t".join(FIELD_NAMES), "separated by tabs"),
        (
            ",".join(FIELD_NAMES).upper(),
            "column loan_amnt: The column is named 'LOAN_AMNT' here. Write the names in lower case",
        ),
        (", ".join(FIELD_NAMES), "column int_rate: The column is named ' int_rate' here"),
        ("Loans of May,,\n\n" + ",".join(FIELD_NAMES), "Line 3 holds the column names. Delete the 2 lines above it"),
        ("x" * (MAX_ROW_BYTES + 1), "The first line has more than 1,048,576 bytes"),
    ],
)
def test_wrong_header_is_refused(header: str, message: str) -> None:
    with pytest.raises(UnusableFileError, match=message):
        run(header.encode("utf-8", "surrogateescape") + b"\n")


def test_a_byte_order_mark_isnt_part_of_a_name() -> None:
    scored = run("\ufeff".encode() + as_csv(LOANS[:3]))
    assert scored.outcome.rows == 3
    assert scored.text.startswith("\ufeffloan_amnt")


MISSING = [{**LOANS[0], "emp_length": cell, "revol_util": cell} for cell in MISSING_CELLS]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_the_cells_that_are_missing_in_training_are_missing_here(quoting: Any) -> None:
    scored = run(as_csv(MISSING, quoting=quoting))
    assert scored.outcome == Outcome(len(MISSING), 0, 0)
    expected = SCORER.late_probabilities([{**LOANS[0], "emp_length": None, "revol_util": None}])[0]
    assert {float(row["late_probability"]) for row in scored.rows} == {expected}
    wrong = run(as_csv([{**LOANS[0], "grade": cell} for cell in MISSING_CELLS], quoting=quoting))
    assert {row["code"] for row in wrong.rejects} == {"null_not_allowed"}
    assert wrong.outcome == Outcome(0, len(MISSING_CELLS), 0)


def test_empty_columns_at_the_end_are_ignored() -> None:
    rows = [as_csv_row(loan) for loan in LOANS[:3]]
    source = "\n".join([",".join(FIELD_NAMES) + ",,", rows[0] + ",,", rows[1] + ",,,,", rows[2]]) + "\n"
    scored = run(source.encode())
    assert scored.outcome == Outcome(3, 0, 0)
    lines = scored.text.splitlines()
    assert [line.split(",")[10:12] for line in lines] == [["", ""]] * 4
    assert {line.count(",") for line in lines} == {14}
    assert run(as_csv(LOANS[:2]).replace(b"\n", b",,\n")).outcome.rows == 2


def test_other_columns_may_share_a_name() -> None:
    scored = run(as_csv(LOANS[:3]).replace(b"\n", b",note,note\n"))
    assert scored.outcome == Outcome(3, 0, 0)


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_lines_that_end_in_cr_are_lines(quoting: Any) -> None:
    source = as_csv(LOANS[:5], quoting=quoting)
    assert run(source.replace(b"\n", b"\r")).text == run(source).text.replace("\n", "\r")


@pytest.mark.parametrize("note", ["b", '"b"'])
def test_a_huge_cell_is_read_alike_with_and_without_quotes_beside_it(note: str) -> None:
    row = as_csv_row(LOANS[0])
    source = f"{','.join(FIELD_NAMES)},note\n{row},{'x' * 140_000}\n{row},{note}\n"
    assert run(source.encode()).outcome == Outcome(2, 0, 0)


@pytest.mark.parametrize("note", ["b", '"b"'])
@pytest.mark.parametrize("step_bytes", [5000, 1 << 20, 1 << 23])
def test_a_row_beyond_the_limit_is_rejected_and_the_next_one_scored(note: str, step_bytes: int) -> None:
    row = as_csv_row(LOANS[0])
    lines = [f"{','.join(FIELD_NAMES)},note", f"{row},{note}", f"{row},{'x' * (3 << 20)}", f"{row},b"]
    scored = run(
        "\n".join([*lines, f'{row},"open', *[f"{row},b"] * 20_000, f"{row},b", ""]).encode(), step_bytes=step_bytes
    )
    assert [(row["line"], row["code"]) for row in scored.rejects] == [("3", "malformed"), ("5", "malformed")]
    assert "more than 1,048,576 bytes" in scored.rejects[0]["detail"]
    assert scored.outcome.rows > 1000


def test_many_columns_take_linear_time() -> None:
    names = [*FIELD_NAMES, *(f"c{number}" for number in range(50_000))]
    body = as_csv_row(LOANS[0]) + ",1" * 50_000
    # In quadratic time this took minutes.
    assert run(f"{','.join(names)}\n{body}\n".encode()).outcome.rows == 1


@pytest.mark.parametrize("sizes", [{}, {"step_bytes": 500, "checkpoint_bytes": 2000}])
def test_warnings_are_counted_and_written_where_they_are_asked_for(sizes: dict[str, int]) -> None:
    expected = [
        " ".join(
            [
                *(["home_ownership:unseen_category"] if loan["home_ownership"] == "RENT" else []),
                *(["loan_amnt:out_of_training_range"] if loan["loan_amnt"] > 20_000 else []),
            ]
        )
        for loan in LOANS
    ]
    scored = run(as_csv(LOANS), WARNING_MODEL, has_warnings=True, **sizes)
    assert [row["warnings"] for row in scored.rows] == expected
    assert scored.outcome.warned == sum(map(bool, expected)) > 0
    assert scored.outcome.warnings == {
        warning: sum(warning in text for text in expected)
        for warning in ("home_ownership:unseen_category", "loan_amnt:out_of_training_range")
    }
    without = run(as_csv(LOANS), WARNING_MODEL, **sizes)
    assert "warnings" not in without.rows[0]
    assert without.outcome.warnings == scored.outcome.warnings
    assert [row["late_probability"] for row in without.rows] == [row["late_probability"] for row in scored.rows]


def test_a_column_called_warnings_is_in_the_way_only_of_warnings() -> None:
    loans = [{**loan, "warnings": "x"} for loan in LOANS[:3]]
    source = as_csv(loans, (*FIELD_NAMES, "warnings"))
    assert run(source).outcome.rows == 3
    with pytest.raises(UnusableFileError, match="already has a column warnings"):
        run(source, has_warnings=True)
