"""Messages, errors of ports, the ready file and signals: shared by the commands that serve."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from emulator.durable_files import write_durably
from emulator.template.errors import ProjectError


class ListenError(Exception):
    """The emulator can't listen on an address; ``flag`` is the option that sets the port."""

    def __init__(self, host: str, port: int, flag: str, error: OSError) -> None:
        self.host = host
        self.port = port
        self.flag = flag
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} on {host} is taken: stop what listens there, or choose another with {flag}"
        elif error.errno == errno.EACCES:
            message = f"port {port} on {host} is not allowed to this user: choose another with {flag}"
        else:
            message = f"can't listen on {host}:{port}: {error.strerror or error}"
        super().__init__(message)


@contextlib.contextmanager
def port_errors_name(host: str, port: int, flag: str) -> Iterator[None]:
    """Turn an error of listening into a `ListenError` that names the flag to change."""
    try:
        yield
    except OSError as error:
        raise ListenError(host, port, flag, error) from error


def say(message: str) -> None:
    """Print a message on stderr; stdout is for answers."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def write_ready_file(path: Path | None, **facts: object) -> None:
    """Write ``{"url": …, "pid": …}`` as one line into a file or a pipe. A file is never visible half written."""
    if path is None:
        return
    line = json.dumps(facts) + "\n"
    try:
        if path.is_fifo():
            path.write_text(line, encoding="utf-8")
        else:
            write_durably(path, [line.encode()])
    except OSError as error:
        raise ProjectError(f"--ready-file {path}: {error.strerror}") from error


def url_of(host: str, port: int) -> str:
    """Return the URL of an address, IPv6 ones in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def stop_on_signals(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Return an event that SIGINT or SIGTERM sets. A second signal ends the process at once."""
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            os._exit(130)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return stopping


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Switch the garbage collector off inside the block, which loads modules and the template.

    They live as long as the process, and collecting among them takes 0.1 to 0.2 s.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
