"""Injected faults."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from emulator.lambda_service.data_plane.faults import (
    ADD_DELAY,
    ERROR,
    EVERY_FUNCTION,
    HTTP_RESPONSE,
    Fault,
    FaultError,
    FaultInjector,
    read_faults,
)
from emulator.lambda_service.errors import TooManyRequestsError
from emulator.lambda_service.invocation import InvocationResult


class Function:
    """Answers at once, and notes how late each call was to reach it."""

    def __init__(self) -> None:
        self.delays_s: list[float] = []

    @property
    def calls(self) -> int:
        return len(self.delays_s)

    def __call__(self, delay_s: float) -> asyncio.Future[InvocationResult]:
        self.delays_s.append(delay_s)
        future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        future.set_result(InvocationResult(b'"real"', None, "3"))
        return future


def read_fault(action_id: str, parameters: dict[str, str]) -> Fault:
    ((_, fault),) = read_faults({"faults": [{"actionId": action_id, "parameters": parameters}]})
    return fault


def new_injector() -> FaultInjector:
    return FaultInjector(lambda: 0.0, lambda: 0.0)


def outcome(injector: FaultInjector, function: Function, name: str = "f") -> InvocationResult:
    async def call() -> InvocationResult:
        return await injector.submit(name, function, version="3")

    return asyncio.run(call())


def test_without_a_fault_nothing_is_added() -> None:
    injector, function = new_injector(), Function()
    assert not injector.is_set
    injector.set("other", Fault(ERROR))
    assert outcome(injector, function) == InvocationResult(b'"real"', None, "3")


@pytest.mark.parametrize(("prevent", "calls"), [(True, 0), (False, 1)])
@pytest.mark.fidelity("injected-faults")
def test_an_error_takes_the_answers_place_and_may_prevent_the_call(prevent: bool, calls: int) -> None:
    injector, function = new_injector(), Function()
    injector.set("f", Fault(ERROR, prevent_execution=prevent))
    result = outcome(injector, function)
    assert (result.function_error, result.version, function.calls) == ("Unhandled", "3", calls)
    assert json.loads(result.payload).keys() == {"errorType", "errorMessage"}


def test_an_http_answer_isnt_a_function_error() -> None:
    injector, function = new_injector(), Function()
    injector.set(EVERY_FUNCTION, Fault(HTTP_RESPONSE, status_code=429, content_type_header="text/html"))
    result = outcome(injector, function)
    assert result.function_error is None
    assert json.loads(result.payload) == {"statusCode": 429, "headers": {"Content-Type": "text/html"}, "body": ""}


def test_the_rate_is_that_of_the_draws() -> None:
    draws = iter([0.0, 0.249, 0.25, 0.99])
    injector, function = FaultInjector(lambda: next(draws), lambda: 0.0), Function()
    injector.set("f", Fault(ERROR, invocation_percentage=25))
    assert [outcome(injector, function).function_error for _ in range(4)] == ["Unhandled", "Unhandled", None, None]


def test_a_delay_is_the_environments_and_a_refusal_of_the_call_is_the_callers() -> None:
    async def scenario() -> None:
        injector, function = new_injector(), Function()
        injector.set("f", Fault(ADD_DELAY, startup_delay_milliseconds=1500))
        assert (await injector.submit("f", function, version="1")).payload == b'"real"'
        injector.set("f", Fault(ERROR))
        waiting = injector.submit("f", function, version="1")
        assert function.delays_s == [1.5, 1.5], "begun at once, whatever is waited for then"
        assert (await waiting).function_error == "Unhandled"

        def refuse(_: float) -> asyncio.Future[InvocationResult]:
            raise TooManyRequestsError("f", 1)

        with pytest.raises(TooManyRequestsError):
            injector.submit("f", refuse, version="1")

    asyncio.run(scenario())


@pytest.mark.fidelity("injected-faults")
def test_a_fault_with_a_duration_ends_by_itself() -> None:
    now = [100.0]
    injector, function = FaultInjector(lambda: 0.0, lambda: now[0]), Function()
    injector.set("f", read_fault(ERROR, {"duration": "PT1M30S"}))
    injector.set("g", Fault(ERROR))
    now[0] = 189.0
    assert outcome(injector, function).function_error == "Unhandled"
    assert injector.describe()["faults"][0]["parameters"]["duration"] == "PT1M30S"
    now[0] = 190.0
    assert outcome(injector, function).function_error is None
    assert [fault["function"] for fault in injector.describe()["faults"]] == ["g"]


def test_described_faults_can_be_set_again_and_cleared() -> None:
    injector = new_injector()
    injector.set("f", Fault(ADD_DELAY, 5, 10))
    injector.set("f", Fault(HTTP_RESPONSE, status_code=404))
    injector.set("g", Fault(ERROR, prevent_execution=True))
    document = json.loads(json.dumps(injector.describe()))
    again = new_injector()
    again.replace_all(read_faults(document))
    assert again.describe() == document
    again.clear()
    assert not again.is_set


def test_numbers_and_booleans_may_be_strings_as_in_a_template() -> None:
    parameters = {"invocationPercentage": "50", "preventExecution": "True", "statusCode": "404"}
    assert read_fault(HTTP_RESPONSE, parameters) == Fault(HTTP_RESPONSE, 50, 1000, True, 404)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "Input should be .*dictionary"),
        ({"faults": {}}, "/faults: Input should be a valid list"),
        ({"faults": [], "more": 1}, "/more: Extra inputs are not permitted"),
        ({"faults": [1]}, "/faults/0: Input should be .*dictionary"),
        ({"faults": [{"actionId": ERROR, "more": 1}]}, "/faults/0/more: Extra inputs"),
        ({"faults": [{"actionId": ERROR}, {"actionId": "aws:ec2:stop"}]}, "/faults/1/actionId: .*'aws:lambda:"),
        ({"faults": [{"function": 1, "actionId": ERROR}]}, "/faults/0/function"),
        ({"faults": [{"actionId": ERROR, "parameters": {"statusCode": 1}}]}, "invocationPercentage, preventExecution"),
        ({"faults": [{"actionId": ERROR, "parameters": {"invocationPercentage": 0}}]},
         "/faults/0/parameters/invocationPercentage: Input should be greater than or equal to 1"),
        ({"faults": [{"actionId": ADD_DELAY, "parameters": {"startupDelayMilliseconds": True}}]},
         "/startupDelayMilliseconds: Input should be a valid integer"),
        ({"faults": [{"actionId": ERROR, "parameters": {"preventExecution": "no"}}]},
         "/preventExecution: Input should be a valid boolean"),
        ({"faults": [{"actionId": HTTP_RESPONSE, "parameters": {"contentTypeHeader": "a/b\r\n"}}]}, "media type"),
        ({"faults": [{"actionId": ERROR, "parameters": {"duration": "PT13H"}}]}, "/duration: .*a time of ISO 8601"),
    ],
)  # fmt: skip
def test_the_message_names_the_wrong_place(document: Any, place: str) -> None:
    with pytest.raises(FaultError, match=place):
        read_faults(document)
