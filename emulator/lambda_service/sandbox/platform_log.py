"""Writes Lambda's own log lines about a function (INIT_START, START, END, REPORT …), as text or as JSON.

Source: "Monitoring Lambda functions" and "Lambda execution environment lifecycle" in the developer guide for the text,
"Lambda Telemetry API Event schema reference" for the JSON. The runtime's version is this interpreter's.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import platform
from collections.abc import Callable
from typing import Any, NamedTuple

from emulator.lambda_service.invocation import InitFailure
from emulator.lambda_service.sandbox.logs import LogOutput, LogTail
from emulator.text_formats import in_milliseconds

_RUNTIME = f"python:{platform.python_version()}"
_IN_TEXT = {
    "durationMs": "Duration: {:.2f} ms\t",
    "billedDurationMs": "Billed Duration: {} ms\t",
    "memorySizeMB": "Memory Size: {} MB\t",
    "maxMemoryUsedMB": "Max Memory Used: {} MB\t",
    "initDurationMs": "Init Duration: {:.2f} ms\t",
    "restoreDurationMs": "Restore Duration: {:.2f} ms\t",
    "billedRestoreDurationMs": "Billed Restore Duration: {} ms\t",
}


class _Outcome(NamedTuple):
    """How something ended; `error_type` is the platform's name for an error, if it has one."""

    status: str
    error_type: str | None

    @classmethod
    def of(cls, failure: InitFailure | None) -> _Outcome:
        return cls("success", None) if failure is None else cls(failure.status, failure.logged_type)

    def record(self) -> dict[str, Any]:
        return {"status": self.status} | ({"errorType": self.error_type} if self.error_type else {})

    def text(self) -> str:
        return f"Status: {self.status}" + (f"\tError Type: {self.error_type}" if self.error_type else "")


class PlatformLog:
    """The lines in one log stream of a version; `now` returns the time in UTC."""

    def __init__(
        self, sink: LogOutput, log_format: str, version: str, memory_mb: int, now: Callable[[], dt.datetime]
    ) -> None:
        self._sink = sink
        self._is_json = log_format == "JSON"
        self._version = version
        self._memory_mb = memory_mb
        self._now = now

    def init_started(self, kind: str, phase: str) -> None:
        """Write INIT_START. `kind` is the type of initialisation; `phase` is ``init`` or ``invoke``."""
        record = {"initializationType": kind, "phase": phase, "runtimeVersion": _RUNTIME}
        self._event("platform.initStart", record, f"INIT_START Runtime Version: {_RUNTIME}")

    def init_ended(self, kind: str, phase: str, duration_ms: float, failure: InitFailure | None) -> None:
        """Write INIT_REPORT, as Lambda does for failures, snapshots and provisioned environments."""
        record = {"initializationType": kind, "phase": phase, "metrics": {"durationMs": round(duration_ms, 3)}}
        line = f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\t"
        outcome = _Outcome.of(failure)
        self._event("platform.initReport", record | outcome.record(), line + outcome.text())

    def restore_started(self) -> None:
        """Write RESTORE_START."""
        record = {"runtimeVersion": _RUNTIME}
        self._event("platform.restoreStart", record, f"RESTORE_START Runtime Version: {_RUNTIME}")

    def restore_ended(self, duration_ms: float, failure: InitFailure | None) -> None:
        """Write RESTORE_REPORT."""
        outcome = _Outcome.of(failure)
        line = f"RESTORE_REPORT Restore Duration: {duration_ms:.2f} ms"
        line += "" if failure is None else f"\t{outcome.text()}"
        record = {"metrics": {"durationMs": round(duration_ms, 3)}} | outcome.record()
        self._event("platform.restoreReport", record, line)

    def started(self, request_id: str, tail: LogTail | None = None) -> None:
        """Write START."""
        record = {"requestId": request_id, "version": self._version}
        self._event("platform.start", record, f"START RequestId: {request_id} Version: {self._version}", tail)

    def ended(
        self,
        request_id: str,
        duration_ms: float,
        peak_memory_mb: int | None,
        *,
        init_ms: float | None = None,
        restore_ms: float | None = None,
        status: str = "success",
        error_type: str | None = None,
        tail: LogTail | None = None,
    ) -> None:
        """Write END and REPORT, to a tail as well.

        The first invocation after an initialisation or a restore reports its duration. `status` is ``success``,
        ``error`` or ``timeout``; `error_type` is the platform's name for the error, if it has one.
        """
        metrics: dict[str, float | None] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": math.ceil(duration_ms),
            "memorySizeMB": self._memory_mb,
            "maxMemoryUsedMB": peak_memory_mb,
            "initDurationMs": None if init_ms is None else round(init_ms, 3),
            "restoreDurationMs": None if restore_ms is None else round(restore_ms, 3),
            "billedRestoreDurationMs": None if restore_ms is None else math.ceil(restore_ms),
        }
        present = {name: value for name, value in metrics.items() if value is not None}
        outcome = _Outcome(status, error_type)
        report = f"END RequestId: {request_id}\nREPORT RequestId: {request_id}\t"
        report += "".join(_IN_TEXT[name].format(value) for name, value in present.items())
        report += "" if status == "success" else outcome.text()
        record = {"requestId": request_id, "metrics": present} | outcome.record()
        self._event("platform.report", record, report, tail)

    def note(self, text: str) -> None:
        """Write a message of the emulator about the function."""
        self._line(f"emulator: {text}")

    def _event(self, kind: str, record: dict[str, Any], text: str, tail: LogTail | None = None) -> None:
        if self._is_json:
            text = json.dumps({"time": in_milliseconds(self._now()), "type": kind, "record": record})
        self._line(text, tail)

    def _line(self, line: str, tail: LogTail | None = None) -> None:
        data = line.encode() + b"\n"
        self._sink.write(data)
        if tail is not None:
            tail.write(data)


class EnvironmentLog(NamedTuple):
    """The log stream of one environment."""

    stream: str
    output: LogOutput
    platform: PlatformLog
