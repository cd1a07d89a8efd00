"""The two files are found, and no file fills the memory, whatever an archive says of its size."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from training.errors import DataNotFoundError, DataRefusedError
from training.loans import loan_files
from training.loans.loan_files import LARGEST_FILE_BYTES, read_files

COMPRESSIONS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def _archive(path: Path, train: bytes, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("train.csv", train)
        archive.writestr("test.csv", b"test")
    return path


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_archive_of_any_compression_gives_both_files(tmp_path: Path, compression: int) -> None:
    content = bytes(range(256)) * 100
    train, test = read_files([_archive(tmp_path / "loans.zip", content, compression)])
    assert (train.name, train.content) == ("train.csv", content)
    assert (test.name, test.content) == ("test.csv", b"test")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_file_that_unpacks_to_more_than_the_limit_is_refused(tmp_path: Path, monkeypatch, compression: int) -> None:
    monkeypatch.setattr(loan_files, "LARGEST_FILE_BYTES", 1 << 20)
    path = _archive(tmp_path / "loans.zip", bytes((1 << 20) + 1), compression)
    with pytest.raises(DataRefusedError, match=r"train\.csv: The file is larger than 1 MiB"):
        read_files([path])
    train, _ = read_files([_archive(path, bytes(1 << 20), compression)])
    assert len(train.content) == 1 << 20


def test_the_size_in_the_archives_header_is_not_believed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(loan_files, "LARGEST_FILE_BYTES", 1 << 20)
    path = _archive(tmp_path / "loans.zip", bytes(1 << 21))
    content = path.read_bytes().replace((1 << 21).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(DataRefusedError):
        read_files([path])


def test_a_plain_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(LARGEST_FILE_BYTES + 1)
    for paths in ([tmp_path], [tmp_path / "train.csv", tmp_path / "test.csv"]):
        with pytest.raises(DataRefusedError, match=r"train\.csv: The file is larger than 256 MiB"):
            read_files(paths)


def test_files_that_are_not_read_may_be_of_any_size(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(loan_files, "LARGEST_FILE_BYTES", 1 << 10)
    path = _archive(tmp_path / "loans.zip", b"train")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dictionary.csv", bytes(1 << 20))
    assert read_files([path])[0].content == b"train"


def test_a_file_that_can_not_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "train.csv").mkdir()
    (tmp_path / "test.csv").write_bytes(b"")
    with pytest.raises(DataRefusedError, match=r"train\.csv: The file can't be read: Is a directory"):
        read_files([tmp_path])


def test_what_is_neither_an_archive_nor_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loans.zip").write_bytes(b"<html>")
    with pytest.raises(DataNotFoundError, match="neither a zip archive nor a folder"):
        read_files([tmp_path / "loans.zip"])
