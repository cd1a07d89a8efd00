"""The process that opens a pickle and scores with it: ``python -m model_artifact.opening.child``.

Standard input holds a line of JSON, ``child_process.Request``, and the pickle. The process receives connections over
the socket that the request names, sends a report of the model on each, and then scores what it is sent. A model that
nobody has vouched for is opened under limits (``confinement``) and gets one connection. For a trusted one each
connection gets a fork, so that a crash or an endless loop costs that connection alone.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import math
import os
import pickle
import signal
import socket
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# prctl(2)
_PR_SET_PDEATHSIG = 1

# Python's audit events (docs: "Audit events table") that no loading or scoring of a model raises.
_FORBIDDEN_EVENTS = (
    "cpython.PyInterpreterState_New",  # It would have no hook.
    "ftplib.",
    "http.client.",
    "os.chflags",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",  # With os.removexattr.
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.spawn",
    "os.startfile",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "pty.spawn",
    "resource.",
    "shutil.",
    "smtplib.",
    "sqlite3.",
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "subprocess.Popen",
    "urllib.Request",
)
# Their wrappers call compiled libraries by ctypes.
_BOOSTERS = ("lightgbm", "xgboost", "catboost")


def main(**inherited: int) -> int:
    """Open the model, and answer connections until the parent ends.

    ``inherited`` replaces members of the request where this process is a fork of ``warm_server``.
    """
    with open(0, "rb", closefd=False) as file:
        request = json.loads(file.readline()) | inherited
        data = file.read()
    # Open, the file would keep its place in the function's /tmp.
    _redirect(0, os.devnull)
    end_with(request["parent"])
    control = socket.socket(fileno=request["control"])
    # A model's code may print: a record, or more than a pipe holds.
    _redirect(1, os.devnull)
    limits = _confine(request)
    model, report = _open_model(request, data)
    del data
    report["limits"] = limits
    if request["is_trusted"]:
        _redirect(2, os.devnull)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for the forks.
        gc.freeze()  # The forks share the model's memory as long as the collector doesn't write to it.
    while descriptors := socket.recv_fds(control, 1, 1)[1]:
        connection = Connection(descriptors[0])
        if not request["is_trusted"]:
            _serve(connection, model, report, 0)
            return 0
        opener = os.getpid()
        if os.fork() == 0:
            try:
                control.close()
                end_with(opener)
                if model is not None:
                    _warm_up(model, request)
                _serve(connection, model, report, request["score_limit_s"])
            finally:
                os._exit(0)
        connection.close()
    # Whoever could ask for a connection has ended.
    return 0


def _warm_up(model: Any, request: dict[str, Any]) -> None:
    """Score as requests will: a first score after a fork takes many times as long, and no request should wait."""
    records = request["probe_records"]
    # Processor time: beside the requests Lambda may stop this process for hours.
    signal.setitimer(signal.ITIMER_PROF, request["score_limit_s"])
    for batch in (records, records[:1], records[-1:]):
        if batch:
            model.late_probabilities(batch)
    signal.setitimer(signal.ITIMER_PROF, 0)


def _redirect(descriptor: int, path: str) -> None:
    file = os.open(path, os.O_RDWR)
    os.dup2(file, descriptor)
    os.close(file)


def end_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that happens (Linux: PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the kernel was told.
    if os.getppid() != parent:
        sys.exit("The process that asked for the model has ended.")


def _confine(request: dict[str, Any]) -> list[str]:
    from model_artifact.opening import confinement

    if not request["is_trusted"]:
        return confinement.confine_untrusted(math.ceil(max(request["time_limit_s"], request["score_limit_s"])))
    confinement.confine_trusted(request["memory_limit_mib"])
    return []


def _open_model(request: dict[str, Any], data: bytes) -> tuple[Any, dict[str, Any]]:
    """Return the model and its report; None and the reason if it can't serve."""
    from model_artifact.errors import ArtifactError
    from model_artifact.opening.booster_files import library_of, open_booster
    from model_artifact.opening.load import check_names, open_pickle
    from model_artifact.opening.recalibration import OpenModel
    from model_artifact.pipeline import check_pipeline

    library = library_of(data)
    try:
        if not request["is_trusted"]:
            packages = {library} if library else check_names(data) if request["is_name_checked"] else None
            _forbid_effects(packages)
        model = open_booster(data) if library else open_pickle(data)
        check_pipeline(model)
        report = _describe(model, request)
        if library and report.get("why_no_serving_form"):
            return None, {"refused": _why_not_arrays(library, report["why_no_serving_form"])}
        return OpenModel(model), report
    except ArtifactError as error:
        return None, {"refused": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a foreign model does with a record
        return None, {
            "refused": f"The model can't score the probe records, some of which have gaps or an unseen label "
            f"({type(error).__name__}: {error}). Let the pipeline impute what is missing and ignore unknown labels."
        }


def _why_not_arrays(library: str, why: str) -> str:
    return (
        f"A booster's file is served as arrays only, and this one has none: {why}. Pickle the fitted {library} model "
        "with joblib.dump."
    )


def _describe(model: Any, request: dict[str, Any]) -> dict[str, Any]:
    from model_artifact.features import frame_from_records
    from model_artifact.libraries import running_environment
    from model_artifact.model_columns import input_columns
    from model_artifact.pipeline import find_categories, find_threshold, late_probabilities
    from model_artifact.serving_form.parity import compile_verified

    records = request["probe_records"]
    probabilities = late_probabilities(model, frame_from_records(records)).tolist() if records else []
    peak_mib, limit_mib = _peak_mib(), request["peak_limit_mib"]
    if limit_mib and peak_mib > limit_mib:
        return {
            "refused": f"Loading the model and scoring the probe records took {peak_mib:,} MiB of memory at its peak, "
            f"more than the {limit_mib:,} MiB that the function has for it. Train a smaller model."
        }
    form = compile_verified(model, records) if records and not request["is_trusted"] else None
    labels = form.labels if form else None
    # A compiled model's labels are known wherever its encoders are.
    categories = {name: known for name, known in labels.items() if known} if labels else find_categories(model)
    return {
        "environment": running_environment(),
        "classes": [int(label) for label in model.classes_],
        "columns": input_columns(model),
        "probe_probabilities": probabilities,
        "categories": {} if request["is_trusted"] else categories,
        "threshold": find_threshold(model),
        "peak_mib": peak_mib,
        "serving_form": base64.b64encode(form.body).decode() if form and form.body else None,
        "why_no_serving_form": form.why_not if form else None,
    }


def _serve(connection: Connection, model: Any, report: dict[str, Any], score_limit_s: int) -> None:
    """Send the report, then score until the other side closes the connection."""
    connection.send_bytes(json.dumps({**report, "pid": os.getpid()}).encode())
    while model is not None:
        try:
            # From the parent, which this process trusts; never the other way round.
            method, argument = pickle.loads(connection.recv_bytes())  # noqa: S301
        except EOFError:
            return
        # The kernel ends a process that takes longer.
        signal.alarm(score_limit_s)
        connection.send_bytes(_answer(getattr(model, method), argument))
        signal.alarm(0)


def _answer(method: Any, argument: Any) -> bytes:
    """Return the probabilities as float64, or a pickle, after a plus sign; or an error as JSON after a minus sign."""
    import numpy as np

    from model_artifact.errors import NonFiniteOutputError

    try:
        answer = method(argument)
        return b"+" + (answer if isinstance(answer, bytes) else np.asarray(answer, dtype=np.float64).tobytes())
    except NonFiniteOutputError as error:
        return b"-" + json.dumps({"rows": error.rows, "of": error.of}).encode()
    except Exception as error:  # noqa: BLE001 - whatever a foreign model does with a record
        # The type alone: the message may quote a borrower's value.
        return b"-" + json.dumps({"type": type(error).__name__}).encode()


def _peak_mib() -> int:
    """Return the most memory that this process has had, 0 where the system does not tell."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        # Not getrusage where this is: there a process starts with the peak of the one that started it.
        lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) >> 10
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak >> 20 if sys.platform == "darwin" else peak >> 10)
    return 0


def _forbid_effects(packages: set[str] | None) -> None:
    """Refuse what a model never does, by an audit hook (PEP 578), which can't be removed again.

    ``packages`` are those that the pickle asks for; None if its names weren't checked.
    """
    # Everything that only a first import or a first prediction does, while it is still allowed.
    import sklearn.utils.parallel  # noqa: F401

    from model_artifact.opening.scan import is_allowed

    boosters = (packages or set()).intersection(_BOOSTERS)
    for package in boosters:
        with contextlib.suppress(ImportError):
            __import__(package)
    may_call_libraries = packages is None or bool(boosters)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            is_forbidden = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
        elif event == "pickle.find_class":
            is_forbidden = packages is not None and not is_allowed(*arguments)
        elif event.startswith("ctypes."):
            is_forbidden = not may_call_libraries
        else:
            is_forbidden = event.startswith(_FORBIDDEN_EVENTS)
        if is_forbidden:
            raise PermissionError(f"a model may not do this: {event}")

    sys.addaudithook(refuse)


if __name__ == "__main__":
    sys.exit(main())
