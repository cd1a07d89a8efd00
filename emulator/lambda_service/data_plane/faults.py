"""Injected faults: delays, errors and HTTP answers in place of a function's own, at a rate.

Source: "AWS FIS actions reference", the actions ``aws:lambda:…``. Names and parameters are FIS's, so that an experiment
here can be repeated there. A fault acts on a request that was admitted. All parameters are optional here; without
``duration`` a fault lasts until it is taken back.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

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
"""Begins a call that reaches the function this many seconds late."""


class FaultError(ValueError):
    """A fault's description is wrong; the message says what to write."""


def _seconds(duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return hours * 3600 + minutes * 60 + seconds


def _checked_duration(duration: str) -> str:
    if not 0 < _seconds(duration) <= _LONGEST_S:
        raise ValueError("must be a time of ISO 8601 up to PT12H, such as PT5M or PT1M30S")
    return duration


def _checked_media_type(text: str) -> str:
    if not text.isprintable() or "/" not in text:
        raise ValueError("must be a media type, such as application/json")
    return text


def _from_text(value: object) -> object:
    """Return the number or boolean that a text stands for; in FIS's templates every parameter is a text."""
    if not isinstance(value, str):
        return value
    return int(value) if re.fullmatch("[0-9]{1,9}", value) else {"true": True, "false": False}.get(value.lower(), value)


_Number = Annotated[int, Strict(), BeforeValidator(_from_text)]
_Boolean = Annotated[bool, Strict(), BeforeValidator(_from_text)]
_Duration = Annotated[str, Strict(), AfterValidator(_checked_duration)]
_MediaType = Annotated[str, Strict(), AfterValidator(_checked_media_type)]


@dataclass(frozen=True, slots=True, config=ConfigDict(alias_generator=to_camel, populate_by_name=True))
class Fault:
    """One action, with FIS's parameters."""

    action_id: str
    invocation_percentage: Annotated[_Number, Field(ge=1, le=100)] = 100
    startup_delay_milliseconds: Annotated[_Number, Field(ge=0, le=_MAX_DELAY_MS)] = 1000
    prevent_execution: _Boolean = False  # True: the function doesn't run at all
    status_code: Annotated[_Number, Field(ge=0, le=999)] = 500  # Of the HTTP answer
    content_type_header: _MediaType = "application/json"
    duration: _Duration | None = None  # In ISO 8601; None: until it is taken back

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return math.inf if self.duration is None else _seconds(self.duration)

    @property
    def payload(self) -> bytes:
        """The caller's answer in place of the function's."""
        if self.action_id == ERROR:
            return error_payload("Runtime.InjectedFault", f"{ERROR}: a fault was injected into this invocation")
        headers = {"Content-Type": self.content_type_header}
        return json.dumps({"statusCode": self.status_code, "headers": headers, "body": ""}).encode()

    def describe(self) -> dict[str, Any]:
        """Return it as `read_faults` takes it."""
        parameters = _FAULT.dump_python(self, by_alias=True, exclude_none=True)
        allowed = _ALLOWED[self.action_id]
        return {
            "actionId": self.action_id,
            "parameters": {name: value for name, value in parameters.items() if name in allowed},
        }


_FAULT = TypeAdapter(Fault)


class FaultInjector:
    """The faults that are set; `draw` returns a random number from [0, 1), `clock` monotonic seconds."""

    def __init__(self, draw: Callable[[], float], clock: Callable[[], float]) -> None:
        self._draw = draw
        self._clock = clock
        # Function and action → the fault, and the time of its end.
        self._faults: dict[tuple[str, str], tuple[Fault, float]] = {}
        self._tasks = BackgroundTasks()

    @property
    def is_set(self) -> bool:
        """Whether there is any fault; without one, `submit` need not be called."""
        return bool(self._faults)

    def set(self, function: str, fault: Fault) -> None:
        """Set a fault of a function, of one ``function:version``, or of `EVERY_FUNCTION`.

        It replaces one of the same action. If several fit a call, the narrowest counts.
        """
        self._faults[function, fault.action_id] = fault, self._clock() + fault.duration_s

    def clear(self) -> None:
        """Take back all faults."""
        self._faults.clear()

    def replace_all(self, faults: Iterable[tuple[str, Fault]]) -> None:
        """Set these faults, and take back all others."""
        self.clear()
        for function, fault in faults:
            self.set(function, fault)

    def describe(self) -> dict[str, Any]:
        """Return the faults as `read_faults` takes them."""
        self._end_what_is_over()
        faults = [{"function": function, **fault.describe()} for (function, _), (fault, _) in self._faults.items()]
        return {"faults": faults}

    def submit(self, name: str, run: Run, *, version: str) -> asyncio.Future[InvocationResult]:
        """Call a function through its faults; `run` begins the call at once, unless a fault prevents it."""
        self._end_what_is_over()
        faults: dict[str, Fault] = {}
        for target in (EVERY_FUNCTION, name, f"{name}:{version}"):
            faults |= {action: fault for (function, action), (fault, _) in self._faults.items() if function == target}
        hit = {action: fault for action, fault in faults.items() if self._draw() * 100 < fault.invocation_percentage}
        delay_s = hit[ADD_DELAY].startup_delay_milliseconds / 1000 if ADD_DELAY in hit else 0.0
        replacing = hit.get(ERROR) or hit.get(HTTP_RESPONSE)
        if replacing is None:
            return run(delay_s)
        # The call begins here and not in the task: its version may be gone by then.
        call = None if replacing.prevent_execution else run(delay_s)
        return self._tasks.start(_replace(call, delay_s, replacing, version), f"replace an answer of {name}")

    def _end_what_is_over(self) -> None:
        now = self._clock()
        self._faults = {key: (fault, end) for key, (fault, end) in self._faults.items() if end > now}


async def _replace(
    call: asyncio.Future[InvocationResult] | None, delay_s: float, replacing: Fault, version: str
) -> InvocationResult:
    if call is None:
        await asyncio.sleep(delay_s)
    else:
        version = (await call).version
    return InvocationResult(replacing.payload, UNHANDLED if replacing.action_id == ERROR else None, version)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    function: Annotated[str, Strict(), Field(min_length=1)] = EVERY_FUNCTION
    action_id: Literal["aws:lambda:invocation-add-delay", "aws:lambda:invocation-error",
                       "aws:lambda:invocation-http-integration-response"]  # fmt: skip
    parameters: dict[str, Any] = {}


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    faults: list[_Entry]


def read_faults(document: object) -> list[tuple[str, Fault]]:
    """Return functions and faults of ``{"faults": [{"function": …, "actionId": …, "parameters": …}]}``.

    Numbers and booleans may be strings, as in FIS.

    Raises
    ------
    FaultError
        The document is something else; the message names the place.
    """
    place = ""
    try:
        faults = []
        for number, entry in enumerate(_Document.model_validate(document).faults):
            place = f"/faults/{number}/parameters"
            allowed = _ALLOWED[entry.action_id]
            if entry.parameters.keys() - allowed:
                raise FaultError(f"{place}: must be an object of {', '.join(sorted(allowed))}, all optional")
            fault = _FAULT.validate_python({"actionId": entry.action_id, **entry.parameters})
            faults.append((entry.function, fault))
    except ValidationError as error:
        first = error.errors()[0]
        raise FaultError("/".join([place, *map(str, first["loc"])]) + f": {first['msg']}") from error
    return faults
