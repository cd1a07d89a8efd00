"""The data folder: records that notice every flipped bit, writes that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.bucket.disk import Disk
from emulator.bucket.errors import CorruptRecordError, ForeignFolderError, UnknownFormatError
from emulator.bucket.object_files import ObjectFile, ObjectFileWriter, read_object_file
from emulator.durable_files import lock_folder, remove_durably, write_durably

json_facts = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))


# A file of format 1, as the program wrote it that kept the bucket in moto's memory.
OLD_FACTS = {"key": "k", "version_id": "null", "etag": "900150983cd24fb0d6963f7d28e17f72"}
OLD_FILE = (
    b'{"facts": {"etag": "900150983cd24fb0d6963f7d28e17f72", "key": "k", "version_id": "null"}, "format": 1, '
    b'"sha256": "ad267ab4424bf3dcb34a37aeb3a7fa569d4dac50a4fc376b9be09b7a857a4835", "size_bytes": 3}\nabc'
)


def write_file(folder: Path, facts: dict[str, object], pieces: list[bytes]) -> ObjectFile:
    writer = ObjectFileWriter(folder / "new.tmp", facts)
    for piece in pieces:
        writer.write(piece)
    return writer.keep(folder / "file", facts)


def content_of(file: ObjectFile) -> bytes:
    return file.path.read_bytes()[file.body_offset :]


@given(json_facts, st.lists(st.binary()))
def test_a_file_comes_back(facts: dict[str, object], pieces: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = write_file(Path(folder), facts, pieces)
        assert read_object_file(written.path) == written
        assert written.facts == facts
        assert content_of(written) == b"".join(pieces)
        # The body is what follows the first line.
        assert written.path.read_bytes().partition(b"\n")[2] == b"".join(pieces)


@given(json_facts, st.binary(max_size=50), st.data())
def test_any_changed_or_missing_byte_is_noticed(facts: dict[str, object], body: bytes, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_file(Path(folder), facts, [body]).path
        content = path.read_bytes()
        position = data.draw(st.integers(0, len(content) - 1))
        bit = 1 << data.draw(st.integers(0, 7))
        flipped = content[:position] + bytes([content[position] ^ bit]) + content[position + 1 :]
        for damaged in (flipped, content[:position]):
            path.write_bytes(damaged)
            # Some flips are harmless to JSON: they change a letter's case in an escape, and nothing that it says.
            with contextlib.suppress(CorruptRecordError):
                read = read_object_file(path)
                assert (read.facts, content_of(read)) == (facts, body)


def test_a_file_of_format_1_is_read_and_its_damage_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD_FILE)
    file = read_object_file(path)
    assert (file.facts, content_of(file)) == (OLD_FACTS, b"abc")
    path.write_bytes(OLD_FILE[:-1] + b"d")
    with pytest.raises(CorruptRecordError, match="SHA-256"):
        read_object_file(path)


def test_a_file_that_is_replaced_is_not_opened_as_the_old_one(tmp_path: Path) -> None:
    old = write_file(tmp_path, {"key": "k"}, [b"old"])
    new = write_file(tmp_path, {"key": "k"}, [b"new"])
    assert old.open() is None
    descriptor = new.open()
    assert descriptor is not None
    os.close(descriptor)
    new.path.unlink()
    assert new.open() is None


def test_a_failed_write_leaves_the_old_content_and_no_scrap(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, [b"old"])

    def chunks():  # type: ignore[no-untyped-def]
        yield b"new"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_durably(path, chunks())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    remove_durably([path, path])
    assert not list(tmp_path.iterdir())


def test_a_folder_is_locked_once(tmp_path: Path) -> None:
    first = lock_folder(tmp_path)
    assert first is not None
    assert lock_folder(tmp_path) is None
    first.close()
    again = lock_folder(tmp_path)
    assert again is not None
    again.close()


def keep_version(disk: Disk, bucket: str, body: bytes) -> None:
    writer = disk.new_file(bucket, "k", {})
    writer.write(body)
    disk.keep_version(writer, bucket, {"key": "k", "version_id": "null"})


def test_half_made_things_are_cleared_and_an_unknown_format_is_refused(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    disk.write_bucket("whole", {})
    keep_version(disk, "whole", b"1")
    (tmp_path / "buckets" / "half" / "objects").mkdir(parents=True)
    torn = tmp_path / "buckets" / "whole" / "objects" / ("0" * 64 + ".null.tmp")
    torn.write_bytes(b"torn")
    upload = tmp_path / "buckets" / "whole" / "uploads" / ("0" * 64)
    upload.mkdir()
    (upload / "part.1").write_bytes(b"torn")
    disk = Disk(tmp_path)
    disk.prepare()
    assert disk.bucket_names() == ["whole"]
    assert [content_of(file) for file in disk.read_versions("whole")] == [b"1"]
    assert list(disk.read_uploads("whole")) == []
    assert not torn.exists()
    assert not upload.exists()
    (tmp_path / "format.json").write_text('{"format": 99}')
    with pytest.raises(UnknownFormatError, match="99"):
        Disk(tmp_path).prepare()


def test_a_bucket_is_removed_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    disk.write_bucket("gone", {})
    keep_version(disk, "gone", b"1")
    with monkeypatch.context() as patch:
        # As if the process were killed here.
        patch.setattr("shutil.rmtree", lambda folder: None)
        disk.remove_bucket("gone")
    assert disk.bucket_names() == []
    disk.write_bucket("gone", {})
    assert disk.read_versions("gone") == []
    assert list((tmp_path / "removed").iterdir())
    Disk(tmp_path).prepare()
    assert not (tmp_path / "removed").exists()
    assert disk.bucket_names() == ["gone"]


@pytest.mark.parametrize("mine", ["notes.tmp", "buckets/holiday/photo.tmp", "src/build.tmp"])
@pytest.mark.fidelity("foreign-folder-refused")
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_was(tmp_path: Path, mine: str) -> None:
    (tmp_path / mine).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mine).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ForeignFolderError, match=r"isn't a data folder.*--data-dir"):
        Disk(tmp_path).prepare()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_first_start_that_was_killed_may_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "format.json.tmp").touch()
    Disk(tmp_path).prepare()
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "format.json", "buckets"}


@pytest.mark.fidelity("foreign-folder-refused")
def test_only_the_scraps_of_this_program_are_cleared(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    disk.write_bucket("whole", {})
    mine = [
        tmp_path / name
        for name in ("a.tmp", "buckets/b.tmp", "buckets/x/photo.jpg", "buckets/whole/objects/c.tmp",
                     "buckets/whole/uploads/d/part.1", "set-aside/e.tmp")
    ]  # fmt: skip
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    Disk(tmp_path).prepare()
    assert list(disk.read_versions("whole")) == list(disk.read_uploads("whole")) == []
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)


def test_a_file_set_aside_keeps_the_earlier_ones_of_its_name(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    disk.write_bucket("b", {})
    for body in (b"first", b"second", b"third"):
        keep_version(disk, "b", b"")
        path = next((tmp_path / "buckets" / "b" / "objects").iterdir())
        path.write_bytes(body)
        assert disk.read_versions("b") == []
    files = sorted((tmp_path / "set-aside").iterdir())
    assert [path.read_bytes() for path in files] == [b"first", b"second", b"third"]
    assert [path.name for path in files] == [f"b--objects--{path.name}{end}" for end in ("", "--2", "--3")]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_no_bucket_reaches_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no bucket name"):
        Disk(tmp_path).write_bucket(name, {})


def test_a_folder_of_format_1_becomes_one_of_format_2(tmp_path: Path) -> None:
    (tmp_path / "format.json").write_text('{"format": 1}')
    Disk(tmp_path).prepare()
    assert (tmp_path / "format.json").read_text() == '{"format": 2}\n'
