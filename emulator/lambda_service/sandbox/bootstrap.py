"""What runs in a function's process: Lambda's surroundings, then AWS's own runtime client. No import of ours.

Run by path, with one JSON argument, in one of two roles:

- an *environment* initialises the function and serves it;
- a *template* (SnapStart) initialises the function, runs its before-snapshot hooks, and then forks an
  environment each time it is asked to over its control socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import stat
import sys
import threading
from types import FrameType, ModuleType
from typing import Any, NoReturn

# Linux: ask the kernel for SIGKILL to the whole process group as soon as the last write end of a pipe is
# closed, which is what the emulator's death does, kill -9 included.
_F_SETSIG = 10
_PR_SET_CHILD_SUBREAPER = 36
_ROOM_BYTES = 1 << 30
_USER_AGENT = "aws-lambda-python/{0.major}.{0.minor}.{0.micro}-{1}"
_MAX_MESSAGE_BYTES = 65_536


def main(settings: dict[str, Any]) -> None:
    """Play the role that the settings name; returns only if the runtime ends by itself."""
    sys.argv = [sys.argv[0]]
    die_with_emulator(settings["life_fd"])
    become_subreaper()
    limit_memory()
    set_up_path(settings["path"], settings["site_first"])
    if settings["role"] == "template":
        serve_forks(settings)
    else:
        serve(settings["handler"])


def set_up_path(folders: list[str], site_first: bool) -> None:
    """Put the function's folders on the path: before everything, as Lambda does, or behind everything.

    Behind is for packages that `sam build` fetched for another Python than this one: their compiled modules
    can't be imported here, those of this Python's site-packages can.
    """
    if site_first:
        sys.path.extend(folder for folder in folders if folder not in sys.path)
    else:
        sys.path[:0] = folders


def die_with_emulator(life_fd: int) -> None:
    """Make sure that this process ends when the emulator does, and its children if it leads their group.

    Parameters
    ----------
    life_fd : int
        The read end of a pipe whose only write end the emulator holds.
    """
    leads_group = os.getpgrp() == os.getpid()
    try:
        fcntl.fcntl(life_fd, fcntl.F_SETOWN, -os.getpgrp() if leads_group else os.getpid())
        fcntl.fcntl(life_fd, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life_fd, fcntl.F_SETFL, fcntl.fcntl(life_fd, fcntl.F_GETFL) | os.O_ASYNC)
    except (OSError, AttributeError):
        # Not Linux: a thread that waits for the end of the pipe does it, as soon as it gets the interpreter.
        threading.Thread(target=_wait_for_the_end, args=(life_fd,), daemon=True).start()
        return
    # The emulator may have died before the kernel was asked.
    poll = select.poll()
    poll.register(life_fd, select.POLLIN)
    if poll.poll(0):
        _end()


def become_subreaper() -> None:
    """Be the parent of whatever loses its own below this process, so that it can be found and ended with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def limit_memory() -> None:
    """Refuse a single allocation far over the function's memory.

    The emulator looks at what is used, from time to time; this is for what could use up the machine between two
    looks. What libraries set aside without using it counts here, so it is far above the limit itself.
    """
    memory_bytes = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) << 20
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = 2 * memory_bytes + _ROOM_BYTES
        if hard >= 0:
            limit = min(limit, hard - 1)
        # The hard limit, too: by it the emulator knows what environments have started (`process_tree`).
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _wait_for_the_end(life_fd: int) -> None:
    os.read(life_fd, 1)
    _end()


def _end() -> NoReturn:
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def serve(handler: str) -> None:
    """Initialise the function and answer invocations, with AWS's runtime client as it is."""
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    # With its polling thread the client would start one thread a request, for the sake of SIGTERM handlers,
    # which Lambda only calls where an extension is registered.
    bootstrap.run(handler, LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"], False))


def serve_forks(settings: dict[str, Any]) -> None:
    """Initialise the function, then fork an environment for each message on the control socket."""
    control = socket.socket(fileno=settings["control_fd"])
    bootstrap, client = _import_runtime_without_native_client()
    bootstrap.init_logging()
    try:
        handler = bootstrap._get_handler(settings["handler"])
        # Before the snapshot, the hook registered last runs first.
        from awslambdaric.lambda_runtime_hooks_runner import run_before_snapshot

        run_before_snapshot()
    except BaseException as error:  # noqa: BLE001 - the function's own, reported
        _send(control, {"error": _init_error(bootstrap, error)})
        return
    # What is alive now stays alive in every fork: taken out of the collector's sight, its pages stay shared.
    gc.collect()
    gc.freeze()
    if (threads := _thread_names()) != ["MainThread"]:
        _send(control, {"threads": threads})
        return
    _send(control, {"ready": True})
    _fork_on_request(control, handler, bootstrap, client)


def _import_runtime_without_native_client() -> tuple[ModuleType, ModuleType]:
    """Import AWS's runtime client, all but its native part, which must be imported in each fork.

    The native part opens its connection, to the address in AWS_LAMBDA_RUNTIME_API, when it is imported.
    """
    sys.modules["runtime_client"] = None  # type: ignore[assignment]
    from awslambdaric import bootstrap, lambda_runtime_client

    del sys.modules["runtime_client"]
    # What the client would import in each environment, 0.1 s, for the sake of one GET; the second is what `socket`
    # reads the name of a host with.
    for name in ("http.client", "encodings.idna"):
        importlib.import_module(name)
    return bootstrap, lambda_runtime_client


def _init_error(bootstrap: ModuleType, error: BaseException) -> dict[str, Any]:
    from awslambdaric.lambda_runtime_exception import FaultException

    if isinstance(error, FaultException):
        made: dict[str, Any] = bootstrap.make_error(error.msg, error.exception_type, error.trace)
    else:
        made = bootstrap.build_fault_result((type(error), error, error.__traceback__), None)
    bootstrap.log_error(made, bootstrap.StandardLogSink())
    return made


def _thread_names() -> list[str]:
    """Return the threads of this process: those that Python knows, and "native" for each other one."""
    known = [thread.name for thread in threading.enumerate()]
    try:
        return known + ["native"] * (len(os.listdir("/proc/self/task")) - len(known))  # noqa: PTH208
    except OSError:
        return known


def _fork_on_request(control: socket.socket, handler: Any, bootstrap: ModuleType, client: ModuleType) -> None:
    """Fork until the control socket is closed; report each fork's end over it."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _ignore)
    children: set[int] = set()
    of_the_function = _child_pids()
    poll = select.poll()
    poll.register(control.fileno(), select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
            _report_ended(control, children, of_the_function)
        if control.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, _MAX_MESSAGE_BYTES, 2)
        if not message:
            return
        if (threads := _thread_names()) != ["MainThread"]:
            _send(control, {"threads": threads})
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            os.close(wake_read)
            os.close(wake_write)
            _become_environment(json.loads(message), descriptors, handler, bootstrap, client)
        children.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)
        _send(control, {"pid": pid})


def _ignore(number: int, frame: FrameType | None) -> None:
    """Let SIGCHLD interrupt the poll, and do no more."""


def _report_ended(control: socket.socket, children: set[int], of_the_function: set[int]) -> None:
    """Tell of the forks that have ended, and end what they have left behind, which is this process's now."""
    for pid in list(children):
        if hasattr(os, "waitid") and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            # Before it is waited for: afterwards its id, which is its group's as well, may be another's.
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            _send(control, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    for pid in _child_pids() - children - of_the_function:
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


def _become_environment(
    request: dict[str, Any], descriptors: list[int], handler: Any, bootstrap: ModuleType, client: ModuleType
) -> NoReturn:
    """Turn a fresh fork into an environment of its own; never returns."""
    status = 1
    try:
        life_fd, log_fd = descriptors
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _cut_connections()
        os.dup2(log_fd, 1)
        os.dup2(log_fd, 2)
        os.close(log_fd)
        die_with_emulator(life_fd)
        become_subreaper()
        os.environ.update(request["environment"])
        if "tempfile" in sys.modules:
            sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
        _draw_fresh_randomness()
        import runtime_client  # type: ignore[import-not-found]

        runtime_client.initialize_client(_user_agent())
        client.runtime_client = runtime_client  # type: ignore[attr-defined]
        # Logging and the handler are there already, out of the snapshot.
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
    """Put the end of a closed connection in the place of each one that the snapshot had open.

    All forks would read from the same one, and take each other's answers. A client that finds its connection
    closed makes a new one, as it does on AWS, where a restored connection's peer is long gone.
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
        # A peer without a name is this process itself: the two ends of a socketpair, as in an event loop.
        if not peer:
            return
        if inherited.type == socket.SOCK_DGRAM:
            replacement = socket.socket(inherited.family, socket.SOCK_DGRAM)
            replacement.connect(peer)
        else:
            replacement, other = socket.socketpair()
            other.close()
        with replacement:
            os.set_blocking(replacement.fileno(), os.get_blocking(descriptor))
            os.dup2(replacement.fileno(), descriptor, inheritable=os.get_inheritable(descriptor))
    finally:
        inherited.detach()


def _draw_fresh_randomness() -> None:
    """Seed what the fork has copied. ``random`` and OpenSSL see to themselves after a fork."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and "numpy.random" in sys.modules:
        numpy.random.seed()


def _user_agent() -> str:
    from awslambdaric import __version__

    return _USER_AGENT.format(sys.version_info, __version__)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
