"""Refusals of Lambda's API. Pure: the HTTP server writes them as answers.

Codes and statuses are those of AWS's service model; the words are recorded ones where a recording exists.
"""

from __future__ import annotations


class LambdaApiError(Exception):
    """A refusal: ``{"Type": …, "Message": …}`` with the header ``X-Amzn-ErrorType``, which is `code`.

    `error_type` is ``User``, or ``Service`` where the service is at fault. `reason` says why a request was throttled.
    """

    def __init__(
        self, code: str, status: int, message: str, *, error_type: str = "User", reason: str | None = None
    ) -> None:
        self.code = code
        self.status = status
        self.message = message
        self.error_type = error_type
        self.reason = reason
        super().__init__(message)


class ResourceNotFoundError(LambdaApiError):
    """No such function, version, alias or configuration."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFoundException", 404, message)


class InvalidParameterError(LambdaApiError):
    """A parameter's value isn't allowed."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterValueException", 400, message)


class ResourceConflictError(LambdaApiError):
    """The resource exists already, is in use, or is being updated."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", 409, message)


class PreconditionFailedError(LambdaApiError):
    """The RevisionId isn't the current one: somebody else has changed it."""

    def __init__(self) -> None:
        super().__init__(
            "PreconditionFailedException",
            412,
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id",
        )


class UnavailableFunctionError(LambdaApiError):
    """The function can't run here; `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRuntimeException", 502, message)


class TooManyRequestsError(LambdaApiError):
    """A function has reached its limit of requests or of new environments; `reason` is Lambda's name for the limit."""

    def __init__(self, function: str, limit: int, reason: str = "ConcurrentInvocationLimitExceeded") -> None:
        self.function = function
        self.limit = limit
        super().__init__("TooManyRequestsException", 429, "Rate Exceeded.", reason=reason)

    def __str__(self) -> str:
        return f"{self.function} has reached its limit of {self.limit}: {self.reason}"
