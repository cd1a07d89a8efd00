"""Lambda authorizers: identity values, their events, their answers and how long these are cached."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from emulator.http_api.authorizers import (
    AnswerCache,
    AuthorizerAnswer,
    AuthorizerAnswerError,
    authorizer_event,
    identity_values,
    read_answer,
)
from emulator.http_api.iam_policies import PolicyError, allows
from emulator.template.http_api_spec import Authorizer
from emulator.template.identity_sources import IdentitySourceError, path_in_event

SIMPLE = Authorizer("A", "F", simple_answers=True, identity_sources=("$request.header.Authorization",), ttl_s=60)
POLICY = dataclasses.replace(SIMPLE, simple_answers=False)
ARN = "arn:aws:execute-api:us-east-1:1:Api/dev/GET/items/7"
EVENT: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "GET /items/{id}",
    "rawPath": "/items/7",
    "rawQueryString": "q=1",
    "cookies": ["a=1", "b=2"],
    "headers": {"authorization": "me", "empty": ""},
    "queryStringParameters": {"q": "1"},
    "stageVariables": {"colour": "blue"},
    "requestContext": {"routeKey": "GET /items/{id}", "http": {"method": "GET", "sourceIp": "10.0.0.9"}},
    "body": "never shown",
    "isBase64Encoded": False,
}


@pytest.mark.parametrize(
    ("sources", "values"),
    [
        (("$request.header.Authorization",), ["me"]),
        (("$request.header.cookie", "$request.querystring.q"), ["a=1; b=2", "1"]),
        (("$stageVariables.colour", "$context.routeKey"), ["blue", "GET /items/{id}"]),
        (("$context.httpMethod", "$context.identity.sourceIp"), ["GET", "10.0.0.9"]),
        (("$request.header.authorization", "$request.querystring.Q"), None),
        (("$request.header.empty",), None),
        (("$stageVariables.missing",), None),
        ((), []),
    ],
)
def test_identity_values_are_complete_or_none(sources: tuple[str, ...], values: list[str] | None) -> None:
    assert identity_values(dataclasses.replace(SIMPLE, identity_sources=sources), EVENT) == values


@pytest.mark.parametrize(
    "source", ["method.request.header.A", "$request.body.a", "$context.nothing", "$request.header.", "path"]
)
def test_an_unknown_identity_source_is_refused(source: str) -> None:
    with pytest.raises(IdentitySourceError, match="not imitated"):
        path_in_event(source)


def test_the_authorizers_event_in_format_2() -> None:
    event = authorizer_event(SIMPLE, EVENT, ["me"], ARN)
    assert event == {
        **{name: value for name, value in EVENT.items() if name not in {"body", "isBase64Encoded"}},
        "type": "REQUEST",
        "routeArn": ARN,
        "identitySource": ["me"],
    }


@pytest.mark.parametrize(
    ("answer", "context"),
    [
        ({"isAuthorized": True}, {}),
        ({"isAuthorized": True, "context": {"n": 1, "list": [1]}}, {"n": 1, "list": [1]}),
        ({"isAuthorized": True, "context": None}, {}),
    ],
)
def test_a_simple_answer_that_allows(answer: Any, context: dict[str, Any]) -> None:
    read = read_answer(SIMPLE, json.dumps(answer).encode())
    assert read.allows(ARN)
    assert read.context == context


def test_a_simple_answer_that_denies() -> None:
    assert not read_answer(SIMPLE, b'{"isAuthorized": false}').allows(ARN)


@pytest.mark.parametrize(
    "payload",
    [
        b"no",
        b"null",
        b"[]",
        b"{}",
        b"NaN",
        b'{"isAuthorized": true, "x": NaN}',
        b'{"isAuthorized": "true"}',
        b'{"isAuthorized": 1}',
    ],
)
def test_an_answer_of_another_form_is_an_error(payload: bytes) -> None:
    for authorizer in (SIMPLE, POLICY):
        with pytest.raises(AuthorizerAnswerError):
            read_answer(authorizer, payload)


def statement(effect: str, resource: Any, action: Any = "execute-api:Invoke") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (statement("Allow", ARN), True),
        ([statement("Allow", "*")], True),
        ([statement("Allow", ["arn:*:Api/dev/GET/items/?"])], True),
        ([statement("Allow", "arn:*/GET/*", "Execute-API:*")], True),
        ([statement("Allow", "arn:*/POST/*")], False),
        ([statement("Allow", "*", "s3:GetObject")], False),
        ([statement("Allow", "*"), statement("Deny", "*/items/*")], False),
        ([statement("Deny", "*")], False),
        ([{"Effect": "Allow", "NotAction": "s3:*", "NotResource": "*/POST/*"}], True),
        ([{"Effect": "Allow", "NotAction": "execute-api:*", "Resource": "*"}], False),
    ],
)
@pytest.mark.fidelity("lambda-authorizers")
def test_a_policy_is_evaluated_for_the_route(statements: Any, expected: bool) -> None:
    document = {"Version": "2012-10-17", "Statement": statements}
    assert allows(document, ARN) is expected
    answer = read_answer(POLICY, json.dumps({"principalId": "p", "policyDocument": document}).encode())
    assert answer.allows(ARN) is expected


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"Statement": []},
        {"Statement": ["x"]},
        {"Statement": {"Effect": "allow"}},
        {"Statement": statement("Allow", "*") | {"Condition": {"a": "b"}}},
        {"Statement": {"Effect": "Allow", "Action": "*"}},
    ],
)
def test_a_policy_that_cannot_be_evaluated_is_an_error(document: Any) -> None:
    with pytest.raises(PolicyError):
        allows(document, ARN)
    with pytest.raises(AuthorizerAnswerError):
        read_answer(POLICY, json.dumps({"principalId": "p", "policyDocument": document}).encode())


@pytest.mark.fidelity("authorizer-cache")
def test_answers_are_cached_by_identity_until_they_expire() -> None:
    now = [0.0]
    cache = AnswerCache(lambda: now[0])
    mine, other = AuthorizerAnswer(True), AuthorizerAnswer(False)
    cache.keep(SIMPLE, ["me"], mine)
    cache.keep(SIMPLE, ["you"], other)
    assert cache.find(SIMPLE, ["me"]) is mine
    assert cache.find(SIMPLE, ["you"]) is other
    assert cache.find(SIMPLE, ["them"]) is None
    assert cache.find(dataclasses.replace(SIMPLE, name="B"), ["me"]) is None
    now[0] = 59.9
    assert cache.find(SIMPLE, ["me"]) is mine
    now[0] = 60.0
    assert cache.find(SIMPLE, ["me"]) is None
    without = dataclasses.replace(SIMPLE, ttl_s=0)
    cache.keep(without, ["me"], mine)
    assert cache.find(without, ["me"]) is None


def test_the_number_of_cached_answers_is_limited() -> None:
    now = [0.0]
    cache = AnswerCache(lambda: now[0])
    for number in range(10_005):
        cache.keep(SIMPLE, [str(number)], AuthorizerAnswer(True))
    assert cache.find(SIMPLE, ["0"]) is None
    assert cache.find(SIMPLE, ["10004"]) is not None
