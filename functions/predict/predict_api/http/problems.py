"""Errors as HTTP answers (RFC 9457 problem details). One table says which error gets which status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from predict_api.http import errors

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:peerloan:problem:"


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem: the last part of its type URI, its HTTP status, and its title."""

    slug: str
    status: int
    title: str


@dataclass(frozen=True)
class Problem:
    """The answer to a request that failed: its kind, its body, and further headers."""

    kind: ProblemType
    document: Mapping[str, Any]
    headers: Mapping[str, str]


INTERNAL_ERROR = ProblemType("internal-error", 500, "Something went wrong here")

# Any other error is a bug and becomes INTERNAL_ERROR; so does a model that doesn't return probabilities. The gateway
# itself answers 401, 403 and 429.
PROBLEM_TYPES: Mapping[type[Exception], ProblemType] = {
    errors.MalformedRequestError: ProblemType("malformed-request", 400, "The request can't be read"),
    errors.UnknownRouteError: ProblemType("unknown-route", 404, "The API has no such path"),
    errors.UnknownModelError: ProblemType("unknown-model", 404, "This function has no such model"),
    errors.MethodNotAllowedError: ProblemType("method-not-allowed", 405, "The method is not allowed here"),
    errors.RequestTooLargeError: ProblemType("request-too-large", 413, "The request is too large"),
    errors.UnsupportedMediaTypeError: ProblemType("unsupported-media-type", 415, "The body is not JSON"),
    errors.InvalidRequestError: ProblemType("invalid-request", 422, "The request breaks the schema"),
    errors.ExplanationUnavailableError: ProblemType("no-explanation", 501, "This version gives no reasons"),
    errors.NoVerifiedModelError: ProblemType("no-verified-model", 503, "No verified model is loaded"),
    errors.DeadlineExceededError: ProblemType("deadline-exceeded", 504, "The deadline passed"),
}


def describe(error: Exception, request_id: str) -> Problem:
    """Return the answer to any error.

    Only a ``RequestError`` is quoted: other messages may hold borrowers' values or internal details. The request id
    becomes ``instance``, so that operators can find the answer in the logs.
    """
    kind = PROBLEM_TYPES.get(type(error), INTERNAL_ERROR)
    document: dict[str, Any] = {
        "type": TYPE_PREFIX + kind.slug,
        "title": kind.title,
        "status": kind.status,
        "detail": "The error is logged under the request id that is this problem's instance.",
        "instance": request_id,
    }
    if kind is not INTERNAL_ERROR and isinstance(error, errors.RequestError):
        document["detail"] = error.detail
        if isinstance(error, errors.RequestTooLargeError) and error.max_records is not None:
            document["max_records"] = error.max_records
        if error.violations:
            document["errors"] = [vars(violation) for violation in error.violations]
    return Problem(kind=kind, document=document, headers=_headers(error))


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.MethodNotAllowedError):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, errors.NoVerifiedModelError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    return {}
