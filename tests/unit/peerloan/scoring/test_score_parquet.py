"""Scoring a Parquet file; without pyarrow, the message that says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from batch_scoring.errors import UnusableFileError
from batch_scoring.row_rules import Columns
from batch_scoring.scores import Scores
from fitted_pipelines import form, records
from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form.scorers.record_scorer import make_scorer
from peerloan.errors import CommandError, UsageError
from peerloan.scoring.score_parquet import score_parquet
from peerloan.scoring.targets import Targets, locked

SCORER = make_scorer(form("boosting-small"))


class Model:
    """Scores as a version does, in one part."""

    identity = "model 3"

    def score(self, columns: Columns) -> Iterator[Scores]:
        probabilities = SCORER.late_probabilities_of_columns(columns)
        warned_rows = {("loan_amnt", "out_of_training_range"): (columns["loan_amnt"] > 20_000).nonzero()[0].tolist()}
        yield Scores(probabilities.tolist(), (probabilities >= 0.3).tolist(), 3, warned_rows)


MODEL = Model()
LOANS: list[dict[str, Any]] = [{**record, "note": number} for number, record in enumerate(records()[:300])]


def targets(folder: Path) -> Targets:
    return Targets(folder / "out.parquet", folder / "rejects.csv")


def test_without_pyarrow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pip install pyarrow"):
        score_parquet(tmp_path / "loans.parquet", targets(tmp_path), MODEL)


def write(folder: Path, loans: list[dict[str, Any]]) -> Path:
    table = pyarrow.Table.from_pylist(loans)
    parquet.write_table(table, folder / "loans.parquet")
    return folder / "loans.parquet"


def read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


def test_output_is_the_input_and_three_columns(tmp_path: Path) -> None:
    outcome = score_parquet(write(tmp_path, LOANS), targets(tmp_path), MODEL, rows_a_step=77)
    assert (outcome.rows, outcome.rejected) == (300, 0)
    expected = SCORER.late_probabilities(LOANS)
    results = [
        {**loan, "late_probability": p, "predicted_is_late": int(p >= 0.3), "model_version": 3}
        for loan, p in zip(LOANS, expected, strict=True)
    ]
    assert read(tmp_path / "out.parquet") == results
    assert {path.name for path in tmp_path.iterdir()} == {"loans.parquet", "out.parquet"}


def test_bad_rows_are_rejected_by_number_and_the_rest_is_scored(tmp_path: Path) -> None:
    loans = [{**loan, "dti": -1.0} if number % 100 == 50 else loan for number, loan in enumerate(LOANS)]
    loans[7] = {**loans[7], "grade": None}
    outcome = score_parquet(write(tmp_path, loans), targets(tmp_path), MODEL, rows_a_step=77)
    assert (outcome.rows, outcome.rejected) == (296, 4)
    lines = (tmp_path / "rejects.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["8", "grade", "null_not_allowed"],
        ["51", "dti", "out_of_range"],
        ["151", "dti", "out_of_range"],
        ["251", "dti", "out_of_range"],
    ]
    assert len(read(tmp_path / "out.parquet")) == 296


def test_columns_of_another_type_are_refused(tmp_path: Path) -> None:
    for name, value in (("dti", "12"), ("grade", 1), ("delinq_2yrs", True)):
        with pytest.raises(UnusableFileError, match=f"The column {name} holds"):
            score_parquet(write(tmp_path, [{**LOANS[0], name: value}]), targets(tmp_path), MODEL)
    with pytest.raises(UnusableFileError, match="column loan_amnt: The column is missing"):
        score_parquet(write(tmp_path, [{name: LOANS[0][name] for name in FIELD_NAMES[1:]}]), targets(tmp_path), MODEL)
    (tmp_path / "loans.parquet").write_bytes(b"not Parquet")
    with pytest.raises(UsageError, match="isn't a Parquet file"):
        score_parquet(tmp_path / "loans.parquet", targets(tmp_path), MODEL)
    assert {path.name for path in tmp_path.iterdir()} == {"loans.parquet"}


def test_decimals_are_numbers_and_a_column_without_values_is_missing(tmp_path: Path) -> None:
    gaps = {"emp_length": None, "revol_util": None}
    loans = [{**loan, "loan_amnt": Decimal(str(loan["loan_amnt"])), **gaps} for loan in LOANS]
    outcome = score_parquet(write(tmp_path, loans), targets(tmp_path), MODEL)
    assert (outcome.rows, outcome.rejected) == (300, 0)
    expected = SCORER.late_probabilities([{**loan, **gaps} for loan in LOANS])
    assert [row["late_probability"] for row in read(tmp_path / "out.parquet")] == expected


def test_a_column_without_values_that_needs_them_rejects_every_row(tmp_path: Path) -> None:
    outcome = score_parquet(write(tmp_path, [{**loan, "dti": None} for loan in LOANS]), targets(tmp_path), MODEL)
    assert (outcome.rows, outcome.rejected) == (0, 300)


@pytest.mark.parametrize("place", [slice(4, 44), slice(-60, -20)])
def test_a_damaged_file_is_named_and_not_the_output(tmp_path: Path, place: slice) -> None:
    path = write(tmp_path, LOANS)
    content = bytearray(path.read_bytes())
    content[place] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(CommandError, match=r"loans\.parquet (can't be read|isn't a Parquet file)"):
        score_parquet(path, targets(tmp_path), MODEL)


def test_a_file_that_is_changed_during_the_run_gives_no_output(tmp_path: Path) -> None:
    path = write(tmp_path, LOANS)

    def change(_: int) -> None:
        write(tmp_path, LOANS[:5])

    with pytest.raises(CommandError, match=r"loans\.parquet was changed or removed while it was scored"):
        score_parquet(path, targets(tmp_path), MODEL, on_progress=change)
    assert not (tmp_path / "out.parquet").exists()


def test_a_second_run_that_would_write_the_same_outputs_is_refused(tmp_path: Path) -> None:
    with locked(targets(tmp_path)), pytest.raises(CommandError, match="Another run writes"):
        score_parquet(write(tmp_path, LOANS), targets(tmp_path), MODEL)


def test_warnings_are_counted_and_written_where_they_are_asked_for(tmp_path: Path) -> None:
    warning = "loan_amnt:out_of_training_range"
    expected = [warning if loan["loan_amnt"] > 20_000 else "" for loan in LOANS]
    outputs = Targets(tmp_path / "out.parquet", tmp_path / "rejects.csv", has_warnings=True)
    outcome = score_parquet(write(tmp_path, LOANS), outputs, MODEL, rows_a_step=77)
    assert [row["warnings"] for row in read(outputs.scored)] == expected
    assert (outcome.warned, outcome.warnings) == (expected.count(warning), {warning: expected.count(warning)})
