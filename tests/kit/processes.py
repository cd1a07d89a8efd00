"""Starts processes for tests: on free ports, and ready when their ready file exists. The test ends them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from forked_programs import ProgramProcess

START_LIMIT_S = 60.0
GENEROUS_S = 30.0


def start_emulator(
    ready_file: Path,
    *arguments: str,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    prepare: Callable[[], None] | None = None,
) -> tuple[subprocess.Popen[bytes], str]:
    """Start ``python -m emulator`` and return the process and its URL once it is ready.

    Parameters
    ----------
    log : Path, optional
        Gets stderr; by default the process writes to the test's.
    env : mapping, optional
        Further environment variables.
    prepare : callable, optional
        Called in the new process before the emulator runs, for instance to set a limit.
    """
    ready_file.unlink(missing_ok=True)
    with contextlib.ExitStack() as files:
        process = ProgramProcess(
            [sys.executable, "-m", "emulator", *arguments, "--ready-file", str(ready_file)],
            stdin=subprocess.DEVNULL,
            stderr=None if log is None else files.enter_context(log.open("wb")),
            env={**os.environ, **(env or {})},
            preexec_fn=prepare,
        )
    if (
        not wait_until(lambda: ready_file.exists() or process.poll() is not None, START_LIMIT_S)
        or process.poll() is not None
    ):
        process.kill()
        text = "" if log is None else log.read_text(errors="replace")
        raise AssertionError(f"the emulator isn't ready (exit code {process.wait()}):\n{text}")
    return process, str(json.loads(ready_file.read_text())["url"])


@contextlib.contextmanager
def emulator_process(folder: Path, command: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run ``python -m emulator COMMAND`` on a free port; yield the process and its URL."""
    state = () if command == "bucket" else ("--state-dir", str(folder / f"{command}-state"))
    process, url = start_emulator(folder / f"{command}-ready.json", command, "--port", "0", *state, *arguments)
    try:
        yield process, url
    finally:
        process.terminate()
        process.wait(timeout=GENEROUS_S)


def wait_until(condition: Callable[[], bool], limit_s: float = GENEROUS_S) -> bool:
    """Wait until a condition holds; return False if it didn't within the limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def wait_for(find: Callable[[], Any]) -> Any:
    """Return what ``find`` returns once it is true; raise ``AssertionError`` if it never was."""
    for _ in range(1200):
        if value := find():
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def children(pid: int) -> set[int]:
    """Return the processes that a process has started and that still run."""
    return {child for child, parent in _parents().items() if parent == pid}


def descendants(pid: int) -> set[int]:
    """Return the processes that a process has started, and those that they have started."""
    parents, family = _parents(), {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {pid}


def _parents() -> dict[int, int]:
    """Return each process's parent."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return parents


def is_running(pid: int) -> bool:
    """Return whether a process exists and isn't a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
