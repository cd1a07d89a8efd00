"""Measures what OperateFunction's reading of the prediction log takes: lines a second, and memory.

``python tests/load/rollouts/read_log.py --requests 100 --minutes 60`` reads a made log as a process does that has just
started: all of it, look after look, each look within its budget of time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "kit"))

from log_lines import CANARY_REVISION, CANDIDATE, MAIN, ROLLOUT, START, WEIGHTS
from memory_store import InMemoryStore
from model_registry.routing import routing_point
from model_rollout.guard_settings import default_settings
from model_rollout.log_evidence import LogEvidence
from model_watch.log_reader import LogReader
from rollout_kit import make_rollout


def main() -> None:
    """Read the options, make the log, read it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100, help="requests a second")
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    store = InMemoryStore()
    for minute in range(options.minutes):
        _deliver(store, minute, options.requests * 60)
    rollout = make_rollout(
        id=ROLLOUT, main=MAIN, candidate=CANDIDATE, began_at=START.isoformat(), stage=2, weights=WEIGHTS,
        guards=default_settings().to_document(),
    )  # fmt: skip
    made_mb, began = _peak_mb(), time.monotonic()
    evidence = LogEvidence(lambda: LogReader(store, "late-payer"), lambda: datetime.now(UTC))
    looks, is_behind = 0, True
    while is_behind:
        *_, last = evidence.judge(rollout, START + timedelta(minutes=options.minutes)).judgements
        looks, is_behind = looks + 1, last.guard == "prediction_log"
        print(f"look {looks}: {time.monotonic() - began:.1f} s, {last.sentence}")
    seconds, lines = time.monotonic() - began, options.requests * 60 * options.minutes
    print(f"{lines:,} lines in {seconds:.1f} s: {lines / seconds:,.0f} a second, {looks} looks")
    print(f"peak memory {_peak_mb():,.0f} MB, {_peak_mb() - made_mb:,.0f} MB of it for reading and judging")


def _deliver(store: InMemoryStore, minute: int, requests: int) -> None:
    """Put one minute's lines, each of another loan, into the log."""
    lines = []
    for number in range(minute * requests, (minute + 1) * requests):
        at = START + timedelta(minutes=minute, seconds=60 * (number % requests) / requests)
        point = routing_point(ROLLOUT, f"loan-{number}")
        version = CANDIDATE if point < WEIGHTS[CANARY_REVISION] else MAIN
        members = {
            "level": "INFO", "message": "POST /predict 200", "kind": "prediction", "timestamp": at.isoformat(),
            "invocation_id": f"11111111-2222-3333-4444-{number:012}", "request_id": f"request-{number}",
            "route": "/predict", "status": 200, "rows": 1, "latency_ms": 5.0 + number % 7, "cold_start": False,
            "spans_ms": {"score": 0.1, "alias": 0.2, "check": 0.3}, "model": "late-payer", "model_form": "arrays",
            "model_version": str(version), "routed_version": version, "alias": "live",
            "alias_revision": CANARY_REVISION, "rollout": ROLLOUT, "key": f"{number:016}",
            "threshold": 0.025, "loans": [f"{number:016}"], "late_probabilities": [0.004 + number % 5 / 100],
            "is_late": "01"[number % 5 > 2], "profiles": ["4829175630"], "service": "late-payer", "stage": "prod",
            "_aws": {"Timestamp": 1773342000000, "CloudWatchMetrics": [{"Namespace": "PeerLoan", "Dimensions": [[
                "service", "stage"]], "Metrics": [{"Name": name, "Unit": "Count"} for name in ("Rows", "Warnings")]}]},
        }  # fmt: skip
        lines.append(json.dumps(members))
    name = f"PredictLog-1-{START + timedelta(minutes=minute):%Y-%m-%d-%H-%M-%S}-{minute}"
    store.put(f"log/dt={START:%Y-%m-%d}/{name}.gz", gzip.compress("\n".join(lines).encode(), 1))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
