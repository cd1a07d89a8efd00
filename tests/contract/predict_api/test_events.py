"""Every event in events/ gets the answer that its name promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from predict_api.http.openapi import openapi_document
from tests.contract.predict_api.api_kit import Function, Registry
from tests.contract.predict_api.loans_kit import pickled

EVENTS = sorted((Path(__file__).parents[3] / "events").glob("*.json"))
DOCUMENT = openapi_document()
SCHEMAS = {
    "/predict": "PredictResponse",
    "/livez": "Liveness",
    "/readyz": "Readiness",
    "/models/late-payer": "ModelDescription",
    "/invocations": "Predictions",
    "/v1/models/late-payer:predict": "Predictions",
    "/v2/models/late-payer/infer": "InferResponse",
}
# Other routes take /predict's requests.
REQUESTS = {
    "/invocations": "InputsRequest",
    "/v1/models/late-payer:predict": "InputsRequest",
    "/v2/models/late-payer/infer": "InferRequest",
}


def expected_status(path: Path) -> int:
    match = re.match(r"invalid-(\d{3})-", path.name)
    return int(match[1]) if match else 200


def validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]})


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_event_is_answered_as_its_name_says(function: Function, path: Path) -> None:
    sent = load(path)
    answer = function.send(sent)
    if path.stem == "explain" and function.get("/models/late-payer").json["versions"][0]["form"] == "pickle":
        assert answer.status == 501
        return
    assert answer.status == expected_status(path), answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.search(r"total;dur=[\d.]+", answer.headers["Server-Timing"])
    if answer.status != 200:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["instance"] == answer.headers["X-Request-Id"]
        validator("Problem").validate(answer.json)
    elif sent["rawPath"] in SCHEMAS:
        validator(SCHEMAS[sent["rawPath"]]).validate(answer.json)


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_event_holds_a_body_that_the_document_describes_if_it_is_answered(path: Path) -> None:
    sent = load(path)
    if "body" in sent and expected_status(path) == 200 and not sent["isBase64Encoded"]:
        validator(REQUESTS.get(sent["rawPath"], "PredictRequest")).validate(json.loads(sent["body"]))


# JSON Schema says no more about the columns of a split than that each is there.
BEYOND_JSON_SCHEMA = "invalid-422-split-columns"


@pytest.mark.parametrize(
    "path",
    [path for path in EVENTS if "-422-" in path.name and path.stem != BEYOND_JSON_SCHEMA],
    ids=lambda path: path.stem,
)
def test_document_refuses_what_the_function_refuses(path: Path) -> None:
    assert not validator("PredictRequest").is_valid(json.loads(load(path)["body"]))


@pytest.mark.parametrize("kind", ["forest", "boosted"])
def test_late_payer_is_told_from_the_on_time_payer(kind: str) -> None:
    registry = Registry()
    # Models as small as these are too timid for the threshold of a full one.
    registry.writer.assign("live", registry.publish(pickled(kind), threshold=0.03))
    function = Function(registry)
    folder = EVENTS[0].parent
    late = function.send(load(folder / "late-payer.json")).json["predictions"][0]
    on_time = function.send(load(folder / "on-time-payer.json")).json["predictions"][0]
    assert late["late_probability"] > 2 * on_time["late_probability"]
    assert late["is_late"]
    assert not on_time["is_late"]


def test_every_event_is_in_the_readme() -> None:
    readme = (EVENTS[0].parent / "README.md").read_text()
    for path in EVENTS:
        assert f"`{path.stem}`" in readme or path.stem.startswith("invalid-")
