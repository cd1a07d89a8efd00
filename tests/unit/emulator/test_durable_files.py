"""A durable file is its owner's alone: it may hold a function's secrets."""

from __future__ import annotations

from pathlib import Path

from emulator.durable_files import TEMPORARY_SUFFIX, write_durably


def test_a_file_is_its_owners_alone_whatever_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.touch(mode=0o644)
    (tmp_path / f"state.json{TEMPORARY_SUFFIX}").touch(mode=0o644)
    write_durably(path, [b"a ", b"secret"])
    assert path.read_bytes() == b"a secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
