"""The data folder: records that notice every flipped bit, writes that are whole or not there."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.bucket.disk import Disk
from emulator.bucket.errors import CorruptRecordError, ForeignFolderError, UnknownFormatError
from emulator.bucket.object_files import Record, decode_record, encode_record
from emulator.bucket.targets import bucket_and_key
from emulator.durable_files import lock_folder, remove_durably, write_durably

json_facts = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))


@given(json_facts, st.binary())
def test_a_record_comes_back(facts: dict[str, object], body: bytes) -> None:
    content = b"".join(encode_record(Record(facts, body)))
    assert decode_record(Path("x"), content) == Record(facts, body)


@given(json_facts, st.binary(max_size=50), st.data())
def test_any_changed_or_missing_byte_is_noticed(facts: dict[str, object], body: bytes, data: st.DataObject) -> None:
    content = b"".join(encode_record(Record(facts, body)))
    position = data.draw(st.integers(0, len(content) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    flipped = content[:position] + bytes([content[position] ^ bit]) + content[position + 1 :]
    for damaged in (flipped, content[:position]):
        # Some flips are harmless to JSON: they change a letter's case in an escape, and nothing that it says.
        with contextlib.suppress(CorruptRecordError):
            assert decode_record(Path("x"), damaged) == Record(facts, body)


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


def test_half_made_things_are_cleared_and_an_unknown_format_is_refused(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    disk.write_bucket("whole", {})
    disk.write_version("whole", "k", "null", Record({"key": "k"}, b"1"))
    disk.write_bucket("half", {})
    disk.write_upload("half", "id", {})
    disk.write_part("half", "id", Record({"number": 1}, b"part"))
    (tmp_path / "buckets" / "half" / "bucket").unlink()
    torn = tmp_path / "buckets" / "whole" / "objects" / ("0" * 64 + ".null.tmp")
    torn.write_bytes(b"torn")
    upload = tmp_path / "buckets" / "whole" / "uploads" / ("0" * 64)
    upload.mkdir()
    (upload / "part.1").write_bytes(b"torn")
    disk = Disk(tmp_path)
    disk.prepare()
    assert disk.bucket_names() == ["whole"]
    assert [record.body for record in disk.read_objects("whole")] == [b"1"]
    assert list(disk.read_uploads("whole")) == []
    assert not (tmp_path / "buckets" / "half").exists()
    assert not torn.exists()
    assert not upload.exists()
    (tmp_path / "format.json").write_text('{"format": 99}')
    with pytest.raises(UnknownFormatError, match="99"):
        Disk(tmp_path).prepare()


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
    assert list(disk.read_objects("whole")) == list(disk.read_uploads("whole")) == []
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)


def test_a_file_set_aside_keeps_the_earlier_ones_of_its_name(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    disk.write_bucket("b", {})
    for body in (b"first", b"second", b"third"):
        disk.write_version("b", "k", "null", Record({"key": "k"}, b""))
        path = next((tmp_path / "buckets" / "b" / "objects").iterdir())
        path.write_bytes(body)
        assert disk.read_objects("b") == []
    files = sorted((tmp_path / "set-aside").iterdir())
    assert [path.read_bytes() for path in files] == [b"first", b"second", b"third"]
    assert [path.name for path in files] == [f"b--objects--{path.name}{end}" for end in ("", "--2", "--3")]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_no_bucket_reaches_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no bucket name"):
        Disk(tmp_path).write_bucket(name, {})


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", ("", "")), ("/b", ("b", "")), ("/b?versioning", ("b", "")), ("/b/", ("b", "")), ("/b/k", ("b", "k")),
        ("/b/a%2Fb%3F?uploadId=1", ("b", "a/b?")), ("/b//k", ("b", "/k")), ("/b/%25", ("b", "%")),
    ],
)  # fmt: skip
def test_what_a_request_names(target: str, expected: tuple[str, str]) -> None:
    assert bucket_and_key(target) == expected
