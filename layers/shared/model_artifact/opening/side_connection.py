"""A further connection to a model's process, for scores that nobody may wait for.

It has a fork of its own: whatever happens to it, the connection that answers requests (``ModelProcess``) goes on. A
call ends within the time that it is given. A score that takes longer goes on beside the caller, and its answer is
dropped when it comes.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

from model_artifact.errors import ModelProcessError
from model_artifact.opening.model_process import ModelProcess, longest_answer, read_answer

# As multiprocessing.Connection writes a message: its length, and its bytes.
_LENGTH = struct.Struct("!i")
# A report of a trusted model has a few kilobytes.
_MAX_REPORT_BYTES = 1 << 20


class SideConnection:
    """A connection to the process of a model that a trusted publisher signed.

    A fork that can't score ``opening_s`` after it was asked for, or hasn't answered after ``patience_s``, is ended by
    the next call, and another one made. ``fork_pid`` is the fork's number once it can score.
    """

    def __init__(self, process: ModelProcess, *, opening_s: float, patience_s: float) -> None:
        self._process = process
        self.opening_s = opening_s
        self.patience_s = patience_s
        self._socket: socket.socket | None = None
        self.fork_pid: int | None = None
        self._received = bytearray()
        self._longest = _MAX_REPORT_BYTES
        self._asked_s = 0.0
        self._is_owed = False

    @property
    def is_open(self) -> bool:
        """Whether there is a fork that can score."""
        return self.fork_pid is not None

    def late_probabilities(self, records: Sequence[Mapping[str, Any]], within_s: float) -> list[float] | None:
        """Return P(is_late = 1) of each record; None if the fork isn't open yet, or busy, or takes longer.

        Only a fork that ``is_free`` is waited for. Raises ``ModelProcessError`` if the process or the fork ended
        meanwhile, and what the model raised.
        """
        until_s = time.monotonic() + within_s
        if not self.is_free():
            return None
        message = pickle.dumps(("late_probabilities", list(records)), protocol=5)
        answer = self._ask(message, longest_answer(len(records)), until_s)
        return None if answer is None else read_answer(answer, len(records)).tolist()

    def close(self) -> None:
        """End the connection and its fork."""
        if self._socket is not None:
            self._socket.close()
        if self.fork_pid is not None and self.fork_pid > 1:
            with contextlib.suppress(OSError):
                os.kill(self.fork_pid, signal.SIGKILL)
        self._socket, self.fork_pid, self._is_owed = None, None, False
        self._received.clear()

    def is_free(self) -> bool:
        """Return whether the fork can score now: it has sent all that it was asked for.

        Without a connection, begin one. Raises ``ModelProcessError`` if the process ended.
        """
        if self._socket is None:
            self._socket = self._process.open_connection()
            self._await(_MAX_REPORT_BYTES)
        if not self._is_owed:
            return True
        try:
            message = self._receive(time.monotonic())
            if message is not None and self.fork_pid is None:
                self.fork_pid = _pid_of(message)
        except ModelProcessError:
            is_open = self.is_open
            self.close()
            if is_open:
                # It took too long for an earlier call, which has said so.
                return False
            raise
        if message is None:
            if time.monotonic() - self._asked_s > (self.patience_s if self.is_open else self.opening_s):
                self.close()
            return False
        return True

    def _ask(self, message: bytes, longest: int, until_s: float) -> bytes | None:
        assert self._socket is not None
        try:
            self._socket.settimeout(max(until_s - time.monotonic(), 0.0))
            self._socket.sendall(_LENGTH.pack(len(message)) + message)
        except (TimeoutError, BlockingIOError):
            # Half a message was sent.
            self.close()
            return None
        except OSError as error:
            self.close()
            raise ModelProcessError("The model's process ended before it scored.") from error
        self._await(longest)
        try:
            return self._receive(until_s)
        except ModelProcessError:
            self.close()
            raise

    def _await(self, longest: int) -> None:
        self._asked_s, self._longest, self._is_owed = time.monotonic(), longest, True

    def _receive(self, until_s: float) -> bytes | None:
        """Return the next message if it is whole by then; what has come of it is kept for the next call."""
        assert self._socket is not None
        while True:
            if len(self._received) >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._received)
                if not 0 <= length <= self._longest:
                    raise ModelProcessError("The model's process gave an answer that can't be read.")
                if len(self._received) >= _LENGTH.size + length:
                    message = bytes(self._received[_LENGTH.size : _LENGTH.size + length])
                    self._received.clear()
                    self._is_owed = False
                    return message
            self._socket.settimeout(max(until_s - time.monotonic(), 0.0))
            try:
                chunk = self._socket.recv(1 << 16)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise ModelProcessError("The model's process ended while it scored.") from error
            if not chunk:
                raise ModelProcessError("The model's process ended while it scored.")
            self._received += chunk


def _pid_of(report: bytes) -> int:
    try:
        return int(json.loads(report)["pid"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ModelProcessError("The model's process gave a report that can't be read.") from None
