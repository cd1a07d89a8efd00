"""Holds the state of one request: its headers, its deadline, the time of each step, and the facts for its log line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from model_artifact.loading import LoadedModel
from model_registry.alias import Alias
from model_watch.prediction_log import ShadowEntry
from predict_api.models.clock import Clock, Instant

# A client's request id goes into a header and a log, so it may have no spaces or control characters and must be short.
# An id that breaks this is replaced by the invocation's. The OpenAPI document states both constants.
MAX_REQUEST_ID_LENGTH = 128
REQUEST_ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9._:/+=@-]*"
_REQUEST_ID = re.compile(REQUEST_ID_PATTERN)
UNMATCHED_ROUTE = "unmatched"


class ScoredBatch(NamedTuple):
    """The records that a version scored, with the probability and the warnings of each."""

    records: Sequence[Mapping[str, Any]]
    late_probabilities: Sequence[float]
    warnings: Sequence[Sequence[Mapping[str, str]]]


@dataclass
class Exchange:
    """The state of one request.

    ``request_id`` is the client's ``X-Request-Id``, or Lambda's own id of this invocation. Names of ``headers`` are in
    lower case. ``method`` is in capitals, and empty if the event isn't an HTTP request. ``route`` is the route's
    pattern; never the path itself, which a client may fill with anything. ``is_prediction`` says whether the route
    makes predictions. ``problem`` is the slug of the problem that is answered, and ``violations`` the number of wrong
    places that it lists. ``spans_s`` are the seconds of each step, in order.

    Once a version was chosen, ``alias`` is the revision in charge, ``routed_version`` the version that its weights
    chose for ``routing_key``, and ``model`` the one that answers, also if it fails to. ``refused_versions`` ended or
    hung while they scored, or were refused before, so that another version answers for ``routed_version``. ``scored``
    are the ``rows`` records once they have probabilities, and ``shadow`` is what the alias's shadow made of them after
    the answer.
    """

    clock: Clock
    started: Instant
    request_id: str
    invocation_id: str
    headers: Mapping[str, str]
    method: str
    lambda_context: Any
    route: str = UNMATCHED_ROUTE
    is_prediction: bool = False
    alias: Alias | None = None
    routing_key: str = ""
    routed_version: int | None = None
    refused_versions: set[int] = field(default_factory=set)
    model: LoadedModel | None = None
    rows: int = 0
    scored: ScoredBatch | None = None
    shadow: ShadowEntry | None = None
    problem: str | None = None
    violations: int = 0
    spans_s: dict[str, float] = field(default_factory=dict)
    _ended_s: float | None = field(default=None, init=False)

    def span(self, name: str) -> Span:
        """Return a context manager that measures one step."""
        return Span(self, name)

    def duration_s(self) -> float:
        """Return the seconds from the request's coming in until now, or until ``end``."""
        now_s = self.clock().monotonic_s if self._ended_s is None else self._ended_s
        return now_s - self.started.monotonic_s

    def end(self) -> None:
        """Take note that the answer is made up: what follows isn't a part of the request's duration."""
        self._ended_s = self.clock().monotonic_s

    def remaining_ms(self) -> float:
        """Return the milliseconds that are left of the invocation's time; infinite without a limit."""
        remaining = getattr(self.lambda_context, "get_remaining_time_in_millis", None)
        return float("inf") if remaining is None else float(remaining())

    def server_timing(self) -> str:
        """Return the value of ``Server-Timing``: each step and the total, in milliseconds."""
        spans = {**self.spans_s, "total": self.duration_s()}
        return ", ".join(f"{name};dur={seconds * 1000:.3f}" for name, seconds in spans.items())


class Span:
    """Measures one step of a request. A class, since a generator would take three times as long, in each step."""

    __slots__ = ("_exchange", "_name", "_started_s")

    def __init__(self, exchange: Exchange, name: str) -> None:
        self._exchange = exchange
        self._name = name

    def __enter__(self) -> None:
        self._started_s = self._exchange.clock().monotonic_s

    def __exit__(self, *_error: object) -> None:
        self._exchange.spans_s[self._name] = self._exchange.clock().monotonic_s - self._started_s


def choose_request_id(headers: Mapping[str, str], invocation_id: str) -> str:
    """Return the client's request id if it is safe to repeat, else the invocation's."""
    request_id = headers.get("x-request-id", "")
    is_safe = len(request_id) <= MAX_REQUEST_ID_LENGTH and _REQUEST_ID.fullmatch(request_id)
    return request_id if is_safe else invocation_id
