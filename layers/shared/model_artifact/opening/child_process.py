"""Starts the process that opens a pickle, reads its errors, and ends it with whatever is in its session."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, TypedDict

_TAIL_BYTES = 4096


class Request(TypedDict):
    """What the process is told before the pickle."""

    parent: int
    control: int
    is_trusted: bool
    is_name_checked: bool
    probe_records: list[dict[str, Any]]
    time_limit_s: float
    score_limit_s: int
    peak_limit_mib: int
    memory_limit_mib: int


class Tail(threading.Thread):
    """Reads a pipe to its end and keeps its last bytes, so that whoever writes to it never waits."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self.tail = b""

    def run(self) -> None:
        """Read."""
        if self._pipe is not None:
            with self._pipe as pipe:
                while chunk := pipe.read1(_TAIL_BYTES):  # type: ignore[attr-defined]
                    self.tail = (self.tail + chunk)[-_TAIL_BYTES:]


def start(request: Request, pickle: bytes) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own. It reads the request and the pickle from its standard input."""
    # A file without a name: however this process ends, nothing is left of it.
    with tempfile.TemporaryFile() as file:
        file.writelines((json.dumps(request).encode(), b"\n", pickle))
        file.seek(0)
        # -B: the process may not write, not even compiled modules. -P: nothing is imported from the current folder.
        return subprocess.Popen(
            [sys.executable, "-B", "-P", "-W", "ignore", "-m", "model_artifact.opening.child"],
            cwd="/",
            env=_environment(),
            stdin=file,
            stdout=subprocess.DEVNULL,
            # A function's errors belong into its log.
            stderr=None if request["is_trusted"] else subprocess.PIPE,
            pass_fds=(request["control"],),
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """Return the variables that the process needs: no credentials, no proxies."""
    packages = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(dict.fromkeys(packages)), "PYTHONUTF8": "1"}


def end(process: subprocess.Popen[bytes], control: socket.socket, owner: int) -> None:
    """End the process and whatever is in its session. A fork of the owner ends nothing."""
    control.close()
    if os.getpid() == owner:
        kill(process)
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the process's session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def how_it_ended(status: int) -> str:
    """Return an exit status in words."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
