"""Files of outcomes: what is read, what is rejected and why; an import that was cut off is simply done again."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from memory_store import InMemoryStore
from model_monitor.joined.maturity import day_number, loan_numbers
from model_monitor.joined.outcome_store import OutcomeStore
from model_registry.errors import StoreUnavailableError
from model_watch.loan_hash import LoanHasher
from peerloan.errors import CommandError, UsageError
from peerloan.outcomes.importing import Import, import_outcomes

AS_OF = date(2026, 7, 15)
HASHER = LoanHasher("k" * 40)


class Files:
    """A folder with a file of outcomes, its rejects file, and a bucket."""

    def __init__(self, folder: Path) -> None:
        self.rejects = folder / "rejects.csv"
        self.store = InMemoryStore()
        self._folder = folder

    def bring_in(self, content: str | bytes | dict, known=("LN-1", "LN-2", "LN-3")) -> Import:
        """Import a CSV file's content, or a Parquet file's columns."""
        source = self._folder / ("outcomes.parquet" if isinstance(content, dict) else "outcomes.csv")
        if isinstance(content, dict):
            pyarrow = pytest.importorskip("pyarrow")
            from pyarrow import parquet

            parquet.write_table(pyarrow.table(content), source)
        else:
            source.write_bytes(content.encode() if isinstance(content, str) else content)
        numbers = loan_numbers(b"".join(HASHER.hash(loan).encode() for loan in known))
        find_loans = None if known is None else lambda loans, first, last: np.isin(loans, numbers)
        return import_outcomes(source, AS_OF, self.rejects, HASHER, OutcomeStore(self.store, "late-payer"), find_loans)

    def rejected(self) -> list[tuple[int, str, str]]:
        """Return line, column and code of each rejected row."""
        if not self.rejects.exists():
            return []
        with self.rejects.open(newline="") as file:
            return [(int(row["line"]), row["column"], row["code"]) for row in csv.DictReader(file)]

    def told(self) -> set[tuple[str, date, bool]]:
        """Return what the bucket has: loan, day, late."""
        loans = {int(loan_numbers(HASHER.hash(f"LN-{n}").encode())[0]): f"LN-{n}" for n in range(10)}
        return {
            (loans[int(loan)], date.fromordinal(int(day) + date(1970, 1, 1).toordinal()), bool(late))
            for _, file in OutcomeStore(self.store, "late-payer").get_all()
            for statements in [file.statements()]
            for loan, day, late in zip(statements.loans, statements.observed_on, statements.is_late, strict=True)
        }


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


JUNE = date(2026, 6, 30)


def test_rows_without_a_day_are_of_the_files_day(files: Files) -> None:
    imported = files.bring_in("loan_id,is_late,observed_on\nLN-1,1,2026-06-30\nLN-2,0,\n")

    assert files.told() == {("LN-1", JUNE, True), ("LN-2", AS_OF, False)}
    assert (imported.is_new, imported.late, imported.on_time, imported.first, imported.last) == (
        True,
        1,
        1,
        "2026-06-30",
        "2026-07-15",
    )
    assert (files.rejected(), imported.rejected, imported.unknown_loans) == ([], 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        "is_late,purpose,loan_id\n1,car,LN-1\n0,,LN-2\n",
        '"loan_id","is_late"\r\n"LN-1","true"\r\n"LN-2","False"\r\n\r\n',
        "\ufeffloan_id,is_late,,\nLN-1,TRUE,,\nLN-2, 0.0 ,,\n",
        b"loan_id,is_late\rLN-1,1\rLN-2,0\r",
        {"loan_id": ["LN-1", "LN-2"], "is_late": [True, False]},
        {"loan_id": ["LN-1", "LN-2"], "is_late": [1.0, 0.0], "observed_on": [None, "2026-07-15"]},
        {"loan_id": ["LN-1", "LN-2"], "is_late": ["1", "0"], "observed_on": [AS_OF, None]},
    ],
)
def test_every_common_form_of_a_file_says_the_same(files: Files, content) -> None:
    files.bring_in(content)

    assert files.told() == {("LN-1", AS_OF, True), ("LN-2", AS_OF, False)}


def test_bad_rows_are_rejected_by_line_with_the_reason_and_the_others_are_imported(files: Files) -> None:
    rows = [
        "LN-1,1,2026-06-30",
        ",1,",
        "LN-2,maybe,",
        "LN-2,,",
        "LN-2,1,30.06.2026",
        "LN-2,1,2026-02-30",
        "LN-2,1,20260630",
        "LN-2,1,2026-07-16",
        "LN-2,1,1969-12-31",
        f"{'x' * 129},1,",
        "LN-2,1,,surplus",
        "LN-2",
        "LN-3,0,2026-06-30",
    ]

    imported = files.bring_in("loan_id,is_late,observed_on\n" + "\n".join(rows) + "\n")

    assert files.rejected() == [
        (3, "loan_id", "null_not_allowed"),
        (4, "is_late", "wrong_type"),
        (5, "is_late", "null_not_allowed"),
        (6, "observed_on", "wrong_type"),
        (7, "observed_on", "wrong_type"),
        (8, "observed_on", "wrong_type"),
        (9, "observed_on", "out_of_range"),
        (10, "observed_on", "out_of_range"),
        (11, "loan_id", "wrong_length"),
        (12, "", "wrong_length"),
        (13, "", "wrong_length"),
    ]
    assert (imported.rejected, imported.contradictions) == (11, 0)
    assert files.told() == {("LN-1", JUNE, True), ("LN-3", JUNE, False)}
    assert "LN-2" not in files.rejects.read_text()


def test_parquet_rows_are_rejected_by_their_number(files: Files) -> None:
    files.bring_in({"loan_id": ["LN-1", None, "LN-2"], "is_late": [True, True, None]})

    assert files.rejected() == [(2, "loan_id", "null_not_allowed"), (3, "is_late", "null_not_allowed")]


def test_of_rows_that_contradict_each_other_neither_is_imported(files: Files) -> None:
    rows = ["LN-1,1,2026-06-30", "LN-1,0,2026-06-30", "LN-1,0,", "LN-2,0,", "LN-2,0,"]

    imported = files.bring_in("loan_id,is_late,observed_on\n" + "\n".join(rows) + "\n")

    assert files.rejected() == [(2, "is_late", "contradiction"), (3, "is_late", "contradiction")]
    assert (imported.rejected, imported.contradictions, imported.on_time) == (2, 2, 2)
    assert files.told() == {("LN-1", AS_OF, False), ("LN-2", AS_OF, False)}


def test_loans_that_the_log_does_not_have_are_listed_and_imported(files: Files) -> None:
    imported = files.bring_in("loan_id,is_late\nLN-7,1\nLN-1,0\nLN-8,0\nLN-7,1\n")

    assert files.rejected() == [
        (2, "loan_id", "unknown_loan"),
        (4, "loan_id", "unknown_loan"),
        (5, "loan_id", "unknown_loan"),
    ]
    assert (imported.unknown_loans, imported.rejected) == (2, 0)
    assert {loan for loan, *_ in files.told()} == {"LN-1", "LN-7", "LN-8"}
    unasked = files.bring_in("loan_id,is_late\nLN-7,1\n", known=())
    assert unasked.unknown_loans == 1


def test_the_same_outcomes_again_change_nothing_and_are_told(files: Files) -> None:
    first = files.bring_in("loan_id,is_late\nLN-1,1\nLN-2,0\n")

    again = files.bring_in("loan_id,is_late\nLN-2,0\nLN-1,1\nLN-1,1\n")

    assert (again.digest, again.is_new) == (first.digest, False)
    assert len(files.store.list_keys("")) == 1


def test_a_rejects_file_of_an_earlier_run_is_removed(files: Files) -> None:
    files.bring_in("loan_id,is_late\nLN-1,1\n,0\n")
    assert files.rejects.exists()

    files.bring_in("loan_id,is_late\nLN-1,1\n")

    assert not files.rejects.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("loan_id;is_late\nLN-1;1\n", "separated by semicolons"),
        ("title\nloan_id,is_late\nLN-1,1\n", "Line 2 holds the column names"),
        ("Loan_ID,is_late\nLN-1,1\n", "named 'Loan_ID' here"),
        ("loan_id,is_late,is_late\nLN-1,1,0\n", "twice"),
        ("loan_id,is_late,observed_on,observed_on\nLN-1,1,,\n", "twice"),
        ("loan_id\nLN-1\n", "is_late.*missing"),
        ("", "empty"),
        ({"loan_id": [1], "is_late": [True]}, "holds int64, not texts"),
        ({"loan_id": ["LN-1"]}, "is_late.*missing"),
    ],
)
def test_a_file_that_is_not_one_of_outcomes_is_refused_with_what_to_do(files: Files, content, message) -> None:
    with pytest.raises(UsageError, match=message):
        files.bring_in(content)
    assert files.store.list_keys("") == []


@pytest.mark.parametrize(
    ("content", "message"), [("loan_id,is_late\n,1\n", "rejects.csv"), ("loan_id,is_late\n", "no rows")]
)
def test_a_file_without_a_usable_row_is_not_imported(files: Files, content, message) -> None:
    with pytest.raises(CommandError, match=rf"No row of .* can be imported.*{message}"):
        files.bring_in(content)
    assert files.store.list_keys("") == []


def test_an_import_that_the_bucket_failed_is_done_again(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_, **__):
        raise StoreUnavailableError("write", "outcomes", "it is down")

    with monkeypatch.context() as patch:
        patch.setattr(files.store, "put", fail)
        with pytest.raises(StoreUnavailableError):
            files.bring_in("loan_id,is_late\nLN-1,1\n,1\n")

    assert files.bring_in("loan_id,is_late\nLN-1,1\n,1\n").is_new
    assert (files.told(), len(files.rejected())) == ({("LN-1", AS_OF, True)}, 1)


def test_days_have_the_numbers_of_the_rule(files: Files) -> None:
    files.bring_in({"loan_id": ["LN-1"], "is_late": [True], "observed_on": [date(1970, 1, 2)]})

    assert day_number(min(day for _, day, _ in files.told())) == 1
