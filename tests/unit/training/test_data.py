"""The loan data are found where the option or the environment says; a refusal names the column and the row."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, NUMERIC_NAMES
from model_kit import small_quarter
from training.data import DATA_VARIABLE, MINIMUM_LOANS, load, read_quarter
from training.errors import DataNotFoundError, DataRefusedError

CSV = small_quarter(1000).frame.to_csv(index=False)
OTHER_CSV = small_quarter(1200).frame.to_csv(index=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "peerTraining.csv").write_text(CSV)
    (tmp_path / "peerTest.csv").write_text(OTHER_CSV)
    (tmp_path / "dictionary.csv").write_text("loan_amnt,the amount")
    return tmp_path


@pytest.fixture
def archive(folder: Path) -> Path:
    path = folder / "loans.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("peerTraining.csv", "peerTest.csv", "dictionary.csv"):
            file.write(folder / name, f"data/{name}")
            file.writestr(f"__MACOSX/data/._{name}", b"\0")
    return path


def _reversed(csv: str) -> str:
    header, *rows = csv.splitlines()
    return "\n".join([header, *reversed(rows)]) + "\n"


def test_a_zip_a_folder_and_two_files_hold_the_same_loans(folder: Path, archive: Path) -> None:
    files = [folder / "peerTraining.csv", folder / "peerTest.csv"]
    from_zip, from_folder, from_files = (load(source, {}) for source in (archive, folder, files))
    assert from_zip.train.fingerprint == from_folder.train.fingerprint == from_files.train.fingerprint
    assert from_zip.train.fingerprint.rows == 1000
    assert not from_zip.is_sample
    assert str(archive) in from_zip.source
    assert from_zip.held_out == f"peerTest.csv of {archive}"


def test_the_variable_names_the_data_and_the_option_wins_over_it(folder: Path, archive: Path) -> None:
    assert DATA_VARIABLE in load(None, {DATA_VARIABLE: str(archive)}).source
    both = f"{folder / 'peerTraining.csv'}:{folder / 'peerTest.csv'}"
    assert load(None, {DATA_VARIABLE: both}).train.fingerprint.name == "peerTraining.csv"
    assert "--data" in load(folder, {DATA_VARIABLE: "/nowhere"}).source


def test_without_any_data_sample_data_are_used_and_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    quarters = load(None, {})
    assert quarters.is_sample
    assert "sample data" in quarters.source
    assert DATA_VARIABLE in quarters.source


def test_the_default_place_is_below_the_current_folder(archive: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    archive.rename("data/peerLoanData.zip")
    assert "peerLoanData.zip" in load(None, {}).source


def test_several_files_are_one_to_train_on_whose_newest_loans_come_first_and_the_last_is_tested_on(
    folder: Path,
) -> None:
    oldest, newer, last = (folder / name for name in ("q1.csv", "peerTraining.csv", "peerTest.csv"))
    oldest.write_text(_reversed(CSV))
    loans = load([oldest, newer, last], {})
    one, other = (read_quarter(path.name, path.read_bytes()) for path in (newer, oldest))
    pd.testing.assert_frame_equal(loans.train.frame, pd.concat([one.frame, other.frame], ignore_index=True))
    fingerprint = loans.train.fingerprint
    assert fingerprint.files == [other.fingerprint.sha256, one.fingerprint.sha256]
    assert (fingerprint.name, fingerprint.rows) == ("q1.csv and peerTraining.csv", len(one.frame) * 2)
    assert fingerprint.gaps == {column: 2 * count for column, count in one.fingerprint.gaps.items()}
    assert loans.test.fingerprint.name == "peerTest.csv"


@pytest.mark.parametrize("names", [("q.csv", "q.csv", "test.csv"), ("q.csv", "test.csv", "q.csv")])
def test_a_file_that_is_named_twice_is_refused(folder: Path, names: tuple[str, ...]) -> None:
    (folder / "q.csv").write_text(CSV)
    (folder / "test.csv").write_text(_reversed(CSV))
    with pytest.raises(DataRefusedError, match=r"It is the same file as q\.csv"):
        load([folder / name for name in names], {})


@pytest.mark.parametrize(("source", "message"), [("/no/such/file", "/no/such/file"), (None, "nowhere")])
def test_data_that_are_missing_are_not_replaced_by_others(source: str | None, message: str) -> None:
    with pytest.raises(DataNotFoundError, match=message):
        load(Path(source) if source else None, {DATA_VARIABLE: "/nowhere"})


def test_a_folder_with_none_or_two_training_files_is_refused(folder: Path) -> None:
    (folder / "train2.csv").write_text(CSV)
    with pytest.raises(DataNotFoundError, match="one CSV file with 'train'"):
        load(folder, {})


def test_one_csv_file_is_not_enough(folder: Path) -> None:
    with pytest.raises(DataNotFoundError, match="two"):
        load(folder / "peerTraining.csv", {})


def test_numbers_are_floats_and_labels_are_objects_with_nan_where_missing() -> None:
    frame = read_quarter("loans.csv", CSV.encode()).frame
    assert frame.dtypes[list(NUMERIC_NAMES)].eq(np.float64).all()
    assert frame.dtypes[list(CATEGORY_NAMES)].eq(object).all()
    assert frame["emp_length"].isna().any()


def _with(column: str, row: int, value: str) -> bytes:
    lines = CSV.splitlines()
    cells = lines[row].split(",")
    cells[[*FIELD_NAMES, "is_late"].index(column)] = value
    lines[row] = ",".join(cells)
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("loan_amnt", "a lot", "isn't a number"),
        ("dti", "13560", "another unit"),
        ("int_rate", "13.56", "0.1356 for 13.56%"),
        ("int_rate", "13.56%", "isn't a number. Write a percentage as a fraction"),
        ("loan_amnt", "12k", "isn't a number. Write the number out"),
        ("dti", "True", "isn't a number"),
        ("annual_inc", "inf", "between"),
        ("loan_amnt", "-5", "between"),
        ("delinq_2yrs", "0.5", "whole"),
        ("grade", "3", "must hold labels"),
        ("is_late", "2", "neither 0"),
        ("is_late", "", "neither 0"),
        ("is_late", "late", "isn't a number"),
    ],
)
def test_a_wrong_value_is_refused_with_its_column_and_row(column: str, value: str, what: str) -> None:
    with pytest.raises(DataRefusedError, match=what) as caught:
        read_quarter("loans.csv", _with(column, 17, value))
    assert (caught.value.file, caught.value.column, caught.value.row) == ("loans.csv", column, 17)
    assert f"column {column}, row 17" in str(caught.value)


@pytest.mark.parametrize("column", [*FIELD_NAMES, "is_late"])
def test_a_missing_column_is_named(column: str) -> None:
    frame = small_quarter(1000).frame.drop(columns=column)
    with pytest.raises(DataRefusedError, match="missing") as caught:
        read_quarter("loans.csv", frame.to_csv(index=False).encode())
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("count", "label", "message"),
    [
        (0, 1, "No loan is late; at least 10"),
        (1, 1, "1 loan is late; at least 10"),
        (MINIMUM_LOANS - 1, 1, "9 loans are late; at least 10"),
        (0, 0, "No loan is on time"),
        (MINIMUM_LOANS - 1, 0, "9 loans are on time"),
    ],
)
def test_a_file_with_too_few_loans_of_one_kind_is_refused_with_the_count(count: int, label: int, message: str) -> None:
    with pytest.raises(DataRefusedError, match=message) as caught:
        read_quarter("loans.csv", _with_labels(count, label))
    assert caught.value.column == "is_late"


@pytest.mark.parametrize("label", [0, 1])
def test_a_file_with_the_fewest_loans_of_one_kind_is_taken(label: int) -> None:
    target = read_quarter("loans.csv", _with_labels(MINIMUM_LOANS, label)).target
    assert int((target == label).sum()) == MINIMUM_LOANS


def _with_labels(count: int, label: int) -> bytes:
    frame = small_quarter(1000).frame.assign(is_late=1 - label)
    frame.loc[: count - 1, "is_late"] = label
    return frame.to_csv(index=False).encode()


def test_one_file_is_not_trained_and_tested_on(folder: Path) -> None:
    (folder / "peerTest.csv").write_text(CSV)
    with pytest.raises(DataRefusedError, match=r"peerTest\.csv: It is the same file as peerTraining\.csv"):
        load(folder, {})
    with pytest.raises(DataRefusedError, match="same file"):
        load([folder / "peerTraining.csv"] * 2, {})


def test_gaps_that_the_api_refuses_are_filled_and_counted(folder: Path) -> None:
    (folder / "peerTraining.csv").write_bytes(_with("dti", 17, ""))
    quarters = load(folder, {})
    assert quarters.train.fingerprint.gaps["dti"] == 1
    assert "dti" not in quarters.test.fingerprint.gaps
    assert "peerTraining.csv has gaps that the API would refuse, filled in training: dti 1" in quarters.source
    assert "emp_length" not in quarters.source


def test_a_damaged_archive_is_refused(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[content.index(b"credit_card")] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataRefusedError, match=r"loans\.zip: The archive can't be unpacked"):
        load(archive, {})


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2,3\n4", b"<html></html>", CSV.encode()[:60]])
def test_what_isnt_a_loan_file_is_refused(content: bytes) -> None:
    with pytest.raises(DataRefusedError):
        read_quarter("loans.csv", content)


@pytest.mark.parametrize("column", FIELD_NAMES)
def test_a_column_without_any_value_is_refused(column: str) -> None:
    frame = small_quarter(1000).frame.assign(**{column: None})
    with pytest.raises(DataRefusedError, match="no value in any row") as caught:
        read_quarter("loans.csv", frame.to_csv(index=False).encode())
    assert caught.value.column == column
