"""The child process that inspects a candidate's pickle: ``python -m model_artifact.opening.child PARENT``.

It reads a line of JSON and the pickle from standard input. It loads the pickle through the allow-list, checks that it
can serve, scores the probe records, compiles a serving form and proves it equal, and answers in JSON. Meanwhile it may
not write, start programs or open connections (an audit hook, PEP 578), and has limits where the system knows them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

MEMORY_LIMIT_BYTES = 4 << 30

# prctl(2)
_PR_SET_PDEATHSIG = 1

# Python's audit events (docs: "Audit events table") that no loading or scoring of a model raises.
_FORBIDDEN_EVENTS = (
    "ctypes.",
    "ftplib.",
    "http.client.",
    "os.chmod",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.startfile",
    "os.symlink",
    "os.system",
    "os.truncate",
    "pty.spawn",
    "shutil.",
    "smtplib.",
    "socket.",
    "subprocess.Popen",
    "urllib.Request",
)


def main(parent: int) -> int:
    """Answer as one JSON object on what was standard output; anything printed meanwhile goes to standard error."""
    _end_with(parent)
    answer_file = os.dup(1)
    os.dup2(2, 1)
    answer = _look()
    # No file object: opening one to write is among what is forbidden by now.
    left = memoryview(json.dumps(answer).encode())
    while left:
        left = left[os.write(answer_file, left) :]
    return 0


def _end_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that happens (Linux: PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the kernel was told.
    if os.getppid() != parent:
        sys.exit("The process that asked for the inspection has ended.")


def _look() -> dict[str, Any]:
    from model_artifact.errors import ArtifactError
    from model_artifact.features import frame_from_records
    from model_artifact.libraries import running_environment
    from model_artifact.opening.allow_list import DEFAULT
    from model_artifact.opening.load import load_pipeline
    from model_artifact.pipeline import check_pipeline, find_categories, late_probabilities
    from model_artifact.serving_form.parity import compile_verified

    request = json.loads(sys.stdin.buffer.readline())
    data = sys.stdin.buffer.read()
    probes = frame_from_records(request["probe_records"])
    environment = running_environment()
    _lock_down()
    try:
        started = time.perf_counter()
        pipeline = load_pipeline(data, DEFAULT.with_names(request["allowed_names"]))
        check_pipeline(pipeline)
        probabilities = late_probabilities(pipeline, probes).tolist() if len(probes) else []
        load_and_score_s = time.perf_counter() - started
        peak_mib = _peak_mib()
        if peak_mib > request["peak_limit_mib"]:
            return {"refused": _too_large(peak_mib, request["peak_limit_mib"])}
        categories = find_categories(pipeline)
        form = compile_verified(pipeline, request["probe_records"]) if len(probes) else None
    except ArtifactError as error:
        return {"refused": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a foreign model does with a record
        return {
            "refused": f"The model can't score the probe records, some of which have gaps or an unseen label "
            f"({type(error).__name__}: {error}). Let the pipeline impute what is missing and ignore unknown labels."
        }
    return {
        "environment": environment,
        "classes": [int(label) for label in pipeline.classes_],
        "probe_probabilities": probabilities,
        "categories": categories,
        "peak_mib": peak_mib,
        "load_and_score_s": round(load_and_score_s, 3),
        "serving_form": base64.b64encode(form.body).decode() if form and form.body else None,
        "why_no_serving_form": form.why_not if form else None,
    }


def _too_large(peak_mib: int, limit_mib: int) -> str:
    return (
        f"Loading the model and scoring the probe records took {peak_mib:,} MiB of memory at its peak, "
        f"more than the {limit_mib:,} MiB that the function has for it. Train a smaller model."
    )


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


def _lock_down() -> None:
    with contextlib.suppress(ImportError):
        import resource

        limits = (
            (resource.RLIMIT_AS, MEMORY_LIMIT_BYTES),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
        )
        for limit, value in limits:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(limit, (value, value))
    sys.addaudithook(_refuse_effects)


def _refuse_effects(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        is_forbidden = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    else:
        is_forbidden = event.startswith(_FORBIDDEN_EVENTS)
    if is_forbidden:
        raise PermissionError(f"a model may not do this: {event}")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
