"""A command of the emulator as a child: ready, not started, ended."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from emulator.child import ChildStartError, EmulatorChild
from processes import GENEROUS_S, is_running


def test_a_child_tells_its_url_and_is_ended(tmp_path: Path) -> None:
    child = EmulatorChild("bucket", ["--port", "0", "--data-dir", str(tmp_path / "data")])
    try:
        facts = child.wait_ready(GENEROUS_S)
        assert facts["url"].startswith("http://127.0.0.1:")
        assert (facts["pid"], child.exit_code()) == (child.process.pid, None)
    finally:
        child.stop(GENEROUS_S)
    assert child.exit_code() == 0
    assert not is_running(child.process.pid)


def test_a_child_whose_process_cant_be_made_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = sorted(Path("/dev/fd").iterdir())
    # The error is kept, so that its frames keep what they have opened.
    with pytest.raises(FileNotFoundError) as error:
        EmulatorChild("bucket", [], folder=tmp_path / "nowhere")
    assert sorted(Path("/dev/fd").iterdir()) == before
    assert error.value.errno == errno.ENOENT


def test_a_child_that_is_stopped_before_it_is_ready_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = sorted(Path("/dev/fd").iterdir())
    child = EmulatorChild("bucket", ["--port", "0", "--data-dir", str(tmp_path / "data")])
    child.stop(GENEROUS_S)
    assert sorted(Path("/dev/fd").iterdir()) == before


def test_a_child_that_cant_start_is_known_by_its_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (tmp_path / "log").open("wb") as log:
        child = EmulatorChild("bucket", ["--port", "0", "--data-dir", str(tmp_path)], output=log)
    try:
        with pytest.raises(ChildStartError, match="didn't start"):
            child.wait_ready(GENEROUS_S)
    finally:
        child.stop(GENEROUS_S)
    assert "format.json" in (tmp_path / "log").read_text()
