"""Zip files as they may come over the API: whatever they hold, none of it is written outside of the folder."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emulator.lambda_service.control_api.packages import receive
from emulator.lambda_service.control_plane.zip_files import MAX_UNZIPPED_BYTES, unpack
from emulator.lambda_service.errors import InvalidParameterError, LambdaApiError

pytestmark = pytest.mark.fidelity("code-upload")


def zipped(*entries: tuple[str | zipfile.ZipInfo, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return target.getvalue()


def link(name: str, to: str) -> tuple[zipfile.ZipInfo, str]:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, to


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_package_is_unpacked_with_its_modes_and_its_sum(tmp_path: Path) -> None:
    script = zipfile.ZipInfo("bin/run")
    script.external_attr = 0o755 << 16
    content = zipped(("app.py", "x = 1"), (script, "#!"), ("empty/", ""), link("other.py", "app.py"))
    package = receive({"ZipFile": text(content)}, None, tmp_path)
    assert files_in(package.folder) == {"app.py": b"x = 1", "bin/run": b"#!", "other.py": b"x = 1"}
    assert (package.folder / "empty").is_dir()
    assert stat.S_IMODE((package.folder / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((package.folder / "app.py").stat().st_mode) == 0o644
    assert package.sha256 == text(hashlib.sha256(content).digest())
    assert package.size_bytes == len(content)


@pytest.mark.parametrize(
    "entries",
    [
        [("../out.py", "")],
        [("a/../../out.py", "")],
        [("/out.py", "")],
        [("..\\out.py", "")],
        [("app.py", ""), link("out", "/etc")],
        [("app.py", ""), link("out", "../outside")],
        [("app.py", ""), link("here", "."), link("out", "here/../..")],
        [link("sub", "/tmp"), ("sub/out.py", "")],
        [("app.py", ""), ("app.py/inside.py", "")],
        [("a" * 300, "")],
        [("app.py", ""), link("long", "a/" * 3000 + "../" * 3000)],
        [("app.py", ""), link("A", "../outside"), link("A/b", "x")],
        [("app.py", ""), link("A", "../outside"), link("A/new/b", "x")],
        [("app.py", ""), link("A/new/b", "x"), link("A", "../outside")],
        [("app.py", ""), link("A", "B"), link("B", "../outside"), link("A/new/b", "x")],
        [("sub/app.py", ""), link("sub/A", "../../outside"), link("sub/A/new/b", "x")],
        [("app.py", ""), link("A", "../outside"), ("A/new/", ""), link("A/new/b", "x")],
        [("app.py", ""), link("A", "../outside"), ("A/b", "x")],
    ],
)  # fmt: skip
def test_a_package_that_points_outside_its_folder_or_contradicts_itself_is_refused(
    tmp_path: Path, entries: list[tuple[str | zipfile.ZipInfo, str]]
) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    with pytest.raises(LambdaApiError) as refused:
        unpack(io.BytesIO(zipped(*entries)), folder)
    assert refused.value.code == "InvalidParameterValueException"
    assert sorted(tmp_path.iterdir()) == [folder, outside]
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ((zipfile.ZipInfo(""), "x"), "a file has no name: ''"),
        ((".", "x"), "a file has no name: '.'"),
        (("../out.py", "x"), "the name '../out.py' points outside the package"),
        (link("A", "../outside"), "the link 'A' points outside the package, to '../outside'"),
        (link("sub/A/b", "x"), "the link 'sub/A/b' is inside another link, 'sub/A'"),
        (link("A", "x" * 4097), "the target of the link 'A' is longer than 4,096 bytes"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_entry(tmp_path: Path, entry: tuple[str | zipfile.ZipInfo, str], message: str) -> None:
    content = zipped(("app.py", ""), link("sub/A", "."), entry)
    with pytest.raises(LambdaApiError, match=re.escape(message)):
        unpack(io.BytesIO(content), tmp_path)


@pytest.mark.parametrize("name", ["./", ".//", "././"])
def test_the_entry_of_the_packages_own_folder_is_passed_over(tmp_path: Path, name: str) -> None:
    unpack(io.BytesIO(zipped((name, ""), ("./app.py", "x = 1"))), tmp_path)
    assert files_in(tmp_path) == {"app.py": b"x = 1"}


def test_links_to_the_packages_own_folder_are_made(tmp_path: Path) -> None:
    unpack(io.BytesIO(zipped(("app.py", "x = 1"), link("self", "."), link("sub/self", ".."))), tmp_path)
    assert (tmp_path / "self/app.py").read_text() == (tmp_path / "sub/self/app.py").read_text() == "x = 1"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "Please provide a source for function code"),
        ({"S3Bucket": "b"}, "Please provide a source for function code"),
        ({"ZipFile": "", "S3Bucket": "b"}, "do not provide other FunctionCode parameters"),
        ({"ZipFile": ""}, "non-empty zip"),
        ({"ZipFile": text(zipped())}, "non-empty zip"),
        ({"ZipFile": text(zipped(("folder/", "")))}, "non-empty zip"),
        ({"ZipFile": text(b"no zip file")}, "Could not unzip uploaded file"),
        ({"ZipFile": text(zipped(("a", "b" * 100))[:-30])}, "Could not unzip uploaded file"),
        ({"S3Bucket": "b", "S3Key": "k"}, "--s3-endpoint"),
    ],
)  # fmt: skip
def test_parameters_without_a_usable_package_are_refused(
    tmp_path: Path, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(LambdaApiError, match=message) as refused:
        receive(parameters, None, tmp_path)
    assert refused.value.code == "InvalidParameterValueException"


def test_a_zip_file_that_isnt_base64_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LambdaApiError) as refused:
        receive({"ZipFile": "%%%"}, None, tmp_path)
    assert refused.value.code == "SerializationException"


def test_a_damaged_entry_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped(("a", "b" * 100)))
    content[35] ^= 0xFF
    with pytest.raises(LambdaApiError, match="Could not unzip uploaded file"):
        unpack(io.BytesIO(bytes(content)), tmp_path)


def test_a_bomb_is_stopped_at_the_limit_whatever_it_says_of_its_size(tmp_path: Path) -> None:
    size = MAX_UNZIPPED_BYTES + 1
    content = zipped(("zeros", bytes(size)))
    # The size is written twice: before the content and in the directory.
    lying = content.replace(size.to_bytes(4, "little"), (10).to_bytes(4, "little"))
    for archive in (content, lying):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        with pytest.raises(LambdaApiError):
            unpack(io.BytesIO(archive), folder)
        assert sum(file.stat().st_size for file in folder.rglob("*")) <= MAX_UNZIPPED_BYTES


@given(st.binary(max_size=200), st.integers(0, 200))
@example(b"\xff\xff\xff\x00\x00\x01\xff\xff", 127)  # An entry without a name.
def test_bytes_of_any_kind_are_unpacked_or_refused(noise: bytes, position: int) -> None:
    content = zipped(("a/b.py", "x = 1"), ("c.py", "y = 2"))
    damaged = content[:position] + noise + content[position + len(noise) :]
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(InvalidParameterError):
        unpack(io.BytesIO(damaged), Path(folder))
