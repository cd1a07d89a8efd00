"""The OpenAPI document says what the function does, and its page works without the internet."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from predict_api.http.openapi import openapi_document
from predict_api.http.problems import INTERNAL_ERROR, PROBLEM_TYPES
from tests.contract.predict_api.api_kit import Function, event

DOCUMENT = openapi_document()
OPERATIONS = [(path, method) for path, operations in DOCUMENT["paths"].items() for method in operations]


def assert_valid(schema: dict[str, Any], document: object) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(document)


def references(node: Any) -> list[str]:
    if isinstance(node, dict) and "$ref" in node:
        return [node["$ref"]]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [reference for child in children for reference in references(child)]


def test_document_is_served_as_it_is_built(function: Function) -> None:
    answer = function.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == DOCUMENT
    assert answer.json["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere() -> None:
    all_references = references(DOCUMENT)
    assert all_references
    for reference in all_references:
        prefix, name = reference.rsplit("/", 1)
        assert prefix == "#/components/schemas"
        assert name in DOCUMENT["components"]["schemas"]


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_exists(function: Function, path: str, method: str) -> None:
    answer = function.send(event(method.upper(), path.replace("{name}", "late-payer"), body="{}"))
    assert answer.status not in (404, 405)


def test_every_problem_of_the_table_is_described() -> None:
    described = {
        int(status)
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
    }
    # 405 belongs to the methods that are not in the document.
    assert {kind.status for kind in (*PROBLEM_TYPES.values(), INTERNAL_ERROR)} - {405} <= described


@pytest.mark.parametrize(
    "name", DOCUMENT["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
)
def test_every_example_is_valid_and_answered(function: Function, name: str) -> None:
    content = DOCUMENT["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    body = content["examples"][name]["value"]
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(body)
    assert function.post(body).status == 200


@pytest.mark.parametrize(("path", "method"), [place for place in OPERATIONS if place != ("/predict", "post")])
def test_every_other_operation_answers_as_the_document_says(function: Function, path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    sent: dict[str, Any] = {"body": None}
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        assert_valid(content["schema"], content["example"])
        sent["body"] = json.dumps(content["example"])
    path = path.replace("{name}", "late-payer")
    answer = function.send(event(method.upper(), path, **sent))
    assert answer.status == 200, answer.body
    described = operation["responses"]["200"]["content"].get("application/json")
    if described is not None:
        assert_valid(described["schema"], answer.json)
    if sent["body"] is not None:
        refused = function.send(event(method.upper(), path, body='{"instances": 1}'))
        assert refused.status == 400
        assert_valid(operation["responses"]["400"]["content"]["application/json"]["schema"], refused.json)


def test_page_holds_all_that_it_needs(function: Function) -> None:
    answer = function.get("/docs")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"'](?!data:)", answer.body[:2000])
    assert "SwaggerUIBundle({" in answer.body
    page_document = re.search(r"\n  spec: (\{.*\}),\n", answer.body)
    assert page_document is not None
    assert json.loads(page_document[1].replace("<\\/", "</")) == DOCUMENT
    assert len(answer.body) < 6_000_000


def test_page_is_compressed_for_those_who_can_read_it(function: Function) -> None:
    answer = function.send(event("GET", "/docs", headers={"accept-encoding": "gzip, br"}))
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 1_000_000
