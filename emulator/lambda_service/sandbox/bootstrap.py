"""The program of a function's process: prepares it as Lambda does, then runs AWS's own runtime client.

The emulator runs it by its path, with one JSON argument, in one of three roles. It imports nothing of the emulator:

- an *environment* initialises the function and serves it;
- a *snapshot* (SnapStart) initialises the function and forks an environment each time the emulator asks for one
  (`fork_server`);
- a *base* has no function. It forks processes that are environments from then on, so that Python isn't started anew
  for each.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any, NoReturn

# Linux: with this the kernel sends SIGKILL to the whole process group as soon as the last write end of a pipe closes.
# The end of the emulator closes it, kill -9 included.
_F_SETSIG = 10
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_HEADROOM_BYTES = 1 << 30
_PORT_LIMIT_S = 10.0


def main(settings: dict[str, Any]) -> None:
    """Run in the role that the settings name; returns only if the runtime ends by itself."""
    sys.argv = [sys.argv[0]]
    tie_lifetime_to_emulator(settings["life_fd"])
    if settings["role"] == "base":
        control = socket.socket(fileno=settings["control_fd"])
        fork_settings = _load_fork_server().await_fork(control, tie_lifetime_to_emulator)
        if fork_settings is None:
            return
        os.close(settings["life_fd"])
        settings = fork_settings
        os.chdir(settings["folder"])
        name_process(settings["function"])
    limit_memory()
    if settings.get("debug_port"):
        wait_for_debugger(settings["debug_port"])
    set_up_path(settings["path"], settings["site_first"])
    if settings["role"] == "snapshot":
        control = socket.socket(fileno=settings["control_fd"])
        _load_fork_server().serve_forks(control, settings["handler"], tie_lifetime_to_emulator)
    else:
        serve(settings["handler"])


def tie_lifetime_to_emulator(life_fd: int) -> None:
    """Make this process end with the emulator, and everything that it starts end with this process."""
    die_with_emulator(life_fd)
    become_subreaper()


def wait_for_debugger(port: int) -> None:
    """Listen for a debugger, and wait until it has attached and set its breakpoints."""
    # From the emulator's packages, so before the function's come onto the path.
    import debugpy

    # The process before this one may not have ended yet.
    end = time.monotonic() + _PORT_LIMIT_S
    while not _is_free(port) and time.monotonic() < end:
        time.sleep(0.05)
    # A debugger that doesn't know of a function's own child processes would leave them waiting.
    debugpy.configure(subProcess=False)
    debugpy.listen(("127.0.0.1", port))
    # Only now: an editor that attaches as soon as it reads this line would be refused before.
    name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    sys.stderr.write(f"emulator: {name} waits until a debugger attaches to 127.0.0.1:{port}\n")
    debugpy.wait_for_client()


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def set_up_path(folders: list[str], site_first: bool) -> None:
    """Put the function's folders on the path: first, as Lambda does, or last.

    They come last if `sam build` fetched the packages for another version of Python: their compiled modules can't be
    imported here, but those of this Python's site-packages can.
    """
    if site_first:
        sys.path.extend(folder for folder in folders if folder not in sys.path)
    else:
        sys.path[:0] = folders


def die_with_emulator(life_fd: int) -> None:
    """Make sure that this process ends when the emulator does, with its process group if it leads one.

    `life_fd` is the read end of a pipe whose only write end the emulator holds.
    """
    leads_group = os.getpgrp() == os.getpid()
    try:
        fcntl.fcntl(life_fd, fcntl.F_SETOWN, -os.getpgrp() if leads_group else os.getpid())
        fcntl.fcntl(life_fd, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life_fd, fcntl.F_SETFL, fcntl.fcntl(life_fd, fcntl.F_GETFL) | os.O_ASYNC)
    except (OSError, AttributeError):
        # Not Linux: a thread waits for the end of the pipe instead. It acts only when it gets the interpreter's lock.
        threading.Thread(target=_wait_for_the_end, args=(life_fd,), daemon=True).start()
        return
    # The emulator may have died before this call to the kernel.
    poll = select.poll()
    poll.register(life_fd, select.POLLIN)
    if poll.poll(0):
        _end()


def become_subreaper() -> None:
    """Become the parent of every descendant that loses its own, so that it can be found and ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def name_process(name: str) -> None:
    """Show the function's name to those who look at the machine's processes; a fork has the base's arguments."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def limit_memory() -> None:
    """Set the data limit (RLIMIT_DATA) of this process to twice the function's memory and 1 GiB.

    An allocation beyond it fails. The emulator checks the memory in use from time to time; this limit holds between two
    checks. It is far above the function's memory, because memory that libraries reserve without using it counts, too.
    """
    memory_bytes = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) << 20
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = 2 * memory_bytes + _HEADROOM_BYTES
        if hard >= 0:
            limit = min(limit, hard - 1)
        # `process_tree` recognises an environment's processes by this hard limit.
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _wait_for_the_end(life_fd: int) -> None:
    os.read(life_fd, 1)
    _end()


def _end() -> NoReturn:
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def serve(handler: str) -> None:
    """Initialise the function and answer invocations, by AWS's unchanged runtime client."""
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    # With its polling thread the client would start a thread for each request, only for SIGTERM handlers, which
    # Lambda calls where an extension is registered.
    bootstrap.run(handler, LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"], False))


def _load_fork_server() -> ModuleType:
    # Not by an import: the folder of this file isn't on the function's path.
    path = os.path.join(os.path.dirname(__file__), "fork_server.py")  # noqa: PTH118, PTH120
    loader = SourceFileLoader("_emulator_fork_server", path)
    module = ModuleType(loader.name)
    loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
