"""The zip file that is deployed: the same bytes for the same files, and no more of them than Lambda takes."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from peerloan.deployment import package
from peerloan.errors import DeploymentError


def make_package(folder: Path) -> bytes:
    return package.make_package(folder, package.code_files(folder))


def write(folder: Path, name: str, content: str = "", mode: int = 0o600) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


def test_the_same_files_give_the_same_package_whenever_they_were_written(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, names in ((first, ["b.py", "a/c.py"]), (second, ["a/c.py", "b.py"])):
        for name in names:
            write(folder, name, name, 0o640 if folder == first else 0o600)
    os.utime(second / "b.py", (0, 0))
    write(second, "a/__pycache__/c.cpython-313.pyc", "compiled")
    write(second, "left.pyc", "compiled")
    assert make_package(first) == make_package(second)
    write(second, "b.py", "changed")
    assert make_package(first) != make_package(second)


def test_modes_are_those_that_lambda_needs(tmp_path: Path) -> None:
    write(tmp_path, "run", "#!", 0o700)
    write(tmp_path, "app.py", "", 0o600)
    with zipfile.ZipFile(io.BytesIO(make_package(tmp_path))) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes == {"run": 0o755, "app.py": 0o644}


@pytest.mark.parametrize("names", [[], ["__pycache__/a.pyc"]])
def test_a_folder_without_code_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        write(tmp_path, name)
    with pytest.raises(DeploymentError, match="has no code in it"):
        make_package(tmp_path)


def test_a_name_that_a_zip_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py")).touch()
    with pytest.raises(DeploymentError, match=r"caf.+ isn't UTF-8\. Rename the file"):
        package.code_files(tmp_path)


def test_a_folder_beyond_lambdas_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(package.MAX_UNPACKED_BYTES + 1)
    with pytest.raises(DeploymentError, match="has 250 MB, and Lambda takes 250, layers included"):
        package.code_files(tmp_path)
