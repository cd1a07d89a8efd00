"""Processes for tests: started on free ports, awaited by their ready file, ended by whoever started them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_LIMIT_S = 60.0
GENEROUS_S = 30.0


@contextmanager
def emulator_process(folder: Path, command: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run ``python -m emulator COMMAND`` on a free port; yield the process and its URL."""
    ready_file = folder / f"{command}-ready.json"
    ready_file.unlink(missing_ok=True)
    words: Sequence[str] = [sys.executable, "-m", "emulator", command, "--port", "0", "--ready-file", str(ready_file)]
    if command != "bucket" and "--state-dir" not in arguments:
        words = [*words, "--state-dir", str(folder / f"{command}-state")]
    process = subprocess.Popen([*words, *arguments])
    try:
        yield process, _wait_for_url(process, ready_file)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for_url(process: subprocess.Popen[bytes], ready_file: Path) -> str:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        if ready_file.exists():
            return str(json.loads(ready_file.read_text())["url"])
        time.sleep(0.02)
    raise AssertionError(f"the process did not start (exit code {process.poll()})")


def wait_until(condition: Callable[[], bool], limit_s: float = GENEROUS_S) -> bool:
    """Return whether something came to be within the limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def children(pid: int) -> set[int]:
    """Return the processes that a process has started and that still run."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return {child for child, parent in parents.items() if parent == pid}


def is_running(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
