"""A template's code in a zip file, as it comes into the store of code."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from emulator.lambda_service.control_plane.code_store import CodeStore
from emulator.lambda_service.control_plane.functions import store_package
from emulator.lambda_service.errors import InvalidParameterError

pytestmark = pytest.mark.fidelity("zipped-code")


def zipped(path: Path, **entries: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return path


def test_a_zip_files_content_is_stored_as_that_of_a_folder_is(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "store")
    archive = zipped(tmp_path / "code.zip", **{"app.py": "x = 1", "package/module.py": "y = 2"})
    code = store_package(store, archive)
    folder = tmp_path / "folder"
    with zipfile.ZipFile(archive) as source:
        source.extractall(folder)
    assert code.digest == store_package(store, folder).digest
    assert (store.folder(code.digest) / "package" / "module.py").read_text() == "y = 2"
    assert code.package_sha256 == base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()
    assert code.package_bytes == archive.stat().st_size


def test_nothing_is_written_beside_the_store_and_the_file_is_named(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "store")
    escaping = zipped(tmp_path / "escaping.zip", **{"app.py": "", "../../outside.py": ""})
    damaged = zipped(tmp_path / "damaged.zip", **{"app.py": "x" * 99})
    damaged.write_bytes(damaged.read_bytes().replace(b"x" * 99, b"y" * 99))
    for archive, reason in ((escaping, "points outside the package"), (damaged, "Bad CRC-32")):
        with pytest.raises(InvalidParameterError, match=rf"{archive.name}: Could not unzip .*{reason}"):
            store_package(store, archive)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.zip", "escaping.zip"]
