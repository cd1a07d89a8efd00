"""Starts the emulator and ``peerloan`` as forks of processes that have imported them; a start takes a second otherwise.

Within `forked_programs`, `ProgramProcess` is a ``Popen`` that forks these programs, and starts all others. A fork is a
child of the test's process, with the arguments, variables, files and session that ``Popen`` was asked for. Tests of
what ``python -m`` itself does use ``subprocess.Popen``.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_SERVER = Path(__file__).with_name("program_server.py")
_LONGEST_ANSWER = 64
# Linux's system call ``clone``, by the machine's name.
CLONE = {"x86_64": 56, "aarch64": 220}
_EMULATOR = (
    "anyio._backends._asyncio",
    "emulator.__main__",
    "emulator.bucket.server",
    "emulator.cli.aws_services",
    "emulator.cli.serve",
    "emulator.cli.serve_all",
    "emulator.cli.serve_bucket",
    "emulator.lambda_service.control_api.server",
    "encodings.idna",
    "uvloop",
)
# What each program imports in most of the tests, most of it after its start.
PROGRAMS = {
    "emulator": _EMULATOR,
    "peerloan": (
        *_EMULATOR,
        "botocore.session",
        "model_artifact.opening.inspection",
        "model_artifact.version_loading",
        "peerloan.__main__",
        "peerloan.first_model",
        "peerloan.stack",
        "peerloan.workplace",
        "sklearn.ensemble",
        "sklearn.impute",
        "training.run",
    ),
}


class ProgramServer:
    """The process ``program_server`` of one program.

    Parameters
    ----------
    program : str
        One of ``PROGRAMS``.
    requests : socket, optional
        Leads to a server that runs already. By default one is started when its first fork is asked for.
    """

    def __init__(self, program: str, requests: socket.socket | None = None) -> None:
        self._program = program
        self._owner = os.getpid()
        self._environ = dict(os.environ)
        self._requests = requests
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def can_fork(self, environ: Mapping[str, str]) -> bool:
        """Return whether a fork can have these variables: the interpreter reads some when it starts, and only then."""
        return self._owner == os.getpid() and _of_interpreter(environ) == _of_interpreter(self._environ)

    def fork(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """Return the process id of a new fork, a child of this process."""
        with self._lock:
            if self._requests is None:
                self._requests = self._start()
            socket.send_fds(self._requests, [json.dumps(request).encode()], descriptors)
            return int(self._requests.recv(_LONGEST_ANSWER))

    def close(self) -> None:
        """End the server. Its forks live on."""
        if self._requests is not None:
            self._requests.close()
        if self._process is not None:
            self._process.wait()

    def _start(self) -> socket.socket:
        requests, inbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inbox:
            command = [sys.executable, str(_SERVER), str(inbox.fileno()), *PROGRAMS[self._program]]
            self._process = subprocess.Popen(
                command, env=self._environ, stdin=subprocess.DEVNULL, pass_fds=(inbox.fileno(),)
            )
        return requests


_servers: dict[str, ProgramServer] = {}


class ProgramProcess(subprocess.Popen[Any]):
    """A ``Popen`` that forks ``python -m PROGRAM`` from a process that has imported the program, where it can."""

    def _execute_child(self, *given: Any) -> None:
        start = super()._execute_child  # type: ignore[misc]
        asked = inspect.signature(start).bind(*given).arguments
        environ = os.environ if asked["env"] is None else asked["env"]
        folder = os.getcwd() if asked["cwd"] is None else os.fspath(asked["cwd"])  # noqa: PTH109
        server = _server_for(asked["args"])
        has_limits = asked["preexec_fn"] is not None
        if server is None or has_limits or not server.can_fork(environ) or not os.path.isdir(folder):  # noqa: PTH112
            start(*given)
            return
        pipes = {0: "p2cread", 1: "c2pwrite", 2: "errwrite"}
        descriptors = {number: asked[name] if asked[name] >= 0 else number for number, name in pipes.items()}
        descriptors |= {number: number for number in asked["pass_fds"]}
        request = {
            "command": list(asked["args"][2:]),
            "environ": dict(environ),
            "folder": os.path.abspath(folder),  # noqa: PTH100 - as `chdir` understands it
            "is_leader": asked["start_new_session"],
            "numbers": list(descriptors),
        }
        self.pid = server.fork(request, list(descriptors.values()))
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[end] for end in ends))  # type: ignore[attr-defined]


def run_program(
    command: Sequence[str],
    *,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit_s: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as ``subprocess.run`` does, and return its exit code and what it printed."""
    with ProgramProcess(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            out, err = process.communicate(stdin, timeout=limit_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)


@contextlib.contextmanager
def forked_programs() -> Iterator[None]:
    """Fork programs until the block ends, where the system can: Linux on a processor of ``CLONE``."""
    if sys.platform == "linux" and platform.machine() in CLONE:
        _servers.update({program: ProgramServer(program) for program in PROGRAMS})
    try:
        yield
    finally:
        for server in _servers.values():
            server.close()
        _servers.clear()


def fork_emulators(requests: socket.socket) -> None:
    """Make ``Popen`` fork the emulator in this process, which is a fork itself, from a server of its own."""
    _servers["emulator"] = ProgramServer("emulator", requests)
    subprocess.Popen = ProgramProcess  # type: ignore[misc]


def _server_for(command: Any) -> ProgramServer | None:
    """Return the server of the program that a command runs, if there is one."""
    words = [command] if isinstance(command, str | bytes | os.PathLike) else list(command)
    if words[:2] != [sys.executable, "-m"] or len(words) < 3:
        return None
    return _servers.get(str(words[2]))


def _of_interpreter(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
