"""Faults on purpose."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from emulator.lambda_service.fault_injection import (
    ADD_DELAY,
    ERROR,
    EVERY_FUNCTION,
    HTTP_RESPONSE,
    Fault,
    FaultError,
    FaultInjector,
    read_fault,
    read_faults,
)
from emulator.lambda_service.invocations import InvocationResult, TooManyRequestsError


class Function:
    """Answers at once, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> asyncio.Future[InvocationResult]:
        self.calls += 1
        future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        future.set_result(InvocationResult(b'"real"', None, "3"))
        return future


def outcome(injector: FaultInjector, function: Function, name: str = "f") -> InvocationResult:
    async def call() -> InvocationResult:
        return await injector.submit(name, function, version="3")

    return asyncio.run(call())


def test_without_a_fault_nothing_is_added() -> None:
    injector, function = FaultInjector(lambda: 0.0), Function()
    assert not injector.is_set
    injector.set("other", Fault(ERROR))
    assert outcome(injector, function) == InvocationResult(b'"real"', None, "3")


@pytest.mark.parametrize(("prevent", "calls"), [(True, 0), (False, 1)])
def test_an_error_takes_the_answers_place_and_may_prevent_the_call(prevent: bool, calls: int) -> None:
    injector, function = FaultInjector(lambda: 0.0), Function()
    injector.set("f", Fault(ERROR, prevent_execution=prevent))
    result = outcome(injector, function)
    assert (result.function_error, result.version, function.calls) == ("Unhandled", "3", calls)
    assert json.loads(result.payload).keys() == {"errorType", "errorMessage"}


def test_an_http_answer_is_no_error_of_the_function() -> None:
    injector, function = FaultInjector(lambda: 0.0), Function()
    injector.set(EVERY_FUNCTION, Fault(HTTP_RESPONSE, status_code=429, content_type="text/html"))
    result = outcome(injector, function)
    assert result.function_error is None
    assert json.loads(result.payload) == {"statusCode": 429, "headers": {"Content-Type": "text/html"}, "body": ""}


def test_the_rate_is_that_of_the_draws() -> None:
    draws = iter([0.0, 0.249, 0.25, 0.99])
    injector, function = FaultInjector(lambda: next(draws)), Function()
    injector.set("f", Fault(ERROR, percentage=25))
    assert [outcome(injector, function).function_error for _ in range(4)] == ["Unhandled", "Unhandled", None, None]


def test_a_delay_comes_before_the_call_and_its_refusal_is_the_callers() -> None:
    async def scenario() -> None:
        injector = FaultInjector(lambda: 0.0)
        injector.set("f", Fault(ADD_DELAY, delay_ms=1))
        function = Function()
        waiting = injector.submit("f", function)
        assert function.calls == 0
        assert (await waiting).payload == b'"real"'

        def refuse() -> asyncio.Future[InvocationResult]:
            raise TooManyRequestsError("f", 1)

        with pytest.raises(TooManyRequestsError):
            await injector.submit("f", refuse)

    asyncio.run(scenario())


def test_what_is_described_can_be_set_again_and_cleared() -> None:
    injector = FaultInjector(lambda: 0.0)
    injector.set("f", Fault(ADD_DELAY, 5, 10))
    injector.set("f", Fault(HTTP_RESPONSE, status_code=404))
    injector.set("g", Fault(ERROR, prevent_execution=True))
    document = json.loads(json.dumps(injector.describe()))
    again = FaultInjector(lambda: 0.0)
    again.replace_all(read_faults(document))
    assert again.describe() == document
    again.clear("g")
    assert len(again.describe()["faults"]) == 2
    again.clear()
    assert not again.is_set


def test_numbers_and_booleans_may_be_strings_as_in_a_template() -> None:
    parameters = {"invocationPercentage": "50", "preventExecution": "True", "statusCode": "404"}
    assert read_fault(HTTP_RESPONSE, parameters) == Fault(HTTP_RESPONSE, 50, 2000, True, 404)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], r'must be \{"faults": \[...\]\}'),
        ({"faults": {}}, "must be"),
        ({"faults": [1]}, "/faults/0: must be an object"),
        ({"faults": [{"actionId": ERROR, "more": 1}]}, "/faults/0: must be an object"),
        ({"faults": [{"actionId": ERROR}, {"actionId": "aws:ec2:stop"}]}, "/faults/1/actionId: must be one of aws"),
        ({"faults": [{"function": 1, "actionId": ERROR}]}, "/faults/0/function"),
        ({"faults": [{"actionId": ERROR, "parameters": {"statusCode": 1}}]}, "invocationPercentage, preventExecution"),
        ({"faults": [{"actionId": ERROR, "parameters": {"invocationPercentage": 0}}]}, "from 1 to 100"),
        ({"faults": [{"actionId": ADD_DELAY, "parameters": {"startupDelayMilliseconds": True}}]}, "whole number"),
        ({"faults": [{"actionId": ERROR, "parameters": {"preventExecution": "no"}}]}, "must be true or false"),
        ({"faults": [{"actionId": HTTP_RESPONSE, "parameters": {"contentTypeHeader": "a/b\r\n"}}]}, "media type"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(document: Any, place: str) -> None:
    with pytest.raises(FaultError, match=place):
        read_faults(document)
