"""Forks ``python -m PROGRAM`` from a process that has imported what it needs: run by `forked_programs`.

A fork has the arguments, the variables, the folder, the files and the session that it was asked for, and is a child of
whoever asked, as if that had started it. This process never has threads, and no fork sees anything of another one.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import io
import json
import os
import platform
import signal
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from forked_programs import CLONE, fork_emulators

MOST_DESCRIPTORS = 16
# Above every descriptor that a program is handed.
_ABOVE = 200
_LONGEST_REQUEST = 1 << 18
# The child's parent is this process's parent, as a child started there would have it.
_CLONE_PARENT = 0x8000


def main(inbox: socket.socket, modules: list[str]) -> object:
    """Import the modules, fork a program for each request, and return in a fork what its program returns."""
    for module in modules:
        import_module(module)
    _warm_emulator()
    gc.freeze()  # The forks share this memory as long as the collector doesn't write to it.
    return serve(inbox)


def _warm_emulator() -> None:
    """Read a template, and the table of Lambda's operations: what of it is the same each time is then kept."""
    from emulator.lambda_service.control_api.operations_table import operations_by_form
    from emulator.template.read import load_project

    load_project(Path(__file__).parents[1] / "integration/emulator/functions/basic/template.yaml")
    operations_by_form()


def serve(inbox: socket.socket) -> object:
    """Fork a program for each request until whoever sends them has ended."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(inbox, _LONGEST_REQUEST, MOST_DESCRIPTORS)
        if not message:
            return 0
        pid = _fork_for_parent()
        if pid == 0:
            inbox.close()
            return _run(json.loads(message), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        inbox.send(str(pid).encode())


def _fork_for_parent() -> int:
    """Fork a child of this process's parent, which then waits for its end; return as ``os.fork`` does."""
    # PyDLL keeps the interpreter's lock, and Python is told of the fork: as ``os.fork`` does.
    call = ctypes.PyDLL(None).syscall
    call.argtypes = (ctypes.c_long,) * 6
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = int(call(CLONE[platform.machine()], _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return pid


def _run(request: dict[str, Any], descriptors: list[int]) -> object:
    """Become the program that a request describes."""
    if request["is_leader"]:
        os.setsid()
    # First out of the way of each other's numbers.
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _ABOVE) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(moved, request["numbers"], strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    _open_standard_streams()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    program, *words = request["command"]
    sys.path[0] = request["folder"]  # Where ``python -m`` looks for modules first.
    if program == "peerloan" and (inbox := _fork_server_of_emulators()) is not None:
        return serve(inbox)
    main_module = sys.modules["__main__"] = import_module(f"{program}.__main__")
    sys.argv = [str(main_module.__file__), *words]
    return main_module.main()


def _open_standard_streams() -> None:
    """Open Python's three streams anew, for what their descriptors are now."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        before = getattr(sys, name)
        after = open(number, mode, encoding=before.encoding, errors=before.errors, closefd=False)  # noqa: SIM115
        if isinstance(after, io.TextIOWrapper) and name == "stderr":
            after.reconfigure(line_buffering=True)
        setattr(sys, name, after)
        setattr(sys, f"__{name}__", after)


def _fork_server_of_emulators() -> socket.socket | None:
    """Fork a server for the emulators that this process is going to start; return its inbox in that server."""
    requests, inbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        requests.close()
        return inbox
    inbox.close()
    fork_emulators(requests)
    return None


if __name__ == "__main__":
    try:
        sys.exit(main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]))  # type: ignore[arg-type]
    except KeyboardInterrupt:
        sys.exit(130)
