"""CloudWatch Logs' operations that read, over the functions' log store."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from emulator.lambda_service.control_api.parameters import gather
from emulator.lambda_service.errors import LambdaApiError
from emulator.lambda_service.log_groups.segments import START, LogEvent, Place, StreamFacts
from emulator.lambda_service.log_groups.store import LogStore
from emulator.pages import TokenError, page
from emulator.template.event_sources.filter_patterns import FilterPattern, parse_filter_pattern

_MAX_EVENTS = 10_000
_MAX_ANSWER_BYTES = 1 << 20
_MAX_LISTED = 50
_Parameters = Mapping[str, Any]


class LogOperations:
    """The operations on the log groups of one account; each takes a request's members and returns the answer's.

    Parameters
    ----------
    store : LogStore
        The functions' output.
    declared : collection of str
        Log groups that the template makes; others exist from their first output on, as on AWS.
    arn : callable
        Returns the ARN of a log group of this name.
    created_ms : int
        When the emulator started.
    """

    def __init__(self, store: LogStore, declared: Collection[str], arn: Callable[[str], str], created_ms: int) -> None:
        self._store = store
        self._declared = frozenset(declared)
        self._arn = arn
        self._created_ms = created_ms
        operations = {
            "DescribeLogGroups": self._describe_groups,
            "DescribeLogStreams": self._describe_streams,
            "FilterLogEvents": self._filter_events,
            "GetLogEvents": self._get_events,
        }
        self.table: Mapping[str, Callable[[_Parameters], Mapping[str, Any]]] = {
            name: functools.partial(_checked, name, operation) for name, operation in operations.items()
        }
        """By name. They read files, so that they are called in a thread."""

    def _describe_groups(self, parameters: _Parameters) -> Mapping[str, Any]:
        self._store.flush()
        prefix, pattern = parameters.get("logGroupNamePrefix", ""), parameters.get("logGroupNamePattern", "")
        names = sorted({*self._store.groups(), *self._declared})
        names = [name for name in names if name.startswith(prefix) and pattern.lower() in name.lower()]
        listed, token = _page(names, parameters)
        return {"logGroups": [self._group(name) for name in listed], "nextToken": token}

    def _group(self, name: str) -> dict[str, Any]:
        streams = self._store.streams(name).values()
        arn = self._arn(name)
        return {
            "logGroupName": name,
            "creationTime": min((stream.first_ms for stream in streams), default=self._created_ms),
            "metricFilterCount": 0,
            "arn": f"{arn}:*",
            "storedBytes": sum(stream.size_bytes for stream in streams),
            "logGroupClass": "STANDARD",
            "logGroupArn": arn,
        }

    def _describe_streams(self, parameters: _Parameters) -> Mapping[str, Any]:
        group = self._found(parameters)
        prefix, order = parameters.get("logStreamNamePrefix", ""), parameters.get("orderBy", "LogStreamName")
        if prefix and order == "LastEventTime":
            raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams = [item for item in self._store.streams(group).items() if item[0].startswith(prefix)]
        streams.sort(
            key=lambda item: (item[1].last_ms, item[0]) if order == "LastEventTime" else (0, item[0]),
            reverse=bool(parameters.get("descending")),
        )
        listed, token = _page(streams, parameters)
        documents = [self._stream(group, *item) for item in listed]
        return {"logStreams": documents, "nextToken": token}

    def _stream(self, group: str, name: str, facts: StreamFacts) -> dict[str, Any]:
        return {
            "logStreamName": name,
            "creationTime": facts.first_ms,
            "firstEventTimestamp": facts.first_ms,
            "lastEventTimestamp": facts.last_ms,
            "lastIngestionTime": facts.last_ms,
            "uploadSequenceToken": "0",
            "arn": f"{self._arn(group)}:log-stream:{name}",
            # Fidelity: AWS gives no sizes of streams any more.
            "storedBytes": 0,
        }

    def _filter_events(self, parameters: _Parameters) -> Mapping[str, Any]:
        group = self._found(parameters)
        names, prefix = parameters.get("logStreamNames"), parameters.get("logStreamNamePrefix")
        if names and prefix:
            raise _invalid("logStreamNamePrefix and logStreamNames are mutually exclusive.")
        pattern, limit = _pattern(parameters), parameters.get("limit", _MAX_EVENTS)
        first = _place(parameters.get("nextToken"))
        end_ms = parameters.get("endTime")
        events = (
            event
            for event in self._store.events(group, parameters.get("startTime") or 0, first)
            if (end_ms is None or event.time_ms <= end_ms)
            and (not names or event.stream in names)
            and (not prefix or event.stream.startswith(prefix))
            and pattern.matches(event.message.encode())
        )
        chosen, following = _first_of(events, limit)
        documents = [
            {"logStreamName": event.stream, **_event(event), "eventId": event.place.text()} for event in chosen
        ]
        token = None if following is None else following.place.text()
        return {"events": documents, "searchedLogStreams": [], "nextToken": token}

    def _get_events(self, parameters: _Parameters) -> Mapping[str, Any]:
        group, name = self._found(parameters), parameters.get("logStreamName")
        if name not in self._store.streams(group):
            raise _not_found("The specified log stream does not exist.")
        token, limit = str(parameters.get("nextToken") or ""), parameters.get("limit", _MAX_EVENTS)
        direction, place = _direction(token)
        end_ms = parameters.get("endTime")
        events = [
            event
            for event in self._store.events(group, parameters.get("startTime") or 0, stream=name)
            if end_ms is None or event.time_ms < end_ms
        ]
        if direction == "f" or (not direction and parameters.get("startFromHead")):
            chosen, _ = _first_of((event for event in events if event.place > place), limit)
        else:
            earlier = (event for event in reversed(events) if not direction or event.place < place)
            chosen = _first_of(earlier, limit)[0][::-1]
        # Fidelity: at an end of the stream the token is the one that was sent.
        last = chosen[-1].place if chosen else place
        first = chosen[0].place if chosen else place
        return {
            "events": [_event(event) for event in chosen],
            "nextForwardToken": f"f/{last.text()}/s" if chosen or direction != "f" else token,
            "nextBackwardToken": f"b/{first.text()}/s" if chosen or direction != "b" else token,
        }

    def _found(self, parameters: _Parameters) -> str:
        """Return the name of the log group of a request; raise the service's error if there is none."""
        name = parameters.get("logGroupName") or parameters.get("logGroupIdentifier")
        if not isinstance(name, str):
            raise _invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
        name = name.removesuffix(":*").rpartition(":log-group:")[2]
        self._store.flush()
        if name not in self._declared and name not in self._store.groups():
            raise _not_found("The specified log group does not exist.")
        return name


def _checked(
    name: str, operation: Callable[[_Parameters], Mapping[str, Any]], parameters: _Parameters
) -> Mapping[str, Any]:
    """Call an operation with parameters that fit the service's model."""
    try:
        checked = gather(_model().operation_model(name).input_shape, {}, {}, json.dumps(parameters).encode())
    except LambdaApiError as error:
        if error.code == "ValidationException":
            raise _invalid(error.message) from error
        raise
    return operation(checked)


@functools.cache
def _model() -> Any:
    # At the first call: reading it takes a tenth of a second.
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model("logs", "service-2"))


def _event(event: LogEvent) -> dict[str, Any]:
    return {"timestamp": event.time_ms, "message": event.message, "ingestionTime": event.time_ms}


def _first_of(events: Iterable[LogEvent], limit: int) -> tuple[list[LogEvent], LogEvent | None]:
    """Return as many events as one answer holds, and the one after them."""
    chosen: list[LogEvent] = []
    following: Iterator[LogEvent] = iter(events)
    size = 0
    for event in itertools.islice(following, limit):
        size += len(event.message)
        if chosen and size > _MAX_ANSWER_BYTES:
            return chosen, event
        chosen.append(event)
    return chosen, next(following, None)


def _page(items: list[Any], parameters: _Parameters) -> tuple[list[Any], str | None]:
    try:
        return page(items, parameters.get("nextToken"), parameters.get("limit", _MAX_LISTED))
    except TokenError as error:
        raise _wrong_token() from error


def _pattern(parameters: _Parameters) -> FilterPattern:
    try:
        return parse_filter_pattern(parameters.get("filterPattern") or "")
    except ValueError as error:
        raise _invalid(f"Invalid filter pattern: {error}") from error


def _place(token: object) -> Place:
    if token is None:
        return START
    try:
        return Place.from_text(str(token))
    except ValueError as error:
        raise _wrong_token() from error


def _direction(token: str) -> tuple[str, Place]:
    """Return the direction of a token of GetLogEvents, ``f`` or ``b``, and its place."""
    if not token:
        return "", START
    direction, _, rest = token.partition("/")
    if direction not in ("f", "b"):
        raise _wrong_token()
    return direction, _place(rest.removesuffix("/s"))


def _wrong_token() -> LambdaApiError:
    return _invalid("The specified nextToken is invalid.")


def _invalid(message: str) -> LambdaApiError:
    return LambdaApiError("InvalidParameterException", 400, message)


def _not_found(message: str) -> LambdaApiError:
    return LambdaApiError("ResourceNotFoundException", 400, message)
