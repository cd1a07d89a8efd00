"""Forks processes that open a pickle: ``python -m model_artifact.opening.warm_server DESCRIPTOR``.

It has imported what opening a model takes, about two seconds' work. It reads no request and opens no pickle: each is
left to a fork, which then is ``child`` and sets the same limits on itself as one that was started alone. A fork sees
nothing of the other requests, since this process never has anything of them in its memory.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from importlib import import_module
from multiprocessing.connection import Connection

from model_artifact.opening import child
from model_artifact.opening.child_process import ENDED

# What ``child`` imports for a pickle, and what most pickles import.
_MODULES = (
    "model_artifact.features",
    "model_artifact.libraries",
    "model_artifact.model_columns",
    "model_artifact.opening.booster_files",
    "model_artifact.opening.confinement",
    "model_artifact.opening.load",
    "model_artifact.opening.scan",
    "model_artifact.pipeline",
    "model_artifact.serving_form.parity",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.utils.parallel",
)


def main() -> int:
    """Fork a process for each request until whoever sends them has ended."""
    inbox = socket.socket(fileno=int(sys.argv[1]))
    for module in _MODULES:
        import_module(module)
    gc.freeze()  # The forks share this memory as long as the collector doesn't write to it.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for the forks.
    server = os.getpid()
    while descriptors := socket.recv_fds(inbox, 1, 4)[1]:
        if os.fork() == 0:
            inbox.close()
            return _guard(server, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    return 0


def _guard(server: int, request: int, control: int, stderr: int, status: int) -> int:
    """Start a process that opens a pickle, and tell how it ended. The process itself has told its number before."""
    child.end_with(server)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection = Connection(status)
    guard = os.getpid()
    process = os.fork()
    if process == 0:
        os.setsid()
        connection.send_bytes(str(os.getpid()).encode())
        connection.close()
        for descriptor, standard in ((request, 0), (stderr, 2)):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        return child.main(parent=guard, control=control)
    for descriptor in (request, control, stderr):
        os.close(descriptor)
    ended = os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    connection.send_bytes(f"{ENDED}{code}".encode())
    # Until whoever asked has read that, no other process gets this one's number, and is ended in its place.
    connection.poll(None)
    os.waitpid(process, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
