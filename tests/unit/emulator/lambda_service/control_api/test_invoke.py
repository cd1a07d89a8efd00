"""How Invoke answers, whatever runs the function."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.lambda_service.control_api.invoke import Invoker
from emulator.lambda_service.data_plane.event_queue.retries import AsyncInvocations, RetryWaits
from emulator.lambda_service.errors import LambdaApiError
from emulator.lambda_service.invocation import SNAP_START_TIMEOUT, UNHANDLED, InvocationResult, error_payload


def new_invoker(result: InvocationResult) -> Invoker:
    async def submit(*_: Any, **__: Any) -> InvocationResult:
        return result

    catalogue = SimpleNamespace(check_created=lambda *_: None)
    service: Any = SimpleNamespace(submit=submit, operations=SimpleNamespace(catalogue=catalogue))
    return Invoker(service, AsyncInvocations(RetryWaits(), clock=lambda: 0.0))


@pytest.mark.fidelity("failing-hooks")
def test_a_failed_restore_is_an_error_of_invoke_itself() -> None:
    failure = InvocationResult(error_payload("Sandbox.Timedout", "too slow"), UNHANDLED, "1", None, SNAP_START_TIMEOUT)
    with pytest.raises(LambdaApiError) as refused:
        asyncio.run(new_invoker(failure).invoke({"FunctionName": "f"}, {}, b"", "id"))
    error = refused.value
    assert (error.code, error.status) == ("SnapStartTimeoutException", 408)
    assert error.message == "Sandbox.Timedout: too slow"


def test_an_error_of_the_function_is_an_answer() -> None:
    failure = InvocationResult(error_payload("ValueError", "no"), UNHANDLED, "1")
    answer = asyncio.run(new_invoker(failure).invoke({"FunctionName": "f"}, {}, b"", "id"))
    assert (answer.status, answer.headers["X-Amz-Function-Error"]) == (200, UNHANDLED)
