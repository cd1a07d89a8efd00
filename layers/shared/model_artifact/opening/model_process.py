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
import signal
import socket
import subprocess
import threading
import time
import weakref
from array import array
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any

from model_artifact.errors import ModelProcessError, NonFiniteOutputError, UnsuitableModelError
from model_artifact.opening.child_process import Request, Tail, end, how_it_ended, kill, start
from model_registry.stores.base import MAX_OBJECT_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model_artifact.loading import Columns, Record

# How long a model may take from the start of its process until it has scored the probe records.
TIME_LIMIT_S = 120.0
# A large form is a part of the report.
_MAX_REPORT_BYTES = 1 << 28
_REPORT_MEMBERS = frozenset({"pid", "limits", "environment", "classes", "columns", "probe_probabilities", "categories"})
_ENDING_LIMIT_S = 2.0
_PIECE_S = 1.0


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
    memory_limit_mib : int
        The memory that a trusted model's process gets at all; 0 for no limit. One without trust has 4 GiB.

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
        memory_limit_mib: int = 0,
    ) -> None:
        self._deadline_s = time.monotonic() + time_limit_s
        self._time_limit_s = time_limit_s
        self._score_limit_s = score_limit_s or math.ceil(time_limit_s)
        self._connection: Connection | None = None
        self._connected_by = 0
        self._report: dict[str, Any] | None = None
        # A connection is made by sending the process its end of it: no address, which others could use, and no file.
        self._control, control = socket.socketpair()
        with control:
            request = Request(
                parent=os.getpid(),
                control=control.fileno(),
                is_trusted=is_trusted,
                is_name_checked=is_name_checked,
                probe_records=[dict(record) for record in probe_records],
                time_limit_s=time_limit_s,
                score_limit_s=self._score_limit_s,
                peak_limit_mib=peak_limit_mib,
                memory_limit_mib=memory_limit_mib,
            )
            self._process = start(request, pickle)
        self._is_trusted = is_trusted
        self._stderr = Tail(self._process.stderr)
        if not is_trusted:
            self._stderr.start()
        self.close = weakref.finalize(self, end, self._process, self._control, os.getpid())
        # Not a method of this object, which would be kept as long as somebody waits.
        self.wait_for_end = self._process.wait

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

    def is_ready(self, within_s: float = 0.0) -> bool:
        """Return whether ``wait`` would return or raise at once, after waiting so many seconds for it."""
        return self._report is not None or time.monotonic() >= self._deadline_s or self._connect().poll(within_s)

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
            left_s = max(self._deadline_s - time.monotonic(), 0.0)
            try:
                self._report = self._receive_report(self._connect(), left_s)
            except ModelProcessError:
                self.close()
                raise
        if "refused" in self._report:
            self.close()
            raise UnsuitableModelError(self._report["refused"])
        self.feature_names_in_ = self._report["columns"]
        self.classes_ = self._report["classes"]
        return self._report

    def late_probabilities(self, records: Sequence[Record]) -> list[float]:
        """See ``loading.BatchScorer``."""
        # Without NumPy, which the function needn't import for this.
        return self._score("late_probabilities", list(records), len(records)).tolist()

    def late_probabilities_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """See ``loading.BatchScorer``."""
        import numpy as np

        rows = len(next(iter(columns.values())))
        return np.frombuffer(self._score("late_probabilities_of_columns", dict(columns), rows), dtype=np.float64)

    def predict_proba(self, frame: Any) -> NDArray[np.float64]:
        """Return the probabilities of on time and late, an array of shape (n_rows, 2)."""
        import numpy as np

        from model_artifact.features import columns_of

        late = self.late_probabilities_of_columns(columns_of(frame))
        order = [1 - late, late] if self.classes_ == [0, 1] else [late, 1 - late]
        return np.column_stack(order)

    def open_connection(self) -> socket.socket:
        """Return a new connection's end. Of a trusted model it gets a fork, which first sends the report.

        Raises ``ModelProcessError`` if the process has ended.
        """
        near, far = socket.socketpair()
        try:
            with far:
                socket.send_fds(self._control, [b"+"], [far.fileno()])
        except OSError as error:
            near.close()
            raise ModelProcessError(f"The model's process has ended{self._last_words()}.") from error
        return near

    def recalibrated(self, intercept: float, slope: float) -> bytes:
        """Return the pickle of the model with ``intercept + slope * log-odds`` for its log-odds; see ``recalibration``.

        Raises
        ------
        ModelProcessError
            If the process ended, or took longer than its limit.
        UnsuitableModelError
            If the model can't be pickled so.
        """
        answer = self._ask("recalibrated", (intercept, slope), MAX_OBJECT_BYTES, "recalibrate the model")
        if answer[:1] == b"-":
            raise _error_of(answer[1:])
        return answer[1:]

    def _score(self, method: str, argument: object, rows: int) -> array[float]:
        return read_answer(self._ask(method, argument, longest_answer(rows), f"score {rows:,} records"), rows)

    def _ask(self, method: str, argument: object, longest: int, what: str) -> bytes:
        self.wait()
        connection = self._connect()
        try:
            with self._ended_after(self._score_limit_s):
                connection.send_bytes(pickle.dumps((method, argument), protocol=5))
                is_answered = connection.poll(self._score_limit_s)
                answer = connection.recv_bytes(longest) if is_answered else b""
        except (EOFError, OSError) as error:
            self._disconnect()
            raise ModelProcessError(f"The model's process ended before it could {what}.") from error
        except BaseException:
            # An answer that nobody took would be taken for the next one's.
            self._disconnect()
            raise
        if not answer:
            self._disconnect()
            raise ModelProcessError(f"The model took more than {self._score_limit_s} s to {what}.")
        return answer

    def _connect(self) -> Connection:
        """Return this process's own connection. A fork of the process that made one makes another."""
        if self._connection is None or self._connected_by != os.getpid():
            is_first = self._connection is None and self._report is None
            near = self.open_connection()
            self._connection, self._connected_by = Connection(near.detach()), os.getpid()
            if not is_first:
                self._report = self._receive_report(self._connection, self._score_limit_s)
        return self._connection

    def _receive_report(self, connection: Connection, limit_s: float) -> dict[str, Any]:
        """Return the process's report. It comes from a foreign model: its size and its members are checked."""
        with self._ended_after(limit_s):
            if not comes_within(connection, limit_s):
                self._disconnect()
                raise ModelProcessError(
                    f"The pickle was not loaded and scored within {self._time_limit_s:g} s. "
                    "Load it in a fresh Python and score a record to see what takes so long."
                )
            try:
                report = json.loads(connection.recv_bytes(_MAX_REPORT_BYTES))
                if not isinstance(report, dict) or not ("refused" in report or report.keys() >= _REPORT_MEMBERS):
                    raise ValueError("it isn't a report")
            except (EOFError, OSError, ValueError, RecursionError):
                self._disconnect()
                raise ModelProcessError(
                    f"The pickle ended the process that opened it{self._last_words()}. "
                    "Load it in a fresh Python and score a record to see why."
                ) from None
        return report

    @contextlib.contextmanager
    def _ended_after(self, seconds: float) -> Iterator[None]:
        """End a process without trust after so many seconds: half a message of it would hold a receive up for ever.

        A little later, since whoever waits counts in pieces (`comes_within`), and names the limit where nothing came.
        """
        if self._is_trusted:
            yield
            return
        timer = threading.Timer(seconds + _ENDING_LIMIT_S, kill, (self._process,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if not self._is_trusted:
            # Its report may name any process as its own.
            kill(self._process)
        elif self._report is not None and self._report["pid"] > 1:
            with contextlib.suppress(OSError):
                os.kill(self._report["pid"], signal.SIGKILL)

    def _last_words(self) -> str:
        if self._is_trusted:
            return ""
        # It has ended, or closed its connection and goes on: then it is ended here.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_LIMIT_S)
        kill(self._process)
        self._stderr.join(_ENDING_LIMIT_S)
        lines = self._stderr.tail.decode("utf-8", "replace").strip().splitlines()
        return f" ({how_it_ended(self._process.wait())}; {(lines or ['no message'])[-1][:200]})"


def comes_within(connection: Connection, seconds: float) -> bool:
    """Return whether a message comes within so many seconds.

    Between requests Lambda stops this process and the model's alike. So the wait is cut into pieces, and a pause counts
    as the piece that it fell into.
    """
    while seconds > _PIECE_S:
        if connection.poll(_PIECE_S):
            return True
        seconds -= _PIECE_S
    return connection.poll(seconds)


def longest_answer(rows: int) -> int:
    """Return the most bytes of an answer about so many records."""
    return rows * 8 + 1024


def read_answer(answer: bytes, rows: int) -> array[float]:
    """Return the probabilities that the process answered for so many records, or raise the error that it answered."""
    if answer[:1] == b"-":
        raise _error_of(answer[1:])
    if len(answer) != 1 + rows * 8:
        raise ModelProcessError(f"The model's process gave other than {rows:,} probabilities.")
    return array("d", answer[1:])


def _error_of(answer: bytes) -> Exception:
    try:
        error = json.loads(answer)
        if "rows" in error:
            return NonFiniteOutputError(int(error["rows"]), int(error["of"]))
        return UnsuitableModelError(f"The model can't score these records ({str(error['type'])[:100]}).")
    except (ValueError, TypeError, KeyError, RecursionError):
        return ModelProcessError("The model's process gave an answer that can't be read.")
