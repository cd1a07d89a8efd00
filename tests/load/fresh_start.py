"""How soon there is a fresh emulator, by a new process and by a reset, and what it takes while nobody calls."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from http_load import run_load
from peer_ministack import invoke_target, start_ministack, why_no_ministack
from process_memory import descendants_of, pss_mb
from servers import HERE, environ

_READY_LIMIT_S = 60.0
_RESET_LIMIT_S = 60.0


@dataclass(frozen=True)
class FreshStart:
    """Medians over the rounds.

    Parameters
    ----------
    start_ms : float
        From the new process to the moment at which it says that it answers.
    idle_mb : float or None
        Memory of all its processes before the first request.
    reset_ms, first_answer_ms : float or None
        ``POST /_emulator/reset``, and the first answer after it, in a new environment.
    """

    start_ms: float
    idle_mb: float | None
    reset_ms: float | None = None
    first_answer_ms: float | None = None


def measure_fresh_starts(rounds: int) -> dict[str, FreshStart]:
    """Return the figures of the emulator and, where it is installed, of MiniStack; started in turns."""
    found: dict[str, list[FreshStart]] = {}
    peers: dict[str, Callable[[Path], FreshStart]] = {"emulator": _start_emulator}
    if why_no_ministack() is None:
        peers["ministack"] = _start_ministack
    # The first round fills caches of files and of the template's transform.
    for number in range(rounds + 1):
        for name, start in peers.items():
            with tempfile.TemporaryDirectory(prefix="bench-fresh-") as folder:
                figures = start(Path(folder))
            if number:
                found.setdefault(name, []).append(figures)
    return {name: _medians(figures) for name, figures in found.items()}


def _start_emulator(folder: Path) -> FreshStart:
    with _ready_emulator(folder) as (port, pid, start_ms):
        idle_mb = _memory_mb(pid)
        target = invoke_target(port, "Empty")
        run_load(target, 1, _RESET_LIMIT_S, requests_each=1)
        began = time.perf_counter()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/_emulator/reset", method="POST")
        with urllib.request.urlopen(request, timeout=_RESET_LIMIT_S):
            reset_ms = (time.perf_counter() - began) * 1000
        first = run_load(target, 1, _RESET_LIMIT_S, requests_each=1)
        return FreshStart(start_ms, idle_mb, reset_ms, first.latencies_s[0] * 1000)


@contextmanager
def _ready_emulator(folder: Path) -> Iterator[tuple[int, int, float]]:
    """Start the emulator; yield the port of Lambda's API, the process, and how long it took."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "emulator", "start-lambda", "-t", str(HERE / "functions/invoke.yaml")]
    command += ["--no-config", "--port", "0", "--ready-file", str(ready)]
    began = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ(), stdout=log, stderr=log)
    try:
        while not ready.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.perf_counter() - began < _READY_LIMIT_S, "the emulator isn't ready"
            time.sleep(0.002)
        start_ms = (time.perf_counter() - began) * 1000
        yield int(json.loads(ready.read_text())["url"].rpartition(":")[2]), process.pid, start_ms
    finally:
        process.terminate()
        process.wait()


def _start_ministack(folder: Path) -> FreshStart:
    began = time.perf_counter()
    with start_ministack(folder) as (_, pid):
        return FreshStart((time.perf_counter() - began) * 1000, _memory_mb(pid))


def _memory_mb(pid: int) -> float | None:
    sizes = [pss_mb(process) for process in (pid, *descendants_of(pid))]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _medians(figures: list[FreshStart]) -> FreshStart:
    def median(name: str) -> float | None:
        values = [value for each in figures if (value := getattr(each, name)) is not None]
        return statistics.median(values) if values else None

    start_ms = median("start_ms")
    assert start_ms is not None
    return FreshStart(start_ms, median("idle_mb"), median("reset_ms"), median("first_answer_ms"))
