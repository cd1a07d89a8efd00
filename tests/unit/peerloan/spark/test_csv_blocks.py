"""Blocks of CSV files, as Spark hands them to its workers: no byte depends on how a file is divided."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_scoring.csv_header import read_header
from batch_scoring.errors import UnusableFileError
from batch_scoring.row_rules import Rejection
from batch_scoring.source_file import SourceFile
from model_artifact.schema import FIELD_NAMES
from peerloan.spark.csv_blocks import CsvJob, reject_blocks, score_blocks
from peerloan.spark.reports import Report
from tests.unit.peerloan.scoring.csv_kit import LOANS, WARNING_MODEL, Model, as_csv, run

NOTED = (*FIELD_NAMES, "note")
NAMES = ("line", "file", "block_start", "is_last")
FAULTY = [
    {**LOANS[0], "note": 'a "quoted" note, with a comma'},
    {**LOANS[1], "note": "two\nlines"},
    {**LOANS[2], "dti": "wrong"},
    {**LOANS[3], "loan_amnt": "", "grade": "", "note": "é"},
    *({**loan, "note": "plain"} for loan in LOANS[4:40]),
]


def job_of(source: bytes, model: Model = WARNING_MODEL, *, has_warnings: bool = False) -> CsvJob:
    line = source.split(b"\n", 1)[0] + b"\n"
    header = read_header(SourceFile(Path("loans.csv"), io.BytesIO(line)))
    return CsvJob(SimpleNamespace(load=lambda: model), "first.csv", line, header, has_warnings)


def blocks_of(sources: dict[str, bytes], cuts: set[int]) -> list[list[tuple[Any, ...]]]:
    """Return the lines of each block; a file is cut at the line ends whose numbers are given."""
    blocks: list[list[tuple[Any, ...]]] = []
    for name, source in sources.items():
        lines = source.splitlines(keepends=True) if b"\r" not in source else source.split(b"\n")
        lines = [line if line.endswith(b"\n") else line + b"\n" for line in lines if line]
        starts = [0, *(number for number in sorted(cuts) if 0 < number < len(lines)), len(lines)]
        for begin, end in pairwise(starts):
            start, until = sum(map(len, lines[:begin])), sum(map(len, lines[:end]))
            size = sum(map(len, lines))
            blocks.append([(line.removesuffix(b"\n"), name, start, until == size) for line in lines[begin:end]])
    return blocks


def batches_of(blocks: list[list[tuple[Any, ...]]], rows: int) -> list[Any]:
    """Return what one task gets: batches of so many lines, whatever block they are of."""
    lines = [line for block in blocks for line in block]
    kinds = (pyarrow.binary(), pyarrow.string(), pyarrow.int64(), pyarrow.bool_())
    return [
        pyarrow.RecordBatch.from_arrays(
            [pyarrow.array(cells, kind) for cells, kind in zip(zip(*part, strict=True), kinds, strict=True)], NAMES
        )
        for part in (lines[begin : begin + rows] for begin in range(0, len(lines), rows))
    ]


def score(job: CsvJob, batches: list[Any]) -> tuple[str, Report]:
    reports: list[Report] = []
    scored = [row for batch in score_blocks(job, reports.append, batches) for row in batch.to_pylist()]
    (report,) = reports
    return "".join(row["text"] + "\n" for row in scored), report


@given(
    rows=st.integers(1, 60),
    cuts=st.sets(st.integers(1, 43)),
    ending=st.sampled_from(["\n", "\r\n"]),
    step_bytes=st.sampled_from([1, 300, 1 << 16]),
)
def test_a_file_gets_the_same_bytes_however_it_is_divided(
    rows: int, cuts: set[int], ending: str, step_bytes: int
) -> None:
    source = as_csv(FAULTY, NOTED).replace(b"\r\n", b"\n").replace(b"\n", ending.encode())
    # The third line begins inside a cell.
    blocks = blocks_of({"loans.csv": source}, cuts - {3})
    alone = run(source, WARNING_MODEL)
    job = job_of(source, replace(WARNING_MODEL, step_bytes=step_bytes))
    text, report = score(job, batches_of(blocks, rows))
    assert text.encode() == alone.text.encode()
    assert (report.rows, report.rejected) == (alone.outcome.rows, alone.outcome.rejected)
    expected = [{"file": "loans.csv", **fault} for fault in alone.rejects]
    assert [as_row(file, fault) for file, fault in report.numbered_rejections()] == expected
    batches = reject_blocks(job, report.first_lines(), batches_of(blocks, rows))
    again = [row for batch in batches for row in batch.to_pylist()]
    assert [{**row, "line": str(row["line"])} for row in again] == expected


def as_row(file: str, fault: Rejection) -> dict[str, str]:
    return {"file": file, **asdict(fault), "line": str(fault.line)}


def test_a_file_divided_inside_a_cell_stops_the_job() -> None:
    source = as_csv(FAULTY, NOTED)
    with pytest.raises(UnusableFileError, match=r"a\.csv is divided inside a quoted cell.*byte 0.*maxPartitionBytes"):
        score(job_of(source), batches_of(blocks_of({"a.csv": source}, {3}), 10))


def test_several_files_of_one_task_have_one_header() -> None:
    sources = {"a.csv": as_csv(LOANS[:5]), "b.csv": as_csv(LOANS[5:9])}
    text, report = score(job_of(sources["a.csv"]), batches_of(blocks_of(sources, set()), 4))
    assert text == run(as_csv(LOANS[:9]), WARNING_MODEL).text
    assert (report.rows, report.rejected, report.lines) == (9, 0, {("a.csv", 0): 6, ("b.csv", 0): 5})


def test_a_file_with_another_header_stops_the_job() -> None:
    sources = {"a.csv": as_csv(LOANS[:5]), "b.csv": as_csv([{**LOANS[5], "note": 1}], NOTED)}
    with pytest.raises(UnusableFileError, match=r"b\.csv has another first line than first\.csv"):
        score(job_of(sources["a.csv"]), batches_of(blocks_of(sources, set()), 4))
