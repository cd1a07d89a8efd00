"""Long-running commands as processes: started on free ports, waited for, ended with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests


@dataclass(frozen=True)
class Bucket:
    """A running local bucket, as this machine and as containers reach it."""

    url: str
    url_for_containers: str


class BackgroundCommand:
    """A command that runs until it is told to stop. Its output goes to a file, which failures quote.

    Parameters
    ----------
    command : sequence of str
        What to run.
    environ : mapping
        The whole environment.
    cwd, log : Path
        Where to run, and where the output goes.
    """

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str], cwd: Path, log: Path) -> None:
        self._command = list(command)
        self._environ = dict(environ)
        self._cwd = cwd
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> BackgroundCommand:
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        # Whatever it left of its own session goes too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait_until_answering(self, url: str, *, timeout_s: float) -> None:
        """Wait for any HTTP answer from ``url``; fail with the log if the command ends first or takes too long."""
        assert self._process is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"{self._command} ended with {self._process.returncode}:\n{self.log_text()}")
            try:
                requests.get(url, timeout=30)
            except requests.ConnectionError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"{url} did not answer within {timeout_s} s:\n{self.log_text()}")

    @property
    def pid(self) -> int:
        """The command's first process."""
        assert self._process is not None
        return self._process.pid

    def log_text(self) -> str:
        """Return what the command has printed so far."""
        return self.log.read_text(errors="replace")


def free_port(hosts: Sequence[str] = ("127.0.0.1",)) -> int:
    """Return a port that is free on every one of the addresses at this moment."""
    for _ in range(100):
        with contextlib.ExitStack() as stack:
            port = 0
            try:
                for host in hosts:
                    port = stack.enter_context(socket.create_server((host, port))).getsockname()[1]
            except OSError:
                continue
            return port
    raise AssertionError(f"no port is free on all of {hosts}")
