"""The roles of `bootstrap` that fork environments: *snapshot*, after initialising the function, and *base*, before.

It imports nothing of the emulator. A fork shares a page of this process's memory until one of the two writes to it.
Connections, random states and the runtime client must not be shared: the fork replaces them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any, NoReturn

_USER_AGENT = "aws-lambda-python/{0.major}.{0.minor}.{0.micro}-{1}"
_MAX_MESSAGE_BYTES = 65_536


def serve_forks(control: socket.socket, handler_name: str, tie_lifetime: Callable[[int], None]) -> None:
    """Initialise the function, then fork an environment for each message of the emulator on the control socket.

    This process reports the forks there, one JSON message a line. `tie_lifetime` ends a fork with the emulator. It
    returns when the control socket is closed.
    """
    bootstrap, client = _import_runtime_without_native_client()
    bootstrap.init_logging()
    try:
        handler = bootstrap._get_handler(handler_name)
        # Before the snapshot, the hook registered last runs first.
        from awslambdaric.lambda_runtime_hooks_runner import run_before_snapshot

        run_before_snapshot()
    except BaseException as error:  # noqa: BLE001 - the function's own, reported
        _send(control, {"error": _init_error(bootstrap, error)})
        return
    fork = _fork_on_request(control)
    if fork is not None:
        _serve_in_fork(*fork, tie_lifetime, handler, bootstrap, client)


def await_fork(control: socket.socket, tie_lifetime: Callable[[int], None]) -> dict[str, Any] | None:
    """Fork for each message of the emulator; return its settings in each fork, and None when the socket is closed.

    A fork has no function yet. It finds the standard library's modules that the runtime client needs, and initialises
    everything else by itself, the client included: its modules read variables when they are imported.
    """
    before = set(sys.modules)
    _import_runtime_without_native_client()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] not in sys.stdlib_module_names:
            del sys.modules[name]
    fork = _fork_on_request(control)
    if fork is None:
        return None
    request, descriptors = fork
    # Python has set this by itself at its start, if the machine lacks the locale of LANG.
    coerced = {name: value for name, value in os.environ.items() if name == "LC_CTYPE"}
    os.environ.clear()
    os.environ.update(coerced)
    _become_environment(request, descriptors, tie_lifetime)
    time.tzset()
    sys.path[:0] = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    settings: dict[str, Any] = request["settings"]
    return settings


def _import_runtime_without_native_client() -> tuple[ModuleType, ModuleType]:
    """Import AWS's runtime client without its native part, which must be imported in each fork.

    The native part opens its connection, to the address in AWS_LAMBDA_RUNTIME_API, when it is imported.
    """
    sys.modules["runtime_client"] = None  # type: ignore[assignment]
    from awslambdaric import bootstrap, lambda_runtime_client

    del sys.modules["runtime_client"]
    # The client would import these in each environment, 0.1 s for one GET; `socket` needs the second for host names.
    for name in ("http.client", "encodings.idna"):
        importlib.import_module(name)
    return bootstrap, lambda_runtime_client


def _init_error(bootstrap: ModuleType, error: BaseException) -> dict[str, Any]:
    from awslambdaric.lambda_runtime_exception import FaultException

    if isinstance(error, FaultException):
        document: dict[str, Any] = bootstrap.make_error(error.msg, error.exception_type, error.trace)
    else:
        document = bootstrap.build_fault_result((type(error), error, error.__traceback__), None)
    bootstrap.log_error(document, bootstrap.StandardLogSink())
    return document


def _thread_names() -> list[str]:
    """Return the names of Python's threads, and "native" for each other thread of this process."""
    names = [thread.name for thread in threading.enumerate()]
    try:
        return names + ["native"] * (len(os.listdir("/proc/self/task")) - len(names))  # noqa: PTH208
    except OSError:
        return names


def _fork_on_request(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork until the control socket is closed, and report each fork's end over it.

    Return in each fork what it was asked for, and the descriptors that came along; None once no more are asked for.
    """
    # These objects live on in every fork. Frozen, the collector doesn't write to them, so that their pages stay shared.
    gc.collect()
    gc.freeze()
    if (threads := _thread_names()) != ["MainThread"]:
        _send(control, {"threads": threads})
        return None
    _send(control, {"ready": True})
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _ignore)
    children: set[int] = set()
    function_children = _child_pids()  # What the initialisation has started lives on.
    poll = select.poll()
    poll.register(control.fileno(), select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
            _report_ended(control, children, function_children)
        if control.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, _MAX_MESSAGE_BYTES, 2)
        if not message:
            return None
        if (threads := _thread_names()) != ["MainThread"]:
            _send(control, {"threads": threads})
            return None
        pid = os.fork()
        if pid == 0:
            control.close()
            os.close(wake_read)
            os.close(wake_write)
            return json.loads(message), descriptors
        children.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)
        _send(control, {"pid": pid})


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing: SIGCHLD only needs a handler to interrupt the poll."""


def _report_ended(control: socket.socket, children: set[int], function_children: set[int]) -> None:
    """Report the forks that have ended, and end the processes that they left behind, now children of this process."""
    for pid in list(children):
        if hasattr(os, "waitid") and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            # Before the wait: after it another process may get this id, which is also the group's.
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            _send(control, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    for pid in _child_pids() - children - function_children:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)


def _child_pids() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listing:  # noqa: PTH123
            return set(map(int, listing.read().split()))
    except OSError:
        return set()


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        control.sendall(json.dumps(message).encode() + b"\n")


def _become_environment(request: dict[str, Any], descriptors: list[int], tie_lifetime: Callable[[int], None]) -> None:
    """Make a fresh fork a process of its own, with its own log, lifetime and variables."""
    life_fd, log_fd = descriptors
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    _cut_connections()
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    os.close(log_fd)
    tie_lifetime(life_fd)
    os.environ.update(request["environment"])
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
    _draw_fresh_randomness()


def _serve_in_fork(
    request: dict[str, Any],
    descriptors: list[int],
    tie_lifetime: Callable[[int], None],
    handler: Any,
    bootstrap: ModuleType,
    client: ModuleType,
) -> NoReturn:
    """Serve invocations in a fork that has the initialised function; never returns."""
    status = 1
    try:
        _become_environment(request, descriptors, tie_lifetime)
        import runtime_client  # type: ignore[import-not-found]

        runtime_client.initialize_client(_user_agent())
        client.runtime_client = runtime_client  # type: ignore[attr-defined]
        # The snapshot holds logging and the handler already.
        bootstrap._setup_logging = lambda *_: None  # type: ignore[attr-defined]
        bootstrap._get_handler = lambda _: handler  # type: ignore[attr-defined]
        address = os.environ["AWS_LAMBDA_RUNTIME_API"]
        bootstrap.run("", client.LambdaRuntimeClient(address, False))
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the function's own, reported
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _cut_connections() -> None:
    """Replace each connection that was open at the snapshot by a closed one.

    Otherwise all forks would read from the same connection and get each other's answers. A client that finds its
    connection closed opens a new one. On AWS it does so, too, since the peer has closed a restored connection long ago.
    """
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - one call, and no pathlib in a fresh fork
        descriptor = int(name)
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                _cut_connection(descriptor)


def _cut_connection(descriptor: int) -> None:
    inherited = socket.socket(fileno=descriptor)
    try:
        peer = inherited.getpeername()
        # A socketpair's peer has no name: both ends are in this process, as in an event loop.
        if not peer:
            return
        if inherited.type == socket.SOCK_DGRAM:
            replacement = socket.socket(inherited.family, socket.SOCK_DGRAM)
            replacement.connect(peer)
        else:
            replacement, peer_end = socket.socketpair()
            peer_end.close()
        with replacement:
            os.set_blocking(replacement.fileno(), os.get_blocking(descriptor))
            os.dup2(replacement.fileno(), descriptor, inheritable=os.get_inheritable(descriptor))
    finally:
        inherited.detach()


def _draw_fresh_randomness() -> None:
    """Seed NumPy's global generator, which the fork has copied. ``random`` and OpenSSL seed themselves."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and "numpy.random" in sys.modules:
        numpy.random.seed()


def _user_agent() -> str:
    from awslambdaric import __version__

    return _USER_AGENT.format(sys.version_info, __version__)
