"""Operations of the OpenAPI document: their answers, headers and problems."""

from __future__ import annotations

from typing import Any

from predict_api.http import problems
from predict_api.http.openapi_schemas import TEXT, ref

_HEADERS = {
    "X-Request-Id": "The request's own X-Request-Id, or one made for it.",
    "Server-Timing": "Milliseconds spent in each step.",
    "Cache-Control": "Always no-store.",
}
MODEL_HEADERS = {"X-Model-Version": "The version that scored.", "X-Model-Form": "The form in which it serves."}
MODEL_NAME = {"name": "name", "in": "path", "required": True, "schema": TEXT, "example": "late-payer"}
_RETRY = {"Retry-After": "Seconds."}


def read_operation(operation_id: str, summary: str, schema: dict[str, Any], *statuses: int) -> dict[str, Any]:
    """Return a GET operation that answers with a JSON document."""
    return operation(operation_id, summary, answer_of(summary, schema), *statuses)


def operation(
    operation_id: str, summary: str, answer: dict[str, Any], *statuses: int, error_schema: str | None = None
) -> dict[str, Any]:
    """Return an operation with its answer and the problems of these statuses; 500 may come from every operation.

    ``error_schema`` names the schema of the errors where they aren't problem documents.
    """
    responses = {"200": answer, **{str(status): _problem(status, error_schema) for status in (*statuses, 500)}}
    return {"operationId": operation_id, "summary": summary, "responses": responses}


def answer_of(
    description: str,
    schema: dict[str, Any],
    headers: dict[str, str] | None = None,
    content_type: str = "application/json",
) -> dict[str, Any]:
    """Return the description of an answer with a body and headers."""
    texts = {**_HEADERS, **(headers or {})}
    return {
        "description": description,
        "headers": {name: {"description": text, "schema": TEXT} for name, text in texts.items()},
        "content": {content_type: {"schema": schema}},
    }


def _problem(status: int, error_schema: str | None) -> dict[str, Any]:
    kinds = (*problems.PROBLEM_TYPES.values(), problems.INTERNAL_ERROR)
    description = "; or: ".join(kind.title for kind in kinds if kind.status == status)
    headers = _RETRY if status == 503 else {}
    if error_schema is not None:
        return answer_of(description, ref(error_schema), headers)
    return answer_of(description, ref("Problem"), headers, problems.CONTENT_TYPE)
