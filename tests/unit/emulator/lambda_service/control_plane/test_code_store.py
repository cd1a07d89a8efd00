"""Copies of code by content: whole or missing, and unaffected by changes of their source."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lambda_service.control_plane.code_store import CodeError, CodeStore, is_ignored


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FILES = {"app.py": b"print(1)\n", "pkg/__init__.py": b"", "pkg/data/é.bin": bytes(range(256)) * 9000}


@pytest.mark.fidelity("published-version-fixed")
def test_a_copy_has_the_sources_files_and_does_not_change_with_them(tmp_path: Path) -> None:
    source, store = fill(tmp_path / "source", FILES), CodeStore(tmp_path / "store")
    first = store.put(source)
    (source / "app.py").write_bytes(b"print(2)\n")
    second = store.put(source)
    assert first.digest != second.digest
    assert content_of(store.folder(first.digest)) == FILES
    assert content_of(store.folder(second.digest)) == {**FILES, "app.py": b"print(2)\n"}
    assert first.size_bytes == sum(map(len, FILES.values()))


def test_equal_content_is_kept_once_wherever_it_comes_from(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "store")
    first, second = (store.put(fill(tmp_path / name, FILES)) for name in ("one", "two"))
    assert first == second
    assert sorted(entry.name for entry in (tmp_path / "store").iterdir()) == [first.digest, f"{first.digest}.files"]


@given(
    st.dictionaries(st.sampled_from(["a.py", "b/a.py", "b/c.py", "d"]), st.binary(max_size=3)),
    st.dictionaries(st.sampled_from(["a.py", "b/a.py", "b/c.py", "d"]), st.binary(max_size=3)),
)
def test_digests_are_equal_only_if_the_files_are(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, bytes], second: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    store = CodeStore(folder / "store")
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    digests = [store.put(fill(folder / name, files)).digest for name, files in (("one", first), ("two", second))]
    assert (digests[0] == digests[1]) == (first == second)


def test_files_of_tools_and_editors_arent_part_of_the_code(tmp_path: Path) -> None:
    source, store = fill(tmp_path / "source", FILES), CodeStore(tmp_path / "store")
    before = store.put(source)
    fill(
        source,
        {"__pycache__/app.cpython-313.pyc": b"x", ".git/HEAD": b"x", "app.py~": b"x", ".app.py.swp": b"x",
         "pkg/.#app.py": b"x", "4913": b"x", ".venv/lib/x.py": b"x"},
    )  # fmt: skip
    assert store.put(source) == before
    assert is_ignored("#app.py#")
    assert not is_ignored("app.py")
    assert not is_ignored(".env")
    assert not is_ignored("numpy-2.0.dist-info")


def test_an_executable_file_stays_executable_and_its_mode_counts(tmp_path: Path) -> None:
    source, store = fill(tmp_path / "source", {"run": b"#!/bin/sh\n"}), CodeStore(tmp_path / "store")
    plain = store.put(source)
    (source / "run").chmod(0o755)
    executable = store.put(source)
    assert plain.digest != executable.digest
    assert os.access(store.folder(executable.digest) / "run", os.X_OK)


def test_links_are_followed_once_each_and_the_stores_own_folder_is_left_out(tmp_path: Path) -> None:
    source = fill(tmp_path / "source", {"app.py": b"1"})
    fill(tmp_path / "elsewhere", {"lib.py": b"2"})
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    (source / "round").symlink_to(source)
    (source / "gone").symlink_to(tmp_path / "nowhere")
    (source / "log.txt").write_bytes(b"3")
    store = CodeStore(source / ".state" / "code", private=[source / ".state", source / "log.txt"])
    stored = store.put(source)
    assert content_of(store.folder(stored.digest)) == {"app.py": b"1", "linked/lib.py": b"2"}
    assert store.put(source) == stored


def test_scraps_and_unused_copies_are_removed_and_used_ones_stay(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "store")
    used = store.put(fill(tmp_path / "one", {"a": b"1"}))
    store.put(fill(tmp_path / "two", {"a": b"2"}))
    # What a process that was killed while it copied, or removed, leaves behind.
    fill(tmp_path / "store" / ".scrap-1-1", {"a": b"half"})
    store.remove_unused([used.digest])
    assert sorted(entry.name for entry in (tmp_path / "store").iterdir()) == [used.digest, f"{used.digest}.files"]


def test_a_damaged_copy_is_noticed_and_made_again_from_the_same_content(tmp_path: Path) -> None:
    source, store = fill(tmp_path / "source", FILES), CodeStore(tmp_path / "store")
    stored = store.put(source)
    damaged = store.folder(stored.digest) / "pkg/data/é.bin"
    damaged.chmod(0o644)
    damaged.write_bytes(b"")
    assert not store.holds(stored.digest, stored.size_bytes)
    assert store.put(source) == stored
    assert content_of(store.folder(stored.digest)) == FILES


def test_a_changed_copy_is_refused_and_files_that_a_function_has_added_are_not(tmp_path: Path) -> None:
    source = fill(tmp_path / "source", FILES)
    stored = CodeStore(tmp_path / "store").put(source)
    CodeStore(tmp_path / "store").check(stored.digest)
    folder = CodeStore(tmp_path / "store").folder(stored.digest)
    (folder / "cache.txt").write_text("a function's own")
    CodeStore(tmp_path / "store").check(stored.digest)
    changed = folder / "app.py"
    changed.chmod(0o644)
    before = changed.read_bytes()
    changed.write_bytes(b"#" * len(before))
    for listing in (None, b"", b"something else"):
        if listing is not None:
            (tmp_path / "store" / f"{stored.digest}.files").write_bytes(listing)
        with pytest.raises(CodeError, match="were changed"):
            CodeStore(tmp_path / "store").check(stored.digest)
    changed.write_bytes(before)
    changed.chmod(0o444)
    (folder / "cache.txt").unlink()
    CodeStore(tmp_path / "store").check(stored.digest)
    (folder / "app.py").unlink()
    with pytest.raises(CodeError, match="were changed"):
        CodeStore(tmp_path / "store").check(stored.digest)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CodeError, match=r"the folder .*nowhere doesn't exist"):
        CodeStore(tmp_path / "store").put(tmp_path / "nowhere")


@pytest.mark.fidelity("code-location")
def test_a_copy_is_the_same_zip_file_each_time_without_what_was_added_to_it(tmp_path: Path) -> None:
    odd = {**FILES, "a\nb.py": b"odd", "run.sh": b"#!/bin/sh\n"}
    source, store = fill(tmp_path / "source", odd), CodeStore(tmp_path / "store")
    (source / "run.sh").chmod(0o755)
    code = store.put(source)
    first, second = io.BytesIO(), io.BytesIO()
    store.write_zip(code.digest, first)
    (store.folder(code.digest) / "added.txt").write_text("by the function")
    store.write_zip(code.digest, second)
    assert first.getvalue() == second.getvalue()
    with zipfile.ZipFile(first) as archive:
        assert {entry.filename: archive.read(entry) for entry in archive.infolist()} == odd
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert (modes["run.sh"], modes["app.py"]) == (0o755, 0o644)
    with pytest.raises(CodeError):
        CodeStore(tmp_path / "store").write_zip("0" * 64, io.BytesIO())
