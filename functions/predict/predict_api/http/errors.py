"""What can be wrong with a request, one type each, under one base.

The errors carry facts; which HTTP status each becomes is ``problems.py``'s table, and not their business. No message
holds a value that the client sent, since messages end in answers and logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong, and where.

    Attributes
    ----------
    pointer : str
        JSON Pointer (RFC 6901) into the request's body.
    code : str
        Stable, for programs.
    detail : str
        For people.
    """

    pointer: str
    code: str
    detail: str


class RequestError(Exception):
    """Base of all errors of a request.

    Attributes
    ----------
    violations : tuple of Violation
        The places in the body that are wrong, if the error is about places; at most as many as are worth reading.
    """

    def __init__(self, detail: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.violations = tuple(violations)


class MalformedRequestError(RequestError):
    """The body can't be read as one unambiguous request."""


class InvalidRequestError(RequestError):
    """The body reads well, but breaks the schema."""


class RequestTooLargeError(RequestError):
    """More bytes or more records than one request may have, or can be answered in its time.

    ``max_records`` is how many records fit, where that is known.
    """

    def __init__(self, detail: str, max_records: int | None = None) -> None:
        super().__init__(detail)
        self.max_records = max_records


class UnsupportedMediaTypeError(RequestError):
    """The body is declared to be something else than JSON in UTF-8."""


class UnknownRouteError(RequestError):
    """Nothing is at this path."""


class UnknownModelError(RequestError):
    """There is no model of this name here."""


class MethodNotAllowedError(RequestError):
    """The path exists, but not with this method."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This path answers to {', '.join(allowed)} only.")
        self.allowed = tuple(allowed)


class ExplanationUnavailableError(RequestError):
    """Reasons were asked for, and this model can't give any."""


class NoVerifiedModelError(RequestError):
    """No model was loaded and verified yet, so that nothing can be predicted."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("No verified model is loaded yet. Try again; the function's log says why it could not be.")
        self.retry_after_s = retry_after_s


class DeadlineExceededError(RequestError):
    """The time for this request is used up."""
