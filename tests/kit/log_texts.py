"""Lines of the prediction log as the function writes them, for tests and benchmarks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random
from typing import Any

from pydantic_core import to_json

from model_registry.alias import Alias, RoutingConfig
from model_watch.embedded_metrics import EmbeddedMetrics
from model_watch.prediction_log import ScoredRecords, ShadowEntry, line_members

MODEL = "late-payer"
NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)
THRESHOLD = 0.025
SHADOW_VERSION = 4

_ALIAS = Alias("live", 7, 2, RoutingConfig({3: 0.1}), "live-6", "2026-03-12T19:03:58Z", "me", "canary", "update-7")
_UNITS = {"Latency": "Milliseconds", "Rows": "Count", "AliasStaleness": "Seconds"}
_METRICS = EmbeddedMetrics("PeerLoan", {"service": "late-payer", "stage": "prod", "stack": "late-payer"}, _UNITS)


def log_text(
    number: int,
    at: datetime = NOON,
    *,
    records: int = 1,
    version: int = 3,
    shadow: str | None = None,
    model: str = MODEL,
    **changes: Any,
) -> bytes:
    """Return the line of an answered request; its scores and profiles follow from its number.

    ``shadow`` is the outcome of a shadow version. ``changes`` replace members of the line.
    """
    random = Random(number)
    late = [random.betavariate(1, 40) for _ in range(records)]
    scored = ScoredRecords(
        threshold=THRESHOLD,
        loans=["".join(random.choices("ABCabc123-_", k=16)) for _ in range(records)],
        late_probabilities=late,
        profiles=["".join(random.choices("0123456789-?", k=10)) for _ in range(records)],
        warnings={place: ["unseen_category"] for place in range(records) if random.random() < 0.02},
        shadow=None if shadow is None else _shadow(shadow, late),
    )
    entry: dict[str, Any] = {
        "level": "INFO",
        "message": "request",
        "timestamp": at.isoformat(timespec="milliseconds"),
        "request_id": f"request-{number}",
        "invocation_id": f"11111111-2222-3333-4444-{number:012}",
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "violations": 0,
        "rows": records,
        "latency_ms": round(random.lognormvariate(1, 1), 3),
        "spans_ms": {"parse": 0.03, "alias": 0.012, "check": 0.1, "score": 0.345},
        "cold_start": False,
        "model_form": "arrays",
    }
    members = line_members(model=model, alias=_ALIAS, routed_version=version, key="a2V5IGhhc2ggLi4u", scored=scored)
    measured: dict[str, float] = {"Latency": entry["latency_ms"], "Rows": records, "AliasStaleness": 1.25}
    return to_json(_METRICS.document(measured, version, entry | members | changes, at.timestamp()))


def report_text(number: int, at: datetime = NOON, status: str = "timeout") -> bytes:
    """Return Lambda's report of an invocation."""
    record = {"requestId": f"11111111-2222-3333-4444-{number:012}", "status": status}
    return json.dumps({"time": at.isoformat(), "type": "platform.report", "record": record}).encode()


def pack(texts: Iterable[bytes]) -> bytes:
    """Return an object of the log."""
    return gzip.compress(b"".join(text + b"\n" for text in texts), 6)


def _shadow(outcome: Any, late: list[float]) -> ShadowEntry:
    if outcome != "scored":
        return ShadowEntry(version=SHADOW_VERSION, outcome=outcome, ms=5.25, error="ModelProcessError")
    probabilities = tuple(probability * 0.9 for probability in late)
    is_late = tuple(probability >= THRESHOLD for probability in probabilities)
    return ShadowEntry(
        version=SHADOW_VERSION, outcome="scored", ms=0.25, late_probabilities=probabilities, is_late=is_late
    )
