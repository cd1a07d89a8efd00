"""A model in a process of its own: it can crash, hang or leak without harm to the process that asks it.

The process is ``child``. Publishing opens a candidate in it under limits (``inspection``); the function scores with it
where a version has no arrays. To whoever holds it, it is a fitted classifier on the ten columns.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypedDict

from model_artifact.errors import ModelProcessError, NonFiniteOutputError, UnsuitableModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model_artifact.loading import Columns, Record

# How long a model may take from the start of its process until it has scored the probe records.
TIME_LIMIT_S = 120.0


class Request(TypedDict):
    """What the process is told before the pickle."""

    parent: int
    listener: int
    is_trusted: bool
    is_name_checked: bool
    probe_records: list[dict[str, Any]]
    time_limit_s: float
    score_limit_s: int
    peak_limit_mib: int


class ModelProcess:
    """A process that opens a pickle and scores with it. It starts at once; ``wait`` or a first score waits for it.

    Parameters
    ----------
    pickle : bytes
        The model.
    is_trusted : bool
        Whether somebody vouches for the pickle: a trusted publisher signed it. Otherwise the process is limited.
    is_name_checked : bool
        Whether a pickle without trust is refused for names outside the packages that models are made of.
    probe_records : sequence of mappings
        Records to score first.
    time_limit_s : float
        Seconds until the report, the process's start included.
    score_limit_s : int, optional
        Seconds for scoring once; ``time_limit_s`` by default.
    peak_limit_mib : int
        The most memory that the model may take until then; 0 for no limit.

    Attributes
    ----------
    feature_names_in_, classes_
        As scikit-learn's estimators have them; set by ``wait``.
    """

    feature_names_in_: list[str]
    classes_: list[int]

    def __init__(
        self,
        pickle: bytes,
        *,
        is_trusted: bool = False,
        is_name_checked: bool = True,
        probe_records: Sequence[Mapping[str, Any]] = (),
        time_limit_s: float = TIME_LIMIT_S,
        score_limit_s: int | None = None,
        peak_limit_mib: int = 0,
    ) -> None:
        self._folder = tempfile.mkdtemp(prefix="model-")
        self._address = f"{self._folder}/socket"
        self._deadline_s = time.monotonic() + time_limit_s
        self._time_limit_s = time_limit_s
        self._score_limit_s = score_limit_s or math.ceil(time_limit_s)
        self._connection: Connection | None = None
        self._connected_by = 0
        self._report: dict[str, Any] | None = None
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen()
            request = Request(
                parent=os.getpid(),
                listener=listener.fileno(),
                is_trusted=is_trusted,
                is_name_checked=is_name_checked,
                probe_records=[dict(record) for record in probe_records],
                time_limit_s=time_limit_s,
                score_limit_s=self._score_limit_s,
                peak_limit_mib=peak_limit_mib,
            )
            self._process = _start(request, pickle, self._folder)
        self.close = weakref.finalize(self, _end, self._process, self._folder, os.getpid())
        if not is_trusted:
            # It takes this one connection, which waits in the listener's queue. Nothing is left even after a SIGKILL.
            self._connect()
            shutil.rmtree(self._folder)

    def __enter__(self) -> ModelProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The number of the process that scores for this connection."""
        return int(self.wait()["pid"])

    def is_ready(self) -> bool:
        """Return whether ``wait`` would return or raise at once."""
        return self._report is not None or time.monotonic() >= self._deadline_s or self._connect().poll(0)

    def wait(self) -> dict[str, Any]:
        """Return the process's report of the model.

        Raises
        ------
        UnsuitableModelError
            If the model can't serve; the message says why.
        ModelProcessError
            If the process ended, or took longer than its limit.
        """
        if self._report is None:
            connection = self._connect()
            if not connection.poll(max(self._deadline_s - time.monotonic(), 0)):
                self.close()
                raise ModelProcessError(
                    f"The pickle was not loaded and scored within {self._time_limit_s:g} s. "
                    "Load it in a fresh Python and score a record to see what takes so long."
                )
            self._report = self._receive_report(connection)
        if "refused" in self._report:
            self.close()
            raise UnsuitableModelError(self._report["refused"])
        self.feature_names_in_ = self._report["columns"]
        self.classes_ = self._report["classes"]
        return self._report

    def late_probabilities(self, records: Sequence[Record]) -> list[float]:
        """See ``loading.BatchScorer``."""
        probabilities: list[float] = self._score("late_probabilities", list(records), len(records)).tolist()
        return probabilities

    def late_probabilities_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """See ``loading.BatchScorer``."""
        rows = len(next(iter(columns.values())))
        return self._score("late_probabilities_of_columns", dict(columns), rows)

    def predict_proba(self, frame: Any) -> NDArray[np.float64]:
        """Return the probabilities of on time and late, an array of shape (n_rows, 2)."""
        import numpy as np

        from model_artifact.features import columns_of

        late = self.late_probabilities_of_columns(columns_of(frame))
        order = [1 - late, late] if self.classes_ == [0, 1] else [late, 1 - late]
        return np.column_stack(order)

    def _score(self, method: str, argument: object, rows: int) -> NDArray[np.float64]:
        import numpy as np

        self.wait()
        connection = self._connect()
        try:
            connection.send_bytes(pickle.dumps((method, argument), protocol=5))
            is_answered = connection.poll(self._score_limit_s)
            answer = connection.recv_bytes(rows * 8 + 1024) if is_answered else b""
        except (EOFError, OSError) as error:
            self._disconnect()
            raise ModelProcessError(f"The model's process ended while it scored {rows:,} records.") from error
        if not answer:
            self._disconnect()
            raise ModelProcessError(f"The model took more than {self._score_limit_s} s to score {rows:,} records.")
        if answer[:1] == b"-":
            raise _error_of(json.loads(answer[1:]))
        late = np.frombuffer(answer, dtype=np.float64, offset=1)
        if len(late) != rows:
            raise ModelProcessError(f"The model's process gave {len(late):,} probabilities for {rows:,} records.")
        return late

    def _connect(self) -> Connection:
        """Return this process's own connection. A fork of the process that made one makes another."""
        if self._connection is None or self._connected_by != os.getpid():
            is_first = self._connection is None and self._report is None
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(self._address)
            except OSError as error:
                client.close()
                raise ModelProcessError(f"The model's process has ended{self._last_words()}.") from error
            self._connection, self._connected_by = Connection(client.detach()), os.getpid()
            if not is_first:
                self._report = self._receive_report(self._connection)
        return self._connection

    def _receive_report(self, connection: Connection) -> dict[str, Any]:
        try:
            report: dict[str, Any] = json.loads(connection.recv_bytes())
        except (EOFError, OSError, ValueError):
            self._disconnect()
            raise ModelProcessError(
                f"The pickle ended the process that opened it{self._last_words()}. "
                "Load it in a fresh Python and score a record to see why."
            ) from None
        return report

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._report is not None:
            with contextlib.suppress(OSError):
                os.kill(self._report["pid"], signal.SIGKILL)

    def _last_words(self) -> str:
        if self._process.stderr is None:
            return ""
        status = self._process.wait()
        lines = self._process.stderr.read().decode("utf-8", "replace").strip().splitlines()
        return f" ({_how_it_ended(status)}; {(lines or ['no message'])[-1][:200]})"


def _start(request: Request, pickle: bytes, folder: str) -> subprocess.Popen[bytes]:
    # A file without a name: however this process ends, nothing is left of it.
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(request).encode() + b"\n" + pickle)
        file.seek(0)
        # -B: the process may not write, not even compiled modules. -P: nothing is imported from the current folder.
        return subprocess.Popen(
            [sys.executable, "-B", "-P", "-W", "ignore", "-m", "model_artifact.opening.child"],
            cwd=folder,
            env=_environment(),
            stdin=file,
            stdout=subprocess.DEVNULL,
            # A function's errors belong into its log.
            stderr=None if request["is_trusted"] else subprocess.PIPE,
            pass_fds=(request["listener"],),
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """Return the variables that the process needs: no credentials, no proxies."""
    packages = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(dict.fromkeys(packages)), "PYTHONUTF8": "1"}


def _end(process: subprocess.Popen[bytes], folder: str, owner: int) -> None:
    """End the process and whatever it started; it leads a session of its own. A fork of the owner ends nothing."""
    if os.getpid() != owner:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # Reaps the process and closes its pipe.
    process.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def _error_of(answer: dict[str, Any]) -> Exception:
    if "rows" in answer:
        return NonFiniteOutputError(answer["rows"], answer["of"])
    return UnsuitableModelError(f"The model can't score these records ({answer['type']}).")


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
