"""The log file is rotated by its size, and loses no line."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.lambda_service.log_groups.backlog import Backlog
from emulator.lambda_service.log_groups.log_file import LogFile, rotated
from emulator.lambda_service.log_groups.sink import LogSink


@pytest.mark.fidelity("log-file-rotated")
def test_a_rotation_loses_no_line(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", max_bytes=1000)

    async def write() -> None:
        sink = LogSink(log)
        for number in range(100):
            sink.write(f"line {number}\n".encode() * 2)
            await asyncio.sleep(0.001 if number % 10 else 0.03)
        sink.close()

    asyncio.run(write())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]
    lines = (rotated(tmp_path / "log").read_text() + (tmp_path / "log").read_text()).splitlines()
    assert lines == [f"line {number}" for number in range(100) for _ in range(2)]


@pytest.mark.fidelity("log-file-rotated")
def test_stderr_moves_to_the_new_file_if_it_is_the_log(tmp_path: Path) -> None:
    code = f"""
import os, sys
from pathlib import Path
from emulator.lambda_service.log_groups.log_file import LogFile
log = LogFile(Path({json.dumps(str(tmp_path / "log"))}), max_bytes=10)
log.write(b"a long line of a function\\n")
log.end_batch()
sys.stderr.write("the emulator's own\\n")
log.write(b"next\\n")
sys.stdout.write("not the log\\n")
"""
    with (tmp_path / "log").open("ab") as stderr:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=stderr, check=True)
    assert (tmp_path / "log").read_text() == "the emulator's own\nnext\n"
    assert rotated(tmp_path / "log").read_text() == "a long line of a function\n"
    assert done.stdout == b"not the log\n"


def test_a_file_that_cannot_be_rotated_grows(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", max_bytes=1)
    (tmp_path / "log.new").mkdir()
    log.write(b"one\n")
    log.end_batch()
    log.write(b"two\n")
    log.close()
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


@pytest.mark.fidelity("flooding-handler")
def test_a_backlog_slows_down_until_nobody_takes_anything() -> None:
    backlog = Backlog()
    assert not backlog.is_long(0.0)
    assert backlog.add(5 << 20)
    assert backlog.is_long(0.0)
    assert backlog.is_long(0.9)
    backlog.done(100)
    assert backlog.is_long(1.5), "it goes on, slowly"
    assert not backlog.is_long(3.0), "nothing is taken any more"
    assert backlog.add(10 << 20)
    assert not backlog.add(5 << 20)
    assert backlog.note_dropped() == f"[{5 << 20} bytes of functions' output dropped]\n".encode()
    assert backlog.note_dropped() == b""
    backlog.done(14 << 20)
    assert not backlog.is_long(4.0)
