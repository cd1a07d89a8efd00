"""The OpenAPI 3.1 document of the API, built from the columns, limits and problem table that the code uses.

tests/contract/predict_api/test_openapi.py checks the handler's requests and answers against it.
"""

from __future__ import annotations

from typing import Any

from predict_api.http import problems
from predict_api.http.exchange import MAX_REQUEST_ID_LENGTH, REQUEST_ID_PATTERN
from predict_api.http.openapi_schemas import ON_TIME_RECORD, schemas

_TITLE = "PeerLoan late payers"
_DESCRIPTION = (
    "Says how likely the holder of a loan is to be late on a payment next quarter. "
    "One record or up to 1,000, as an application or an MLflow, KServe or Vertex client would send them."
)
_HEADERS = {
    "X-Request-Id": "The request's own X-Request-Id, or one made for it.",
    "Server-Timing": "Milliseconds spent in each step.",
    "Cache-Control": "Always no-store.",
}
_MODEL_HEADERS = {"X-Model-Version": "The version that scored.", "X-Model-Form": "The form in which it serves."}
_EVERYWHERE = (500,)
_GATEWAY_PROBLEMS = {429: "Too many requests at once; the gateway's answer."}


def openapi_document() -> dict[str, Any]:
    """Return the API's OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": "1", "description": _DESCRIPTION, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "paths": {
            "/predict": {"post": _predict()},
            "/livez": {"get": _read("livez", "Whether the process answers", "Liveness", ())},
            "/readyz": {"get": _read("readyz", "Whether a verified model is loaded", "Readiness", (503,))},
            "/models/{name}": {"get": _model()},
            "/openapi.json": {"get": _read("openapi", "This document", None, ())},
            "/docs": {"get": _docs()},
        },
        "components": {"schemas": schemas()},
    }


def _predict() -> dict[str, Any]:
    return {
        "operationId": "predict",
        "summary": "Predict lateness",
        "description": (
            "One bad record refuses the whole request. While two versions share the traffic, the first record's "
            "loan_id decides which one answers, else the Idempotency-Key header, else the request id."
        ),
        "parameters": [
            _header_parameter(
                "X-Request-Id",
                "Echoed, and kept in the log. One that doesn't fit this schema is replaced by one of our own.",
                {"maxLength": MAX_REQUEST_ID_LENGTH, "pattern": f"^{REQUEST_ID_PATTERN}$"},
            ),
            _header_parameter("Idempotency-Key", "Routes requests without a loan_id to one and the same version.", {}),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/PredictRequest"},
                    "examples": _request_examples(),
                }
            },
        },
        "responses": {
            "200": _json_answer("The predictions, in the order of the records", "PredictResponse", _MODEL_HEADERS),
            **_problem_answers(400, 413, 415, 422, 501, 503, 504),
            **{
                # The gateway sends this answer, without the function's headers.
                str(status): {"description": text}
                for status, text in _GATEWAY_PROBLEMS.items()
            },
        },
    }


def _request_examples() -> dict[str, Any]:
    names = list(ON_TIME_RECORD)
    identified = {"loan_id": "A-123", **ON_TIME_RECORD}
    return {
        "one record": {"value": identified},
        "instances": {"value": {"instances": [identified]}},
        "dataframe_records": {"value": {"id": "batch-7", "dataframe_records": [identified]}},
        "dataframe_split": {
            "value": {"dataframe_split": {"columns": names, "data": [[ON_TIME_RECORD[name] for name in names]]}}
        },
    }


def _model() -> dict[str, Any]:
    operation = _read("model", "The model in charge", "ModelDescription", (404, 503))
    operation["parameters"] = [
        {
            "name": "name",
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "example": "late-payer",
        }
    ]
    return operation


def _docs() -> dict[str, Any]:
    return {
        "operationId": "docs",
        "summary": "This document, as a page to try it out",
        "responses": {
            "200": {"description": "Swagger UI", "content": {"text/html": {"schema": {"type": "string"}}}},
            **_problem_answers(),
        },
    }


def _read(operation_id: str, summary: str, schema: str | None, statuses: tuple[int, ...]) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "responses": {"200": _json_answer(summary, schema, {}), **_problem_answers(*statuses)},
    }


def _json_answer(description: str, schema: str | None, headers: dict[str, str]) -> dict[str, Any]:
    reference = {"type": "object"} if schema is None else {"$ref": f"#/components/schemas/{schema}"}
    return {
        "description": description,
        "headers": _headers({**_HEADERS, **headers}),
        "content": {"application/json": {"schema": reference}},
    }


def _problem_answers(*statuses: int) -> dict[str, Any]:
    titles: dict[int, list[str]] = {}
    for kind in (*problems.PROBLEM_TYPES.values(), problems.INTERNAL_ERROR):
        titles.setdefault(kind.status, []).append(kind.title)
    return {
        str(status): {
            "description": "; or: ".join(titles[status]),
            "headers": _headers({**_HEADERS, **({"Retry-After": "Seconds."} if status == 503 else {})}),
            "content": {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in (*statuses, *_EVERYWHERE)
    }


def _headers(descriptions: dict[str, str]) -> dict[str, Any]:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in descriptions.items()}


def _header_parameter(name: str, description: str, limits: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", **limits},
    }
