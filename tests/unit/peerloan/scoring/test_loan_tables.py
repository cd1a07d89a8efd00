"""Loans with their outcomes, read from CSV and Parquet files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_artifact.schema import FIELD_NAMES
from peerloan.errors import UsageError
from peerloan.scoring.loan_tables import read_loan_tables, table_of_quarter
from tests.unit.peerloan.scoring.csv_kit import LOANS, as_csv
from training.data import read_quarter

NAMES = (*FIELD_NAMES, "is_late")


def with_outcomes(outcomes: list[Any]) -> list[dict[str, Any]]:
    return [{**record, "is_late": outcome} for record, outcome in zip(LOANS, outcomes, strict=False)]


def write_csv(folder: Path, rows: list[dict[str, Any]], names: tuple[str, ...] = NAMES) -> Path:
    path = folder / "loans.csv"
    path.write_bytes(as_csv(rows, names))
    return path


def test_a_csv_file_gives_its_outcomes_beside_the_loans(tmp_path: Path) -> None:
    (table,) = read_loan_tables(write_csv(tmp_path, with_outcomes([0, 1, "", "1.0"])))
    assert len(table) == 4
    assert table.outcomes.tolist()[:2] == [0, 1]
    assert math.isnan(table.outcomes[2])
    assert table.outcomes[3] == 1
    assert table.columns["dti"].tolist() == [record["dti"] for record in LOANS[:4]]


def test_an_invalid_row_takes_its_outcome_with_it(tmp_path: Path) -> None:
    rows = with_outcomes([0, 1, 1, 0])
    rows[1]["dti"] = -5
    rows[2]["purpose"] = 'a "quoted"\ntext, of two lines'
    (table,) = read_loan_tables(write_csv(tmp_path, rows))
    assert (len(table), table.rejected) == (3, 1)
    assert table.outcomes.tolist() == [0, 1, 0]


def test_a_file_without_the_column_has_no_outcomes(tmp_path: Path) -> None:
    (table,) = read_loan_tables(write_csv(tmp_path, LOANS[:5], FIELD_NAMES))
    assert table.outcomes is None


@pytest.mark.parametrize("outcome", [2, "late", -1])
def test_another_outcome_is_refused(tmp_path: Path, outcome: Any) -> None:
    with pytest.raises(UsageError, match="is_late must hold 0"):
        list(read_loan_tables(write_csv(tmp_path, with_outcomes([0, outcome]))))


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="isn't a file"):
        read_loan_tables(tmp_path / "none.csv")
    (tmp_path / "loans.txt").write_text("a")
    with pytest.raises(UsageError, match="must end in"):
        read_loan_tables(tmp_path / "loans.txt")


@pytest.mark.parametrize("outcomes", [[0, 1, None], [False, True, None], [0.0, 1.0, None]])
def test_parquet_gives_the_same_as_csv(tmp_path: Path, outcomes: list[Any]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "loans.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(with_outcomes(outcomes)), path)
    (table,) = read_loan_tables(path)
    assert table.outcomes.tolist()[:2] == [0, 1]
    assert math.isnan(table.outcomes[2])
    (other,) = read_loan_tables(write_csv(tmp_path, LOANS[:3], FIELD_NAMES))
    assert table.columns["purpose"] == other.columns["purpose"]
    assert np.array_equal(table.columns["dti"], other.columns["dti"], equal_nan=True)


def test_held_out_loans_with_a_gap_that_the_api_refuses_are_left_out() -> None:
    rows = with_outcomes([0, 1] * 15)
    rows[4]["annual_inc"] = ""
    quarter = read_quarter("loans.csv", as_csv(rows, NAMES))
    table = table_of_quarter(quarter)
    assert (len(table), table.rejected) == (29, 1)
    assert table.outcomes.sum() == 15
    assert not any(isinstance(value, float) for value in table.columns["emp_length"])
