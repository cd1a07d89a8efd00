"""A file is written whole or stays as it was, and a failure is one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from peerloan.errors import EXIT_FAILED, exit_code
from peerloan.files import FileWriteError, make_folder, write_whole, writing


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        write_whole(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_private_file_is_its_owners_alone_whatever_a_crash_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "file.new").touch(mode=0o644)
    write_whole(tmp_path / "file", b"secret", is_private=True)
    assert (tmp_path / "file").read_bytes() == b"secret"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_names_the_file_and_leaves_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.mkdir()
    with pytest.raises(FileWriteError, match="file could not be written: Is a directory") as caught:
        write_whole(target, b"new")
    assert exit_code(caught.value) == EXIT_FAILED
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    (tmp_path / "other").touch()
    with pytest.raises(FileWriteError, match="other could not be written: File exists"):
        make_folder(tmp_path / "other")


def test_a_full_disk_names_the_file_that_was_written(tmp_path: Path) -> None:
    with (
        pytest.raises(FileWriteError, match=r"out\.csv could not be written: No space left on device"),
        writing(tmp_path / "out.csv"),
    ):
        raise OSError(28, "No space left on device")
