"""Starts a command of the emulator as a child process, waits until it is ready, and ends it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any


class ChildStartError(Exception):
    """The process ended before it was ready, or wasn't ready in time."""


class EmulatorChild:
    """A process of ``python -m emulator``. It ends with the process that started it, after ``kill -9`` too.

    It has a session of its own, so Ctrl-C reaches only the process that started it.

    Parameters
    ----------
    command : str
        ``bucket``, ``start-api`` and so on.
    arguments : sequence of str
        The command's.
    output : file, optional
        Gets stdout and stderr; by default the child writes to this process's.
    environ : mapping, optional
        Environment variables in place of this process's.
    folder : Path, optional
        The working directory.
    """

    def __init__(
        self,
        command: str,
        arguments: Sequence[str],
        *,
        output: IO[bytes] | None = None,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        # A pipe, because a ready file would remain if this process were killed.
        ready_read, ready_write = os.pipe()
        self._ready = os.fdopen(ready_read, "rb", buffering=0)
        command_line = [sys.executable, "-m", "emulator", command, *arguments, "--ready-file", f"/dev/fd/{ready_write}"]
        try:
            # The child's stdin closes when this process ends; the child watches it and ends, too.
            self.process = subprocess.Popen(
                [*command_line, "--life-fd", "0"],
                env=environ,
                cwd=folder,
                pass_fds=(ready_write,),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except BaseException:
            self._ready.close()
            raise
        finally:
            os.close(ready_write)

    def wait_ready(self, limit_s: float) -> dict[str, Any]:
        """Wait until the process answers requests, and return its ``url``, ``pid`` and so on. Call it once.

        Raises
        ------
        ChildStartError
            It ended, or the limit has passed.
        """
        line, deadline = b"", time.monotonic() + limit_s
        with self._ready:
            while not line.endswith(b"\n"):
                if not select.select([self._ready], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise ChildStartError(f"wasn't ready within {limit_s:.0f} s")
                piece = self._ready.read(4096)
                if not piece:
                    raise ChildStartError("didn't start")
                line += piece
        return dict(json.loads(line))

    def exit_code(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self.process.poll()

    def stop(self, limit_s: float) -> None:
        """End the process: by SIGTERM, and by SIGKILL if that takes longer than the limit. Wait until it has ended."""
        self.process.terminate()
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._ready.close()
        if self.process.stdin is not None:
            self.process.stdin.close()
