"""Functions' output and the platform's own lines, on their way to the emulator's stderr."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import queue
import threading
from collections.abc import Callable

_CHUNK_BYTES = 65_536
_FLUSH_AFTER_S = 0.02
_MAX_WAITING_BYTES = 16 << 20


class LogSink:
    """Writes what functions print, in order, without ever holding up an invocation.

    A thread does the writing: a terminal that is paused, or a pipe that nobody reads, must not stop requests.
    What waits for such a reader is bounded; beyond that, output is dropped and the loss is said.

    Parameters
    ----------
    descriptor : int
        Where to write; usually 2.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: list[bytes] = []
        self._flushing = False
        self._waiting_bytes = 0
        self._dropped_bytes = 0
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="function-logs", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Take output; call on the event loop."""
        self._pending.append(data)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_later(_FLUSH_AFTER_S, self._flush)

    def close(self) -> None:
        """Write what is left, waiting a moment for a slow reader."""
        self._flush()
        self._queue.put(None)
        self._thread.join(timeout=0.5)

    def _flush(self) -> None:
        self._flushing = False
        data = b"".join(self._pending)
        self._pending.clear()
        if self._waiting_bytes + len(data) > _MAX_WAITING_BYTES:
            self._dropped_bytes += len(data)
            return
        if self._dropped_bytes:
            data = f"[{self._dropped_bytes} bytes of functions' output dropped]\n".encode() + data
            self._dropped_bytes = 0
        if data:
            self._waiting_bytes += len(data)
            self._queue.put(data)

    def _write_all(self) -> None:
        while (data := self._queue.get()) is not None:
            view = memoryview(data)
            with contextlib.suppress(OSError):
                while view:
                    view = view[os.write(self._descriptor, view) :]
            self._waiting_bytes -= len(data)


class LogPipe:
    """The pipe that is a process's stdout and stderr; whole lines of it go to a sink."""

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        self._read, self.write_fd = os.pipe()
        os.set_blocking(self._read, False)
        self._rest = b""
        self._open = True
        asyncio.get_running_loop().add_reader(self._read, self.drain)

    def close_write_end(self) -> None:
        """Close the emulator's copy of the end that the process writes to."""
        os.close(self.write_fd)

    def drain(self) -> None:
        """Pass on what has been printed so far. Cheap where that is nothing."""
        while self._open:
            try:
                data = os.read(self._read, _CHUNK_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.finish()
                return
            lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
            if newline:
                self._write(lines + newline)
            elif len(self._rest) > _CHUNK_BYTES:
                self._write(self._rest + b"\n")
                self._rest = b""
            if len(data) < _CHUNK_BYTES:
                return

    def finish(self) -> None:
        """Pass on the rest and close the pipe."""
        if not self._open:
            return
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._read, _CHUNK_BYTES):
                self._rest += data
        self._open = False
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
        if self._rest:
            self._write(self._rest + (b"" if self._rest.endswith(b"\n") else b"\n"))

    def _write(self, data: bytes) -> None:
        # The runtime client ends the lines of a stack trace with \r, which CloudWatch shows as line ends.
        self._sink.write(data.replace(b"\r", b"\n"))


class PlatformLog:
    """Lambda's own lines about one function, in the format that the function asks for.

    Parameters
    ----------
    sink : LogSink
        Where they go.
    log_format : str
        ``Text`` or ``JSON``.
    version : str
        For the START line.
    memory_mb : int
        For the REPORT line.
    now : callable
        The time in UTC, for JSON.
    """

    def __init__(
        self, sink: LogSink, log_format: str, version: str, memory_mb: int, now: Callable[[], dt.datetime]
    ) -> None:
        self._sink = sink
        self._is_json = log_format == "JSON"
        self._version = version
        self._memory_mb = memory_mb
        self._now = now

    def started(self, request_id: str) -> None:
        """Write START."""
        if self._is_json:
            self._event("platform.start", {"requestId": request_id, "version": self._version})
        else:
            self._sink.write(f"START RequestId: {request_id} Version: {self._version}\n".encode())

    def ended(
        self, request_id: str, duration_ms: float, peak_memory_mb: int | None, init_ms: float | None, status: str
    ) -> None:
        """Write END and REPORT. `status` is ``success``, ``error`` or ``timeout``; `init_ms` is for a first call."""
        metrics: dict[str, float] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": -int(-duration_ms // 1),
            "memorySizeMB": self._memory_mb,
        }
        if peak_memory_mb is not None:
            metrics["maxMemoryUsedMB"] = peak_memory_mb
        if init_ms is not None:
            metrics["initDurationMs"] = round(init_ms, 3)
        if self._is_json:
            self._event("platform.report", {"requestId": request_id, "metrics": metrics, "status": status})
            return
        report = (
            f"END RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {metrics['billedDurationMs']} ms\tMemory Size: {self._memory_mb} MB\t"
        )
        if peak_memory_mb is not None:
            report += f"Max Memory Used: {peak_memory_mb} MB\t"
        if init_ms is not None:
            report += f"Init Duration: {init_ms:.2f} ms\t"
        if status != "success":
            report += f"Status: {status}"
        self._sink.write(report.encode() + b"\n")

    def init_failed(self, duration_ms: float, status: str, phase: str = "init") -> None:
        """Write that initialising did not succeed."""
        if self._is_json:
            metrics = {"durationMs": round(duration_ms, 3)}
            record: dict[str, object] = {
                "initializationType": "on-demand",
                "phase": phase,
                "status": status,
                "metrics": metrics,
            }
            self._event("platform.initReport", record)
        else:
            line = f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\tStatus: {status}\n"
            self._sink.write(line.encode())

    def note(self, text: str) -> None:
        """Write something of the emulator's own about the function."""
        self._sink.write(f"emulator: {text}\n".encode())

    def _event(self, kind: str, record: dict[str, object]) -> None:
        time = self._now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        self._sink.write(json.dumps({"time": time, "type": kind, "record": record}).encode() + b"\n")
