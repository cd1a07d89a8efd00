"""Writes logs and metrics: one line a request, which is its log entry and its metrics at once.

The line is a document of CloudWatch's embedded metric format (``embedded_metrics``): CloudWatch makes metrics of the
values that its ``_aws`` member names, and keeps the whole line as a log entry. A prediction's line is also the record
by which the model is watched (``prediction_entry``). Health checks have no metrics and are logged only.

Invariants: of what a client sent, only the request id is logged (tests/contract/predict_api/test_privacy.py). So an
unexpected error is logged by its type and its place in the code; its message may quote a record. And no failure of a
line costs an answer (tests/contract/predict_api/test_prediction_log.py).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from aws_lambda_powertools import Logger
from pydantic_core import to_json

from model_artifact.loading import LoadedModel
from model_watch.embedded_metrics import EmbeddedMetrics
from model_watch.prediction_log import PREDICTION
from predict_api.http.exchange import Exchange
from predict_api.metrics import (
    ALIAS_LOOK_UP_FAILURES,
    ALIAS_STALENESS,
    COLD_START,
    LATENCY,
    MODEL_LOAD_FAILURES,
    MODEL_LOAD_TIME,
    PREDICTION_LOG_FAILURES,
    ROWS,
    SERVER_ERRORS,
)
from predict_api.models.back_off import Failures
from predict_api.models.clock import Clock
from predict_api.prediction_entry import PredictionEntries


@dataclass(eq=False)
class Telemetry:
    """Writes the logs and metrics of requests, and as a ``ModelObserver`` those of loading models.

    ``metrics`` is None if metrics are switched off. ``write`` writes one line to standard output. ``find_trace_id``
    returns the X-Ray trace's id of this invocation, if it has one. ``entries`` says what a prediction's line has
    besides those of other requests.
    """

    logger: Logger
    metrics: EmbeddedMetrics | None
    clock: Clock
    write: Callable[[str], None]
    find_trace_id: Callable[[], str | None]
    entries: PredictionEntries
    _is_cold: bool = field(default=True, init=False)

    def model_loaded(self, model: LoadedModel, duration_s: float) -> None:
        """See ``ModelObserver``."""
        manifest = model.manifest
        self.logger.info(
            "model loaded",
            extra={
                "kind": "model_loaded",
                "model_version": manifest.version,
                "model_form": model.form,
                "sha256": manifest.artifact.sha256,
                "duration_ms": _milliseconds(duration_s),
            },
        )
        self._emit({MODEL_LOAD_TIME: duration_s * 1000}, manifest.version)

    def model_refused(self, version: int, error: Exception, failures: Failures) -> None:
        """See ``ModelObserver``."""
        message = "model version not loaded; the versions in charge stay"
        self._log_failure(message, error, failures, kind="model_refused", model_version=version)
        self._emit({MODEL_LOAD_FAILURES: 1}, version)

    def alias_look_up_failed(self, error: Exception, failures: Failures) -> None:
        """See ``ModelObserver``."""
        self._log_failure("alias not read; the versions in charge stay", error, failures)
        self._emit({ALIAS_LOOK_UP_FAILURES: 1}, None)

    def not_ready(self, error: Exception) -> None:
        """Log that the function starts without a model; requests will try again."""
        self.logger.warning("no verified model at start", extra={"error": type(error).__name__})

    def unexpected_error(self, error: Exception, exchange: Exchange) -> None:
        """Log a bug, or a model that doesn't return probabilities."""
        self.logger.error(
            "unexpected error",
            extra={"request_id": exchange.request_id, "error": type(error).__name__, "raised_at": _frames(error)},
        )

    def request_finished(self, exchange: Exchange, status: int, staleness_s: float | None) -> None:
        """Write the line of a request. Whatever fails here, the request is answered."""
        is_cold, self._is_cold = self._is_cold, False
        try:
            fields = _fields(exchange, status, is_cold=is_cold)
            measured = _measured(exchange, status, staleness_s, fields["latency_ms"], is_cold=is_cold)
            if exchange.is_prediction:
                self.write(self._prediction_line(exchange, measured, fields))
            elif measured and self.metrics is not None:
                self.write(self._document(measured, _version(exchange), self._as_log_entry(fields)))
            else:
                self.logger.info("request", extra=fields)
        except Exception as error:  # noqa: BLE001 - the line is lost, the answer isn't
            with suppress(Exception):
                self._log_lost(error, exchange)

    def _prediction_line(self, exchange: Exchange, measured: dict[str, float], fields: dict[str, Any]) -> str:
        entry = self._as_log_entry(fields)
        version = _version(exchange)
        try:
            return self._document(measured, version, entry | self.entries.members(exchange))
        except Exception as error:  # noqa: BLE001 - then the line has what is known without the members that failed
            self._log_lost(error, exchange)
            return self._document(measured | {PREDICTION_LOG_FAILURES: 1}, version, entry | {"kind": PREDICTION})

    def _log_lost(self, error: Exception, exchange: Exchange) -> None:
        facts = {"request_id": exchange.request_id, "error": type(error).__name__, "raised_at": _frames(error)}
        self.logger.error("prediction log line incomplete", extra=facts)

    def _log_failure(self, message: str, error: Exception, failures: Failures, **facts: object) -> None:
        # These errors are about the bucket's objects, which hold no borrower's values; an operator needs the message.
        reason = {"error": type(error).__name__, "reason": str(error)}
        facts |= {**reason, "failures": failures.count, "retry_in_s": round(failures.wait_s, 3)}
        self.logger.error(message, extra=facts)

    def _as_log_entry(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return the members that Powertools' logger gives to each of its lines, and the fields."""
        now = datetime.fromtimestamp(self.clock().wall_s, UTC).isoformat(timespec="milliseconds")
        entry = {"level": "INFO", "message": "request", "timestamp": now, **fields}
        trace_id = self.find_trace_id()
        return entry if trace_id is None else {**entry, "xray_trace_id": trace_id}

    def _emit(self, measured: dict[str, float], version: int | None) -> None:
        """Write the metrics of something that isn't a request."""
        if self.metrics is not None:
            self.write(self._document(measured, version, {}))

    def _document(self, measured: dict[str, float], version: int | None, entry: dict[str, object]) -> str:
        """Return a log entry with its metrics as one line; the entry alone if metrics are switched off."""
        if self.metrics is not None:
            document = self.metrics.document(measured, version, entry, self.clock().wall_s)
        else:
            document = entry if version is None else {**entry, "model_version": str(version)}
        # In a third of the time of ``json``.
        return to_json(document).decode()


def _fields(exchange: Exchange, status: int, *, is_cold: bool) -> dict[str, Any]:
    """Return what the line of every request says."""
    fields: dict[str, Any] = {
        "request_id": exchange.request_id,
        "invocation_id": exchange.invocation_id,
        "method": exchange.method,
        "route": exchange.route,
        "status": status,
        "violations": exchange.violations,
        "rows": exchange.rows,
        "latency_ms": _milliseconds(exchange.duration_s()),
        "spans_ms": {name: _milliseconds(seconds) for name, seconds in exchange.spans_s.items()},
        "cold_start": is_cold,
    }
    if exchange.problem is not None:
        fields["problem"] = exchange.problem
    if exchange.model is not None:
        fields["model_form"] = exchange.model.form
    return fields


def _measured(
    exchange: Exchange, status: int, staleness_s: float | None, latency_ms: float, *, is_cold: bool
) -> dict[str, float]:
    """Return the metrics of a request; none for most that make no predictions."""
    measured: dict[str, float] = {}
    if exchange.is_prediction:
        measured[LATENCY] = latency_ms
        measured[ROWS] = exchange.rows
        if staleness_s is not None:
            measured[ALIAS_STALENESS] = staleness_s
    if is_cold:
        measured[COLD_START] = 1
    if status >= 500:
        measured[SERVER_ERRORS] = 1
    return measured


def _version(exchange: Exchange) -> int | None:
    return None if exchange.model is None else exchange.model.manifest.version


def _frames(error: Exception) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-8:]]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
