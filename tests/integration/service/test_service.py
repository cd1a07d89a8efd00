"""Data to an answered POST, for real: sockets, processes, trained models, and a version that goes live under load."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import math
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
import requests

from model_artifact.pipeline import late_probabilities
from model_registry.alias import RoutingConfig
from peerloan.load import Answer, load
from peerloan.promises.checks import check_run
from peerloan.promises.timeline import AliasChange
from service_kit import ALIAS_TTL_S, PROJECT, Service
from training.data import Quarters

# No request over HTTP is made into an event with a broken base64 body.
EVENTS = sorted({path.stem for path in (PROJECT / "events").glob("*.json")} - {"invalid-400-not-base64"})
BATCH_ROWS = 1000
# Longer than the TTL, so that requests are sent when an answer from the version before would be untrue.
PAUSE_S = ALIAS_TTL_S + 1.0


def event(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((PROJECT / "events" / f"{name}.json").read_text())
    return document


def point_live_at(service: Service, version: int, **changes: Any) -> None:
    """Move the alias and wait until every environment must have followed."""
    service.writer.assign("live", version, **changes)
    time.sleep(ALIAS_TTL_S + 0.1)


def predict(service: Service, document: object, **headers: str) -> requests.Response:
    return requests.post(f"{service.url}/predict", json=document, headers=headers, timeout=30)


@pytest.mark.parametrize("version", [1, 2])
def test_the_holdout_scored_over_http_equals_predict_proba(service: Service, quarters: Quarters, version: int) -> None:
    point_live_at(service, version)
    features = quarters.test.features
    records = [
        {name: None if value != value or value is None else value for name, value in row.items()}
        for row in features.astype(object).to_dict("records")
    ]
    answered: list[float] = []
    for start in range(0, len(records), BATCH_ROWS):
        answer = predict(service, {"instances": records[start : start + BATCH_ROWS]})
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-Model-Version"] == str(version)
        answered += [prediction["late_probability"] for prediction in answer.json()["predictions"]]
    expected = late_probabilities(service.pipelines[version], features)
    assert len(answered) == len(features)
    assert float(np.max(np.abs(np.array(answered) - expected))) <= 1e-12


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_answered_through_the_emulator_with_the_status_that_its_name_says(
    service: Service, name: str
) -> None:
    request = event(name)
    body = request.get("body") or ""
    encoded = request.get("isBase64Encoded")
    answer = requests.request(
        request["requestContext"]["http"]["method"],
        service.url + request["rawPath"],
        data=base64.b64decode(body) if encoded else body.encode(),
        headers={
            key: value for key, value in request["headers"].items() if key.lower() not in ("host", "content-length")
        },
        timeout=30,
    )
    assert answer.status_code == (int(name.split("-")[1]) if name.startswith("invalid-") else 200)
    if answer.status_code != 200:
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_canary_keeps_each_loan_on_its_version_and_true_to_the_weight(service: Service) -> None:
    record = json.loads(event("one-record")["body"])
    point_live_at(service, 1, routing_config=RoutingConfig({2: 0.3}))

    def versions() -> list[str]:
        return [
            predict(service, {**record, "loan_id": f"L-{number}"}).headers["X-Model-Version"] for number in range(200)
        ]

    first = versions()
    assert versions() == first
    # Five standard errors of a share of 0.3 in 200.
    assert abs(Counter(first)["2"] / 200 - 0.3) < 5 * (0.3 * 0.7 / 200) ** 0.5
    service.writer.assign("live", 1, routing_config=RoutingConfig({2: 0.6}))
    time.sleep(ALIAS_TTL_S + 0.1)
    raised = versions()
    assert all(now == "2" for before, now in zip(first, raised, strict=True) if before == "2")
    assert Counter(raised)["2"] > Counter(first)["2"]


def test_shifts_under_load_lose_no_request_and_keep_every_promise(service: Service) -> None:
    point_live_at(service, 1)
    bodies = [event(name)["body"].encode() for name in ("one-record", "late-payer", "on-time-payer")]
    start = service.writer.reader.get_alias("live").alias

    async def shift_under_load() -> tuple[list[Answer], list[AliasChange]]:
        changes = [AliasChange.of(start, -math.inf, -math.inf)]
        async with load(f"{service.url}/predict", bodies, 4, pause_s=0.01) as answers:
            for version in (2, 1) * 3:
                requested = time.monotonic()
                moved = await asyncio.to_thread(service.writer.assign, "live", version)
                changes.append(AliasChange.of(moved, requested, time.monotonic()))
                await asyncio.sleep(PAUSE_S)
        return answers, changes

    answers, changes = asyncio.run(shift_under_load())
    assert len(answers) > 50
    report = check_run(answers, changes, ALIAS_TTL_S)
    assert (report.failed, report.violations) == (0, ())
    settled = [
        answer
        for change, following in itertools.pairwise(changes[1:])
        for answer in answers
        if change.acknowledged + ALIAS_TTL_S < answer.sent < following.requested
    ]
    assert settled, "no request was sent after the TTL, so nothing was shown"
    assert {answer.version for answer in answers} == {1, 2}
