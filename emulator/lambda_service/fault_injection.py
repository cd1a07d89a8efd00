"""Faults on purpose: delays, errors and HTTP answers in place of a function's own, at a rate.

Source: "AWS FIS actions reference", the actions ``aws:lambda:…``; their names and parameters are kept, so that what
is tried here can be tried there. A fault acts on a request that has been let in, and is off unless it is set.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.lambda_service.invocations import UNHANDLED, InvocationResult, error_payload

ADD_DELAY = "aws:lambda:invocation-add-delay"
ERROR = "aws:lambda:invocation-error"
HTTP_RESPONSE = "aws:lambda:invocation-http-integration-response"
EVERY_FUNCTION = "*"

_MAX_DELAY_MS = 900_000
_ALLOWED = {
    ADD_DELAY: {"invocationPercentage", "startupDelayMilliseconds"},
    ERROR: {"invocationPercentage", "preventExecution"},
    HTTP_RESPONSE: {"invocationPercentage", "preventExecution", "statusCode", "contentTypeHeader"},
}
Run = Callable[[], "asyncio.Future[InvocationResult]"]


class FaultError(ValueError):
    """A fault is not described as it must be; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One action.

    Parameters
    ----------
    action_id : str
        `ADD_DELAY`, `ERROR` or `HTTP_RESPONSE`.
    percentage : int
        Of the invocations, 1 to 100.
    delay_ms : int
        How much later the function begins.
    prevent_execution : bool
        Whether the function runs at all.
    status_code : int
        Of the HTTP answer.
    content_type : str
        Of the HTTP answer.
    """

    action_id: str
    percentage: int = 100
    delay_ms: int = 2000
    prevent_execution: bool = False
    status_code: int = 500
    content_type: str = "application/json"

    @property
    def payload(self) -> bytes:
        """What the caller gets in place of the function's answer."""
        if self.action_id == ERROR:
            return error_payload("Runtime.InjectedFault", f"{ERROR}: this invocation fails on purpose")
        headers = {"Content-Type": self.content_type}
        return json.dumps({"statusCode": self.status_code, "headers": headers, "body": ""}).encode()

    def describe(self) -> dict[str, Any]:
        """Return it as `read_fault` takes it."""
        parameters: dict[str, Any] = {
            "invocationPercentage": self.percentage,
            "startupDelayMilliseconds": self.delay_ms,
            "preventExecution": self.prevent_execution,
            "statusCode": self.status_code,
            "contentTypeHeader": self.content_type,
        }
        allowed = _ALLOWED[self.action_id]
        return {
            "actionId": self.action_id,
            "parameters": {name: value for name, value in parameters.items() if name in allowed},
        }


class FaultInjector:
    """The faults that are set.

    Parameters
    ----------
    draw : callable
        A number from 0 up to 1, a new one each time.
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        # Of each function at most one of each action, applied in the order of `_ALLOWED`.
        self._faults: dict[str, dict[str, Fault]] = {}

    @property
    def is_set(self) -> bool:
        """Whether there is any fault; without one, `submit` need not be called."""
        return bool(self._faults)

    def set(self, function: str, fault: Fault) -> None:
        """Set a fault of a function, or of `EVERY_FUNCTION`; one of the same action is replaced."""
        self._faults.setdefault(function, {})[fault.action_id] = fault

    def clear(self, function: str | None = None) -> None:
        """Take back a function's faults, or all."""
        if function is None:
            self._faults.clear()
        else:
            self._faults.pop(function, None)

    def replace_all(self, faults: Iterable[tuple[str, Fault]]) -> None:
        """Set these faults and take back all others."""
        self._faults.clear()
        for function, fault in faults:
            self.set(function, fault)

    def describe(self) -> dict[str, Any]:
        """Return the faults as `read_faults` takes them."""
        return {
            "faults": [
                {"function": function, **fault.describe()}
                for function, faults in self._faults.items()
                for fault in faults.values()
            ]
        }

    def submit(self, name: str, run: Run, *, version: str = "") -> asyncio.Future[InvocationResult]:
        """Call a function through its faults.

        Parameters
        ----------
        name : str
            The function.
        run : callable
            Begins the call; not called where a fault prevents it.
        version : str
            For a result without a call.
        """
        faults = {**self._faults.get(EVERY_FUNCTION, {}), **self._faults.get(name, {})}
        hit = {action: fault for action, fault in faults.items() if self._draw() * 100 < fault.percentage}
        if not hit:
            return run()
        return asyncio.ensure_future(_call(hit, run, version))


async def _call(hit: Mapping[str, Fault], run: Run, version: str) -> InvocationResult:
    if ADD_DELAY in hit:
        await asyncio.sleep(hit[ADD_DELAY].delay_ms / 1000)
    replacing = hit.get(ERROR) or hit.get(HTTP_RESPONSE)
    if replacing is None:
        return await run()
    if not replacing.prevent_execution:
        version = (await run()).version
    return InvocationResult(replacing.payload, UNHANDLED if replacing.action_id == ERROR else None, version)


def read_faults(document: object) -> list[tuple[str, Fault]]:
    """Return functions and faults of ``{"faults": [{"function": …, "actionId": …, "parameters": …}]}``.

    Raises
    ------
    FaultError
        It is something else; the message names the place.
    """
    if not isinstance(document, dict) or not isinstance(document.get("faults"), list) or len(document) != 1:
        raise FaultError('must be {"faults": [...]}, each fault with function, actionId and parameters')
    return [_read_one(f"/faults/{number}", one) for number, one in enumerate(document["faults"])]


def _read_one(place: str, one: object) -> tuple[str, Fault]:
    if not isinstance(one, dict) or one.keys() - {"function", "actionId", "parameters"}:
        raise FaultError(f"{place}: must be an object of function, actionId and parameters")
    function = one.get("function", EVERY_FUNCTION)
    if not isinstance(function, str) or not function:
        raise FaultError(f'{place}/function: must be a function\'s name, or "{EVERY_FUNCTION}" for each')
    return function, read_fault(one.get("actionId"), one.get("parameters", {}), place)


def read_fault(action_id: object, parameters: object, place: str = "") -> Fault:
    """Return the fault that FIS's names describe; numbers and booleans may be strings, as FIS has them.

    Raises
    ------
    FaultError
        An unknown action or parameter, or a value out of its range.
    """
    if not isinstance(action_id, str) or action_id not in _ALLOWED:
        raise FaultError(f"{place}/actionId: must be one of {', '.join(_ALLOWED)}")
    allowed = _ALLOWED[action_id]
    if not isinstance(parameters, dict) or parameters.keys() - allowed:
        raise FaultError(f"{place}/parameters: must be an object of {', '.join(sorted(allowed))}, all optional")
    at = f"{place}/parameters"
    content_type = parameters.get("contentTypeHeader", "application/json")
    if not isinstance(content_type, str) or not content_type.isprintable() or "/" not in content_type:
        raise FaultError(f"{at}/contentTypeHeader: must be a media type, such as application/json")
    return Fault(
        action_id,
        percentage=_whole_number(at, parameters, "invocationPercentage", 100, 1, 100),
        delay_ms=_whole_number(at, parameters, "startupDelayMilliseconds", 2000, 0, _MAX_DELAY_MS),
        prevent_execution=_truth(at, parameters, "preventExecution"),
        status_code=_whole_number(at, parameters, "statusCode", 500, 200, 599),
        content_type=content_type,
    )


def _whole_number(at: str, parameters: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = parameters.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise FaultError(f"{at}/{name}: must be a whole number from {least} to {most}")
    return value


def _truth(at: str, parameters: Mapping[str, Any], name: str) -> bool:
    value = parameters.get(name, False)
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        value = value.lower() == "true"
    if not isinstance(value, bool):
        raise FaultError(f"{at}/{name}: must be true or false")
    return value
