"""The errors of a request, one type for each thing that can go wrong.

``problems.py`` gives each of them an HTTP status. No message holds a value that the client sent,
since messages go into answers and logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong with a request's body.

    ``pointer`` is a JSON Pointer (RFC 6901) into the body. ``code`` is stable, for programs; ``detail`` is for people.
    """

    pointer: str
    code: str
    detail: str


class RequestError(Exception):
    """Base of all errors of a request.

    ``violations`` are the wrong places in the body, cut to as many as are worth reading; empty if it isn't at fault.
    """

    def __init__(self, detail: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.violations = tuple(violations)


class MalformedRequestError(RequestError):
    """The body can't be read, or its meaning is ambiguous."""


class InvalidRequestError(RequestError):
    """The body can be read but breaks the schema."""


class RequestTooLargeError(RequestError):
    """The request has more bytes or records than are allowed, or than can be answered in its time.

    ``max_records`` is how many records fit, where that is known.
    """

    def __init__(self, detail: str, max_records: int | None = None) -> None:
        super().__init__(detail)
        self.max_records = max_records


class UnsupportedMediaTypeError(RequestError):
    """The headers declare a body that isn't JSON in UTF-8."""


class UnknownRouteError(RequestError):
    """The API has no such path."""


class UnknownModelError(RequestError):
    """This function serves a model of another name."""


class MethodNotAllowedError(RequestError):
    """The path exists, but doesn't allow this method."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This path answers to {', '.join(allowed)} only.")
        self.allowed = tuple(allowed)


class ExplanationUnavailableError(RequestError):
    """The client asked for reasons, and this model can't give any."""


class NoVerifiedModelError(RequestError):
    """No model has been loaded and verified yet."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("No verified model is loaded yet. Try again; the function's log says why.")
        self.retry_after_s = retry_after_s


class DeadlineExceededError(RequestError):
    """The time for this request is used up."""
