"""Faults on purpose: delays, errors and HTTP answers in place of a function's own, at a rate.

Source: "AWS FIS actions reference", the actions ``aws:lambda:…``. Names and parameters are FIS's, so that an experiment
here can be repeated there. A fault acts on a request that was admitted. All parameters are optional here; without
``duration`` a fault lasts until it is taken back.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.lambda_service.invocation import UNHANDLED, InvocationResult, error_payload
from emulator.supervision import BackgroundTasks

ADD_DELAY = "aws:lambda:invocation-add-delay"
ERROR = "aws:lambda:invocation-error"
HTTP_RESPONSE = "aws:lambda:invocation-http-integration-response"
EVERY_FUNCTION = "*"

_MAX_DELAY_MS = 900_000
_ALLOWED = {
    ADD_DELAY: {"duration", "invocationPercentage", "startupDelayMilliseconds"},
    ERROR: {"duration", "invocationPercentage", "preventExecution"},
    HTTP_RESPONSE: {"duration", "invocationPercentage", "preventExecution", "statusCode", "contentTypeHeader"},
}
_DURATION = re.compile(r"PT(?=\d)(?:(\d{1,2})H)?(?:(\d{1,3})M)?(?:(\d{1,5})S)?")
_LONGEST_S = 12 * 3600
Run = Callable[[float], "asyncio.Future[InvocationResult]"]
"""Begins a call that reaches the function so many seconds late."""


class FaultError(ValueError):
    """A fault's description is wrong; the message says what to write."""


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
    duration : str or None
        How long it lasts, in ISO 8601; None is until it is taken back.
    """

    action_id: str
    percentage: int = 100
    delay_ms: int = 1000
    prevent_execution: bool = False
    status_code: int = 500
    content_type: str = "application/json"
    duration: str | None = None

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return math.inf if self.duration is None else _seconds(self.duration)

    @property
    def payload(self) -> bytes:
        """The caller's answer in place of the function's."""
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
        if self.duration is not None:
            parameters["duration"] = self.duration
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
        Returns a random number from [0, 1).
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, draw: Callable[[], float], clock: Callable[[], float]) -> None:
        self._draw = draw
        self._clock = clock
        # Of each function at most one of each action, applied in the order of `_ALLOWED`.
        self._faults: dict[str, dict[str, Fault]] = {}
        self._ends: dict[tuple[str, str], float] = {}
        self._tasks = BackgroundTasks()

    @property
    def is_set(self) -> bool:
        """Whether there is any fault; without one, `submit` need not be called."""
        return bool(self._faults)

    def set(self, function: str, fault: Fault) -> None:
        """Set a fault of a function, of one ``function:version``, or of `EVERY_FUNCTION`.

        It replaces one of the same action. If several fit a call, the narrowest counts.
        """
        self._faults.setdefault(function, {})[fault.action_id] = fault
        self._ends[function, fault.action_id] = self._clock() + fault.duration_s

    def clear(self, function: str | None = None) -> None:
        """Take back a function's faults, or all."""
        for key in list(self._ends):
            if function in {None, key[0]}:
                self._take_back(*key)

    def replace_all(self, faults: Iterable[tuple[str, Fault]]) -> None:
        """Set these faults, and take back all others."""
        self.clear()
        for function, fault in faults:
            self.set(function, fault)

    def describe(self) -> dict[str, Any]:
        """Return the faults as `read_faults` takes them."""
        self._end_what_is_over()
        return {
            "faults": [
                {"function": function, **fault.describe()}
                for function, faults in self._faults.items()
                for fault in faults.values()
            ]
        }

    def submit(self, name: str, run: Run, *, version: str) -> asyncio.Future[InvocationResult]:
        """Call a function through its faults.

        Parameters
        ----------
        name : str
            The function.
        run : callable
            Begins the call, at once; not called where a fault prevents it.
        version : str
            The one that is called.
        """
        self._end_what_is_over()
        faults: dict[str, Fault] = {}
        for target in (EVERY_FUNCTION, name, f"{name}:{version}"):
            faults |= self._faults.get(target, {})
        hit = {action: fault for action, fault in faults.items() if self._draw() * 100 < fault.percentage}
        delay_s = hit[ADD_DELAY].delay_ms / 1000 if ADD_DELAY in hit else 0.0
        replacing = hit.get(ERROR) or hit.get(HTTP_RESPONSE)
        if replacing is None:
            return run(delay_s)
        # The call begins here and not in the task: its version may be gone by then.
        call = None if replacing.prevent_execution else run(delay_s)
        return self._tasks.start(_replace(call, delay_s, replacing, version), f"replace an answer of {name}")

    def _end_what_is_over(self) -> None:
        now = self._clock()
        for key in [key for key, end in self._ends.items() if end <= now]:
            self._take_back(*key)

    def _take_back(self, function: str, action_id: str) -> None:
        del self._ends[function, action_id]
        del self._faults[function][action_id]
        if not self._faults[function]:
            del self._faults[function]


async def _replace(
    call: asyncio.Future[InvocationResult] | None, delay_s: float, replacing: Fault, version: str
) -> InvocationResult:
    if call is None:
        await asyncio.sleep(delay_s)
    else:
        version = (await call).version
    return InvocationResult(replacing.payload, UNHANDLED if replacing.action_id == ERROR else None, version)


def read_faults(document: object) -> list[tuple[str, Fault]]:
    """Return functions and faults of ``{"faults": [{"function": …, "actionId": …, "parameters": …}]}``.

    Raises
    ------
    FaultError
        The document is something else; the message names the place.
    """
    if not isinstance(document, dict) or not isinstance(document.get("faults"), list) or len(document) != 1:
        raise FaultError('must be {"faults": [...]}, each fault with function, actionId and parameters')
    return [_read_entry(f"/faults/{number}", entry) for number, entry in enumerate(document["faults"])]


def _read_entry(place: str, entry: object) -> tuple[str, Fault]:
    if not isinstance(entry, dict) or entry.keys() - {"function", "actionId", "parameters"}:
        raise FaultError(f"{place}: must be an object of function, actionId and parameters")
    function = entry.get("function", EVERY_FUNCTION)
    if not isinstance(function, str) or not function:
        raise FaultError(f'{place}/function: must be a function\'s name, name:version, or "{EVERY_FUNCTION}" for each')
    return function, read_fault(entry.get("actionId"), entry.get("parameters", {}), place)


def read_fault(action_id: object, parameters: object, place: str = "") -> Fault:
    """Return the fault that FIS's names describe; numbers and booleans may be strings, as in FIS.

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
        delay_ms=_whole_number(at, parameters, "startupDelayMilliseconds", 1000, 0, _MAX_DELAY_MS),
        prevent_execution=_truth(at, parameters, "preventExecution"),
        status_code=_whole_number(at, parameters, "statusCode", 500, 0, 999),
        content_type=content_type,
        duration=_duration(at, parameters),
    )


def _whole_number(at: str, parameters: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = parameters.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise FaultError(f"{at}/{name}: must be a whole number from {least} to {most}")
    return value


def _duration(at: str, parameters: Mapping[str, Any]) -> str | None:
    value = parameters.get("duration")
    if value is not None and not (isinstance(value, str) and 0 < _seconds(value) <= _LONGEST_S):
        raise FaultError(f"{at}/duration: must be a time of ISO 8601 up to PT12H, such as PT5M or PT1M30S")
    return value


def _seconds(duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return hours * 3600 + minutes * 60 + seconds


def _truth(at: str, parameters: Mapping[str, Any], name: str) -> bool:
    value = parameters.get(name, False)
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        value = value.lower() == "true"
    if not isinstance(value, bool):
        raise FaultError(f"{at}/{name}: must be true or false")
    return value
