"""Where pandas isn't installed, rows are read one by one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from batch_scoring.csv_header import read_header
from batch_scoring.csv_rows import read_at_once, read_step
from batch_scoring.source_file import opened
from model_artifact.schema import FIELD_NAMES

ROW = b"10000,0.1,car,A,50000,0.5,1 year,10,0,RENT\n"


def test_without_pandas_rows_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    path = tmp_path / "loans.csv"
    path.write_bytes(",".join(FIELD_NAMES).encode() + b"\n" + ROW * 3)
    with opened(path) as file:
        header = read_header(file)
        file.rewind()
        file.skip_to(header.size_bytes)
        assert read_at_once(ROW, header) is None
        step = read_step(file, header, 2, 1 << 20)
    assert step is not None
    assert (len(step.rows), step.rejected, step.n_lines) == (3, 0, 3)
