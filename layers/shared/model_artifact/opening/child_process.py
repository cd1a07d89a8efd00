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
from collections.abc import Iterator
from contextvars import ContextVar
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import IO, Any, TypedDict

_TAIL_BYTES = 4096
_STDERR = 2
# Before the exit code of a fork of `warm_server`, in the message that tells it.
ENDED = "ended "


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


class ForkedProcess:
    """A process that ``warm_server`` forked, as far as it is used like a ``Popen``."""

    def __init__(self, pid: int, status: Connection, stderr: IO[bytes] | None) -> None:
        self.pid = pid
        self.stderr = stderr
        self._status = status
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return how the process ended, as ``Popen`` does; SIGKILL where the server has ended with it."""
        if self._code is None:
            try:
                if not self._status.poll(timeout):
                    raise subprocess.TimeoutExpired("model_artifact.opening.child", timeout or 0.0)
                self._code = int(self._status.recv_bytes().decode().removeprefix(ENDED))
            except (EOFError, OSError):
                self._code = -signal.SIGKILL
            self._status.close()
        return self._code


ModelChild = subprocess.Popen[bytes] | ForkedProcess


class WarmServer:
    """The process ``warm_server``, started when the first fork is asked for."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._requests, self._far = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        self._environment: dict[str, str] = {}

    def fork(self, request: IO[bytes], control: int, *, keeps_errors: bool) -> ForkedProcess | None:
        """Return a process for a request; None if the server has ended, or is another process's or environment's.

        It writes its errors to a pipe if they are to be kept, otherwise to where this process does.
        """
        if self._owner != os.getpid():
            return None
        if self._process is None:
            self._environment = _environment()
            command = _command("warm_server", str(self._far.fileno()))
            self._process = _start(command, stdin=subprocess.DEVNULL, pass_fds=(self._far.fileno(),))
            self._far.close()
        if self._environment != _environment():
            return None
        status, status_of_fork = Pipe()
        with contextlib.ExitStack() as files:
            files.enter_context(status_of_fork)
            stderr, stderr_of_fork = None, _STDERR
            if keeps_errors:
                read, stderr_of_fork = os.pipe()
                files.callback(os.close, stderr_of_fork)
                stderr = os.fdopen(read, "rb")
            try:
                descriptors = [request.fileno(), control, stderr_of_fork, status_of_fork.fileno()]
                socket.send_fds(self._requests, [b"+"], descriptors)
                files.close()
                return ForkedProcess(int(status.recv_bytes()), status, stderr)
            except (EOFError, OSError, ValueError):
                # The server has ended, or a fork before it told its number.
                status.close()
                if stderr is not None:
                    stderr.close()
                return None

    def close(self) -> None:
        """End the server. The kernel ends its forks."""
        self._requests.close()
        self._far.close()
        if self._process is not None:
            kill(self._process)
            self._process.wait()


_warm_server: ContextVar[WarmServer | None] = ContextVar("warm_server", default=None)


@contextlib.contextmanager
def warm_processes(*, is_warm: bool = True) -> Iterator[None]:
    """Fork the processes that open pickles from one that has imported what they need, until the block ends.

    For whoever opens several: after the first, each takes a fifth of the time. The server takes 200 MB of memory.
    Without ``is_warm``, each starts alone within the block.
    """
    server = WarmServer() if is_warm else None
    token = _warm_server.set(server)
    try:
        yield
    finally:
        _warm_server.reset(token)
        if server is not None:
            server.close()


def start(request: Request, pickle: bytes) -> ModelChild:
    """Start the process in a session of its own. It reads the request and the pickle from its standard input.

    Raises the audit event ``model_artifact.opening.start`` (PEP 578), without arguments.
    """
    sys.audit("model_artifact.opening.start")
    # A file without a name: however this process ends, nothing is left of it.
    with tempfile.TemporaryFile() as file:
        file.writelines((json.dumps(request).encode(), b"\n", pickle))
        file.seek(0)
        server = _warm_server.get()
        # What a function trusts writes its errors into the function's log.
        keeps_errors = not request["is_trusted"]
        if server and (forked := server.fork(file, request["control"], keeps_errors=keeps_errors)):
            return forked
        stderr = subprocess.PIPE if keeps_errors else None
        return _start(_command("child"), stdin=file, stderr=stderr, pass_fds=(request["control"],))


def _command(module: str, *arguments: str) -> list[str]:
    # -B: the process may not write, not even compiled modules. -P: nothing is imported from the current folder.
    return [sys.executable, "-B", "-P", "-W", "ignore", "-m", f"model_artifact.opening.{module}", *arguments]


def _start(command: list[str], **files: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd="/", env=_environment(), stdout=subprocess.DEVNULL, start_new_session=True, **files
    )


def _environment() -> dict[str, str]:
    """Return the variables that the process needs: no credentials, no proxies."""
    packages = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(dict.fromkeys(packages)), "PYTHONUTF8": "1"}


def end(process: ModelChild, control: socket.socket, owner: int) -> None:
    """End the process and whatever is in its session. A fork of the owner ends nothing."""
    control.close()
    if os.getpid() == owner:
        kill(process)
        process.wait()


def kill(process: ModelChild) -> None:
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
