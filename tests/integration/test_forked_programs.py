"""A program that tests fork from a warm process behaves as one that ``python -m`` starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from forked_programs import ProgramProcess, run_program
from processes import GENEROUS_S, children

BUCKET = [sys.executable, "-m", "emulator", "bucket", "--port", "0", "--data-dir", "data"]


def start_bucket(folder: Path, environ: Mapping[str, str] | None = None, **options: Any) -> ProgramProcess:
    """Start a bucket whose data are in the current folder, and wait until it is ready."""
    ready, ready_of_bucket = os.pipe()
    with os.fdopen(ready, "rb") as pipe:
        process = ProgramProcess(
            [*BUCKET, "--ready-file", f"/dev/fd/{ready_of_bucket}"], cwd=folder,
            env=environ, pass_fds=(ready_of_bucket,), stderr=subprocess.DEVNULL, **options,
        )  # fmt: skip
        os.close(ready_of_bucket)
        assert f'"pid": {process.pid}'.encode() in pipe.readline()
    return process


def is_fork(process: ProgramProcess) -> bool:
    return b"program_server" in Path(f"/proc/{process.pid}/cmdline").read_bytes()


@pytest.mark.parametrize("words", [["emulator", "bucket", "--help"], ["emulator", "--port", "x"], ["peerloan", "none"]])
@pytest.mark.parametrize("columns", ["60", "200"])
def test_it_prints_and_ends_as_a_start_does(words: list[str], columns: str) -> None:
    command, environ = [sys.executable, "-m", *words], {**os.environ, "COLUMNS": columns}
    started = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    forked = run_program(command, env=environ)
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="programs are forked on Linux alone")
def test_it_is_a_child_with_the_folder_the_files_and_the_session_that_were_asked_for(tmp_path: Path) -> None:
    process = start_bucket(tmp_path, start_new_session=True)
    try:
        assert is_fork(process)
        assert process.pid in children(os.getpid())
        assert Path(f"/proc/{process.pid}/cwd").resolve() == tmp_path
        assert (os.getsid(process.pid), os.getpgid(process.pid)) == (process.pid, process.pid)
        assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) < 20
    finally:
        process.terminate()
    assert process.wait(GENEROUS_S) == 0


def test_a_signal_ends_it_as_it_ends_a_start(tmp_path: Path) -> None:
    process = start_bucket(tmp_path)
    assert os.getpgid(process.pid) == os.getpgrp()
    process.kill()
    assert process.wait(GENEROUS_S) == -signal.SIGKILL


def test_with_other_settings_of_the_interpreter_it_is_started(tmp_path: Path) -> None:
    process = start_bucket(tmp_path, {**os.environ, "PYTHONHASHSEED": "1"})
    try:
        assert not is_fork(process)
    finally:
        process.terminate()
    assert process.wait(GENEROUS_S) == 0
