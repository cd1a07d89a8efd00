"""Looking at a candidate's pickle in a child process before it is published.

The allow-list keeps a pickle from running anything; the child is there for what is left: a pickle that never ends, eats
the memory, or crashes an extension. It gets no credentials and is ended with all that it started. What it does is in
``inspection_child``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from model_artifact.opening.allow_list import DEFAULT, AllowList
from model_registry.candidate import Inspection
from model_registry.errors import CandidateRefusedError

TIMEOUT_S = 120.0

# The function has 1,769 MiB, and holds the model in charge while it loads the next one.
PEAK_LIMIT_MIB = 1000


def inspect_in_child(
    pickle: bytes,
    probe_records: Sequence[Mapping[str, Any]],
    *,
    timeout_s: float = TIMEOUT_S,
    allow_list: AllowList = DEFAULT,
    peak_limit_mib: int = PEAK_LIMIT_MIB,
) -> Inspection:
    """Load a candidate's pickle in a child process, check that it can serve, and score the probe records.

    Parameters
    ----------
    pickle : bytes
        The candidate.
    probe_records : sequence of mappings
        Records to score; they should hold gaps and an unseen label, as requests will.
    timeout_s : float
        How long the child may take, its start included.
    allow_list : AllowList
        What the pickle may ask for: the same list that the server will load it with.
    peak_limit_mib : int
        How much memory a process may have taken at its peak when it has loaded the model and scored the records.

    Returns
    -------
    Inspection
        The running libraries, the classes, a probability for each probe record, and a serving form if there is one.

    Raises
    ------
    CandidateRefusedError
        If it could not be served; the message says why, and what to do.
    """
    answer = _ask_child(pickle, probe_records, timeout_s, allow_list, peak_limit_mib)
    return Inspection(
        environment=answer["environment"],
        classes=tuple(answer["classes"]),
        probe_probabilities=tuple(answer["probe_probabilities"]),
        serving_form=base64.b64decode(answer["serving_form"]) if answer["serving_form"] else None,
        why_no_serving_form=answer["why_no_serving_form"],
    )


def find_categories_in_child(
    pickle: bytes, *, timeout_s: float = TIMEOUT_S, allow_list: AllowList = DEFAULT
) -> dict[str, tuple[str, ...]]:
    """Return the labels that a pickle's encoders know, by column; raises as ``inspect_in_child`` does."""
    answer = _ask_child(pickle, (), timeout_s, allow_list)
    return {name: tuple(labels) for name, labels in answer["categories"].items()}


def _ask_child(
    pickle: bytes,
    probe_records: Sequence[Mapping[str, Any]],
    timeout_s: float,
    allow_list: AllowList,
    peak_limit_mib: int = PEAK_LIMIT_MIB,
) -> dict[str, Any]:
    request = {
        "probe_records": [dict(record) for record in probe_records],
        "allowed_names": sorted(allow_list.added),
        "peak_limit_mib": peak_limit_mib,
    }
    # A file without a name: however this process ends, nothing is left of it.
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(request).encode() + b"\n" + pickle)
        file.seek(0)
        output, errors, status = _run_child(file, timeout_s)
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError:
        last_line = (errors.strip().splitlines() or ["no message"])[-1]
        raise CandidateRefusedError(
            f"The pickle ended the process that looked at it ({_how_it_ended(status)}; {last_line[:200]}). "
            "Load it in a fresh Python and score a record to see why."
        ) from None
    if "refused" in answer:
        raise CandidateRefusedError(answer["refused"])
    return answer


def _run_child(request: IO[bytes], timeout_s: float) -> tuple[str, str, int]:
    # -B: the child may not write, not even compiled modules. -P: nothing is imported from where the user stands.
    command = [sys.executable, "-B", "-P", "-m", "model_artifact.opening.child", str(os.getpid())]
    child = subprocess.Popen(
        command,
        cwd=os.sep,
        env=_child_environment(),
        stdin=request,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise CandidateRefusedError(
            f"The pickle was not loaded and scored within {timeout_s:g} s. "
            "Load it in a fresh Python and score a record to see what takes so long."
        ) from None
    finally:
        _end(child)
    return output, errors, child.returncode


def _child_environment() -> dict[str, str]:
    """Return what the child needs and nothing else: no credentials, no proxies."""
    packages = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "LD_LIBRARY_PATH") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(dict.fromkeys(packages)), "PYTHONUTF8": "1"}


def _end(child: subprocess.Popen[str]) -> None:
    """End the child and whatever it started; it leads a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        elif child.poll() is None:
            child.kill()
    # Reaps the child and closes its pipes.
    child.communicate()


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
