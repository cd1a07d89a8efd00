"""The OpenAPI 3.1 document of the API, built from the columns, limits and problem table that the code uses.

tests/contract/predict_api/test_openapi.py checks the handler's requests and answers against it.
"""

from __future__ import annotations

from typing import Any

from predict_api.http.exchange import MAX_REQUEST_ID_LENGTH, REQUEST_ID_PATTERN
from predict_api.http.openapi_operations import MODEL_HEADERS, MODEL_NAME, answer_of, operation, read_operation
from predict_api.http.openapi_protocols import protocol_paths, protocol_schemas
from predict_api.http.openapi_schemas import ON_TIME_RECORD, TEXT, ref, schemas

_INFO = {
    "title": "PeerLoan late payers",
    "version": "1",
    "description": (
        "Says how likely the holder of a loan is to be late on a payment next quarter. "
        "One record or up to 1,000, as an application or an MLflow, KServe or Vertex client would send them."
    ),
    "license": {"name": "Apache-2.0"},
}


def openapi_document() -> dict[str, Any]:
    """Return the API's OpenAPI document."""
    page = {"description": "Swagger UI", "content": {"text/html": {"schema": TEXT}}}
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/"}],
        "paths": {
            "/predict": {"post": _predict()},
            "/livez": {"get": read_operation("livez", "Whether the process answers", ref("Liveness"))},
            "/readyz": {"get": read_operation("readyz", "Whether a verified model is loaded", ref("Readiness"), 503)},
            "/models/{name}": {
                "get": {
                    **read_operation("model", "The model in charge", ref("ModelDescription"), 404, 503),
                    "parameters": [MODEL_NAME],
                }
            },
            "/openapi.json": {"get": read_operation("openapi", "This document", {"type": "object"})},
            "/docs": {"get": operation("docs", "This document, as a page to try it out", page)},
            **protocol_paths(),
        },
        "components": {"schemas": {**schemas(), **protocol_schemas()}},
    }


def _predict() -> dict[str, Any]:
    answer = answer_of("The predictions, in the order of the records", ref("PredictResponse"), MODEL_HEADERS)
    predict = operation("predict", "Predict lateness", answer, 400, 413, 415, 422, 501, 503, 504)
    # The gateway sends this answer, without the function's headers.
    predict["responses"]["429"] = {"description": "Too many requests at once; the gateway's answer."}
    return {
        **predict,
        "description": (
            "One bad record refuses the whole request. While two versions share the traffic, the first record's "
            "loan_id decides which one answers, else the Idempotency-Key header, else the request id."
        ),
        "parameters": [
            _header_parameter(
                "X-Request-Id",
                "Echoed, and kept in the log. One that doesn't fit this schema is replaced by one of our own.",
                {**TEXT, "maxLength": MAX_REQUEST_ID_LENGTH, "pattern": f"^{REQUEST_ID_PATTERN}$"},
            ),
            _header_parameter("Idempotency-Key", "Keeps requests without a loan_id on one version.", TEXT),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref("PredictRequest"), "examples": _request_examples()}},
        },
    }


def _request_examples() -> dict[str, Any]:
    identified = {"loan_id": "A-123", **ON_TIME_RECORD}
    split = {"columns": list(ON_TIME_RECORD), "data": [list(ON_TIME_RECORD.values())]}
    bodies = {
        "one record": identified,
        "instances": {"instances": [identified]},
        "dataframe_records": {"id": "batch-7", "dataframe_records": [identified]},
        "dataframe_split": {"dataframe_split": split},
    }
    return {name: {"value": body} for name, body in bodies.items()}


def _header_parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}
