"""Lambda authorizers: what they are asked, what their answers mean, and how long those are kept. Pure.

Source: API Gateway developer guide, "Control access to HTTP APIs with AWS Lambda authorizers". Who asks the function
is `emulator.http_api.stage`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.http_api.iam_policies import PolicyError, allows
from emulator.strict_json import read_json
from emulator.template.http_api_spec import Authorizer
from emulator.template.identity_sources import CONTEXT, CONTEXT_PATHS, HEADER, QUERY, STAGE_VARIABLE

ANSWER_LIMIT_S = 10.0
_MOST_KEPT = 10_000
_SHARED_V2 = (
    "version", "routeKey", "rawPath", "rawQueryString", "cookies", "headers", "queryStringParameters", "requestContext",
    "pathParameters", "stageVariables",
)  # fmt: skip
_SHARED_V1 = (
    "version", "resource", "path", "httpMethod", "headers", "queryStringParameters", "pathParameters", "stageVariables",
    "requestContext",
)  # fmt: skip


class AuthorizerAnswerError(ValueError):
    """An authorizer's answer means neither yes nor no."""


@dataclass(frozen=True, slots=True)
class AuthorizerAnswer:
    """What an authorizer said.

    Parameters
    ----------
    policy : mapping or bool
        An IAM policy document, which each route is held against, or yes or no to all.
    context : mapping
        What the integration gets to know.
    """

    policy: Mapping[str, Any] | bool
    context: Mapping[str, Any] = field(default_factory=dict)

    def allows(self, route_arn: str) -> bool:
        """Return whether the route may be called."""
        return self.policy if isinstance(self.policy, bool) else allows(self.policy, route_arn)


def identity_values(authorizer: Authorizer, event: Mapping[str, Any]) -> list[str] | None:
    """Return what a request has for each identity source, or None where it lacks one.

    Parameters
    ----------
    event : mapping
        The request as an event of payload format 2.0.
    """
    values = [_identity_value(source, event) for source in authorizer.identity_sources]
    return None if None in values or "" in values else [str(one) for one in values]


def authorizer_event(
    authorizer: Authorizer, event: Mapping[str, Any], identity: list[str], route_arn: str
) -> dict[str, Any]:
    """Return what the authorizer's function is asked.

    Parameters
    ----------
    event : mapping
        The request as an event of the authorizer's own payload format.
    identity : list of str
        As `identity_values` returns them.
    """
    if authorizer.payload_format == "1.0":
        joined = ",".join(identity)
        asked = {"type": "REQUEST", "methodArn": route_arn, "identitySource": joined, "authorizationToken": joined}
        return asked | {name: event[name] for name in _SHARED_V1}
    asked_v2 = {"type": "REQUEST", "routeArn": route_arn, "identitySource": identity or None}
    return asked_v2 | {name: event[name] for name in _SHARED_V2 if name in event}


def read_answer(authorizer: Authorizer, payload: bytes) -> AuthorizerAnswer:
    """Return what a function's answer means.

    Raises
    ------
    AuthorizerAnswerError
        It is neither ``{"isAuthorized": …}`` nor a policy, whichever the authorizer promises.
    """
    try:
        answer = read_json(payload)
    except ValueError as error:
        raise AuthorizerAnswerError("the answer is not JSON") from error
    context = answer.get("context") or {} if isinstance(answer, dict) else None
    if not isinstance(context, dict):
        raise AuthorizerAnswerError("the answer, or its context, is no object")
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
    """Answers of one API's authorizers, by their identity sources' values.

    Parameters
    ----------
    clock : callable
        Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, ...], tuple[float, AuthorizerAnswer]] = {}

    def find(self, authorizer: Authorizer, identity: list[str]) -> AuthorizerAnswer | None:
        """Return an answer that is still good, or None."""
        if not authorizer.ttl_s:
            return None
        expires, answer = self._kept.get((authorizer.name, *identity), (0.0, None))
        return answer if self._clock() < expires else None

    def keep(self, authorizer: Authorizer, identity: list[str], answer: AuthorizerAnswer) -> None:
        """Keep an answer for as long as the authorizer allows."""
        if not authorizer.ttl_s:
            return
        now = self._clock()
        if len(self._kept) >= _MOST_KEPT:
            self._kept = {key: one for key, one in self._kept.items() if one[0] > now}
        if len(self._kept) >= _MOST_KEPT:
            # All of them still good: the one kept first has to go.
            del self._kept[next(iter(self._kept))]
        self._kept[authorizer.name, *identity] = (now + authorizer.ttl_s, answer)


def _identity_value(source: str, event: Mapping[str, Any]) -> str | None:
    value: Any
    if source.startswith(HEADER):
        name = source.removeprefix(HEADER).lower()
        value = "; ".join(event.get("cookies", ())) if name == "cookie" else event["headers"].get(name)
    elif source.startswith(QUERY):
        value = event.get("queryStringParameters", {}).get(source.removeprefix(QUERY))
    elif source.startswith(STAGE_VARIABLE):
        value = event.get("stageVariables", {}).get(source.removeprefix(STAGE_VARIABLE))
    else:
        value = event["requestContext"]
        for key in CONTEXT_PATHS[source.removeprefix(CONTEXT)]:
            value = value[key]
    return value if isinstance(value, str) else None
