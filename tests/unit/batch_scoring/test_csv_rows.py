"""Reading at once gives what reading row by row does: the rows, their values to the last bit, and the rejections."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_scoring.csv_header import Header, read_header
from batch_scoring.csv_lines import split_at_once, split_row_by_row
from batch_scoring.csv_rows import Step, read_step
from batch_scoring.row_rules import find_rejections, read_cells
from batch_scoring.source_file import SourceFile
from fitted_pipelines import table_of
from model_artifact.schema import FIELD_NAMES, LOAN_ID
from tests.unit.peerloan.scoring.csv_kit import LOANS, as_csv, files


def source_file(source: bytes) -> SourceFile:
    return SourceFile(Path("loans.csv"), io.BytesIO(source))


def header_of(source: bytes) -> Header:
    return read_header(source_file(source))


HEADER = header_of(as_csv([]))
BODY = as_csv(LOANS)[HEADER.size_bytes :]


@settings(deadline=None)
@given(files())
def test_lines_that_are_split_at_once_are_split_as_row_by_row(source: bytes) -> None:
    header = header_of(source)
    body = source[header.size_bytes :]
    at_once = split_at_once(body, header, 2)
    if at_once is None:
        return
    row_by_row = split_row_by_row(body, source_file(b""), header, 2)
    assert (list(at_once.lines), list(at_once.texts)) == (row_by_row.lines, row_by_row.texts)
    assert (at_once.n_lines, list(at_once.rejections)) == (row_by_row.n_lines, row_by_row.rejections)
    for place in range(len(header.names)):
        assert at_once.column(place) == row_by_row.column(place)


def step_of(source: bytes) -> Step | None:
    file, header = source_file(source), header_of(source)
    file.skip_to(header.size_bytes)
    return read_step(file, header, 2, max(len(source), 1))


@settings(deadline=None)
@given(files())
def test_values_and_rejections_are_those_of_each_row_alone(source: bytes) -> None:
    header = header_of(source)
    split = split_row_by_row(source[header.size_bytes :], source_file(b""), header, 2)
    columns = zip(*(split.column(place) for place in range(len(header.names))), strict=True)
    records = [read_cells(dict(zip(header.names, row, strict=True))) for row in columns]
    faults = find_rejections(records, split.lines)
    invalid = {fault.line for fault in faults}
    is_valid = [line not in invalid for line in split.lines]
    step = step_of(source)
    if step is None:
        assert not records
        return
    assert list(step.rows) == [text for text, valid in zip(split.texts, is_valid, strict=True) if valid]
    assert list(step.rejections) == sorted([*split.rejections, *faults], key=lambda rejection: rejection.line)
    assert (step.rejected, step.n_lines) == (len(split.rejections) + len(invalid), split.n_lines)
    expected = table_of(record for record, valid in zip(records, is_valid, strict=True) if valid)
    for name in (*FIELD_NAMES, LOAN_ID):
        assert repr(list(step.columns[name])) == repr(list(expected[name]))


@given(st.lists(st.floats(0, 1e9) | st.floats(0, 1e-300), min_size=1, max_size=50))
def test_numbers_are_read_to_the_last_bit(numbers: list[float]) -> None:
    step = step_of(as_csv([{**LOANS[0], "annual_inc": repr(number)} for number in numbers]))
    assert step is not None
    assert step.columns["annual_inc"].tolist() == numbers


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_usual_rows_are_split_at_once(quoting: object, ending: bytes) -> None:
    source = as_csv(LOANS, quoting=quoting).replace(b"\n", ending)
    header = header_of(source)
    split = split_at_once(source[header.size_bytes :], header, 2)
    assert split is not None
    assert len(split.texts) == len(LOANS)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"1,2", b",1", b'"open', b'"two\nlines"', b"a\rb", b"\xff", b'"' + b"x" * (1 << 20) + b'"'),
        # Together two lines have the cells of two rows.
        BODY.split(b"\n")[0].replace(b",", b"\n", 1),
    ],
)
def test_other_lines_are_not_split_at_once(line: bytes) -> None:
    for body in (line + b"\n" + BODY, BODY + line + b"\n"):
        assert split_at_once(body, HEADER, 2) is None
    assert split_at_once(BODY[:-1], HEADER, 2) is None


@pytest.mark.parametrize(
    "cell", ["true", "FALSE", "\v5", "5\f", "1_0", "\u0661", "inf", "nan(1)", "\ufeff5", "5\0", "-"]
)
@pytest.mark.parametrize("column", ["dti", "revol_util"])
def test_what_float_or_another_reader_takes_for_a_number_is_rejected(column: str, cell: str) -> None:
    step = step_of(as_csv([*LOANS, {**LOANS[0], column: cell}]))
    assert step is not None
    assert [(fault.line, fault.column, fault.code) for fault in step.rejections] == [(302, column, "wrong_type")]
    assert len(step.rows) == len(step.columns[column]) == len(LOANS)


def test_long_quoted_cells_are_read_in_a_process_that_has_read_no_header() -> None:
    # Spark's workers get the header from elsewhere.
    source = as_csv([{**LOANS[0], "note": "x" * 140_000 + ","}], (*FIELD_NAMES, "note"))
    header = header_of(source)
    csv.field_size_limit(131_072)
    split = split_row_by_row(source[header.size_bytes :], source_file(b""), header, 2)
    assert (len(split.texts), split.rejections) == (1, [])
