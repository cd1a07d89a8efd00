"""Lambda authorizers: builds their events, reads their answers, and caches these. Pure.

Source: API Gateway developer guide, "Control access to HTTP APIs with AWS Lambda authorizers". The function
is called by `emulator.http_api.stage`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.http_api.iam_policies import PolicyError, allows
from emulator.strict_json import read_json
from emulator.template.http_api_spec import Authorizer, JwtAuthorizer
from emulator.template.identity_sources import path_in_event

ANSWER_LIMIT_S = 10.0
_MAX_ANSWERS = 10_000
_SHARED_V2 = (
    "version", "routeKey", "rawPath", "rawQueryString", "cookies", "headers", "queryStringParameters", "requestContext",
    "pathParameters", "stageVariables",
)  # fmt: skip
_SHARED_V1 = (
    "version", "resource", "path", "httpMethod", "headers", "queryStringParameters", "pathParameters", "stageVariables",
    "requestContext",
)  # fmt: skip


class AuthorizerAnswerError(ValueError):
    """An authorizer's answer doesn't say whether the request is allowed."""


@dataclass(frozen=True, slots=True)
class AuthorizerAnswer:
    """An authorizer's answer, with the context for the integration's event.

    The policy is an IAM policy document, which is evaluated for each route; a bool allows or denies every route.
    """

    policy: Mapping[str, Any] | bool
    context: Mapping[str, Any] = field(default_factory=dict)

    def allows(self, route_arn: str) -> bool:
        """Return whether the route may be called."""
        return self.policy if isinstance(self.policy, bool) else allows(self.policy, route_arn)


def identity_values(authorizer: Authorizer | JwtAuthorizer, event: Mapping[str, Any]) -> list[str] | None:
    """Return the value of each identity source in an event of payload format 2.0, or None if one is missing."""
    values = [_identity_value(source, event) for source in authorizer.identity_sources]
    return None if None in values or "" in values else [str(value) for value in values]


def authorizer_event(
    authorizer: Authorizer, event: Mapping[str, Any], identity: list[str], route_arn: str
) -> dict[str, Any]:
    """Return the event for the authorizer's function, from one of its payload format and its identity values."""
    if authorizer.payload_format == "1.0":
        joined = ",".join(identity)
        own_v1 = {"type": "REQUEST", "methodArn": route_arn, "identitySource": joined, "authorizationToken": joined}
        return own_v1 | {name: event[name] for name in _SHARED_V1}
    own_v2 = {"type": "REQUEST", "routeArn": route_arn, "identitySource": identity or None}
    return own_v2 | {name: event[name] for name in _SHARED_V2 if name in event}


def read_answer(authorizer: Authorizer, payload: bytes) -> AuthorizerAnswer:
    """Read an authorizer function's answer.

    Raises
    ------
    AuthorizerAnswerError
        It isn't in the configured form: ``{"isAuthorized": …}`` for simple answers, else a policy.
    """
    try:
        answer = read_json(payload)
    except ValueError as error:
        raise AuthorizerAnswerError("the answer is not JSON") from error
    context = answer.get("context") or {} if isinstance(answer, dict) else None
    if not isinstance(context, dict):
        raise AuthorizerAnswerError("the answer and its context must be objects")
    if authorizer.simple_answers:
        if not isinstance(answer.get("isAuthorized"), bool):
            raise AuthorizerAnswerError("isAuthorized must be true or false")
        return AuthorizerAnswer(answer["isAuthorized"], context)
    if not isinstance(answer.get("principalId"), str):
        raise AuthorizerAnswerError("the answer has no principalId")
    policy = answer.get("policyDocument")
    try:
        allows(policy, "")
    except PolicyError as error:
        raise AuthorizerAnswerError(str(error)) from error
    return AuthorizerAnswer(policy, context)


class AnswerCache:
    """Keeps the answers of one API's authorizers, by the values of their identity sources."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: dict[tuple[str, ...], tuple[float, AuthorizerAnswer]] = {}

    def find(self, authorizer: Authorizer, identity: list[str]) -> AuthorizerAnswer | None:
        """Return an answer that hasn't expired, or None."""
        if not authorizer.ttl_s:
            return None
        expires, answer = self._answers.get((authorizer.name, *identity), (0.0, None))
        return answer if self._clock() < expires else None

    def keep(self, authorizer: Authorizer, identity: list[str], answer: AuthorizerAnswer) -> None:
        """Keep an answer for as long as the authorizer allows."""
        if not authorizer.ttl_s:
            return
        now = self._clock()
        if len(self._answers) >= _MAX_ANSWERS:
            self._answers = {key: entry for key, entry in self._answers.items() if entry[0] > now}
        if len(self._answers) >= _MAX_ANSWERS:
            # No answer has expired, so the oldest is dropped.
            del self._answers[next(iter(self._answers))]
        self._answers[authorizer.name, *identity] = (now + authorizer.ttl_s, answer)


def _identity_value(source: str, event: Mapping[str, Any]) -> str | None:
    path = path_in_event(source)
    if path == ("headers", "cookie"):
        return "; ".join(event.get("cookies", ()))
    value: Any = event
    for key in path:
        value = value.get(key, {})
    return value if isinstance(value, str) else None
