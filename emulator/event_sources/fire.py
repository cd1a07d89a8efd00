"""Fires a schedule, a rule or a bucket's notification by hand.

Its name is the logical id of the rule, schedule or bucket, or that of SAM's event, alone or after the function's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from emulator.event_sources.notifications import Notifications
from emulator.event_sources.scheduled_events import scheduled_event
from emulator.event_sources.schedules import ScheduleCalls
from emulator.object_events import ObjectEvent
from emulator.strict_json import read_json
from emulator.template.event_sources.notification_spec import NotificationSpec, usual_event_name
from emulator.template.event_sources.schedule_spec import ScheduleSpec

_Spec = TypeVar("_Spec", ScheduleSpec, NotificationSpec)


class FireError(ValueError):
    """What is asked for can't be fired; the message says why, and what can."""


class FoundObject(NamedTuple):
    """An object in the bucket; the ETag is without quotes."""

    size: int
    etag: str
    # None without versioning.
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class FireRequest:
    """What to fire."""

    name: str
    # Of an S3 notification; without a bucket it is the notification's.
    key: str | None = None
    bucket: str | None = None
    # The event in place of the service's own, as JSON.
    event: bytes | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """A call that is queued."""

    function: str
    request_id: str


@dataclass(frozen=True, slots=True)
class ManualEvents:
    """Fires what one template has."""

    schedules: Sequence[ScheduleSpec]
    calls: ScheduleCalls
    notifications: Notifications
    # Returns an object of the bucket, or None; raises `FireError` if there is no bucket to ask.
    find_object: Callable[[str, str], Awaitable[FoundObject | None]]
    clock: Callable[[], dt.datetime]

    async def fire(self, request: FireRequest) -> list[Fired]:
        """Queue the event for each function that it calls, also if the schedule is disabled.

        Raises
        ------
        FireError
            The name isn't known, or something else is missing.
        LambdaApiError
            The queue is full, or the function doesn't exist.
        """
        schedules = _named(request.name, self.schedules)
        notifications = _named(request.name, self.notifications.specs)
        if schedules and not notifications:
            return [self._fire_schedule(spec, request) for spec in schedules]
        if notifications and not schedules:
            return await self._fire_notification(notifications, request)
        specs: list[ScheduleSpec | NotificationSpec] = [*self.schedules, *self.notifications.specs]
        names = dict.fromkeys(name for spec in specs for name in _full_names(spec))
        problem = "names both a schedule and a bucket" if schedules else "isn't a schedule, rule or notification"
        raise FireError(
            f"{request.name!r} {problem} of the template; use one of: {', '.join(names) or 'there is none'}"
        )

    def _fire_schedule(self, spec: ScheduleSpec, request: FireRequest) -> Fired:
        if request.key is not None or request.bucket is not None:
            raise FireError(f"{spec.logical_id} is not an S3 notification: it has no bucket and no key")
        if request.event is None and spec.expression is None and spec.input is None:
            raise FireError(f"{spec.logical_id} waits for events that match a pattern: give one with -e FILE")
        notifications = self.notifications
        request_id = notifications.new_id()
        payload = request.event or scheduled_event(
            spec, self.clock(), request_id, account_id=notifications.account_id, region=notifications.region
        )
        self.calls.send(spec, payload, request_id)
        return Fired(spec.function, request_id)

    async def _fire_notification(self, specs: Sequence[NotificationSpec], request: FireRequest) -> list[Fired]:
        if request.key is None and request.event is None:
            raise FireError(f"{request.name} tells of changes of an object: name one with --key")
        bucket, key = request.bucket or specs[0].bucket, request.key or ""
        name = usual_event_name(spec for spec in specs if spec.bucket == bucket and spec.takes_key(key))
        chosen = specs if request.event is not None else [spec for spec in specs if spec.wants(bucket, name, key)]
        if not chosen:
            wanted = " or ".join(f"{spec.bucket}/{spec.prefix}*{spec.suffix} ({spec.event})" for spec in specs)
            raise FireError(f"{bucket}/{key} calls nobody; {request.name} tells of {wanted}")
        change = await self._object_event(name, bucket, key) if request.event is None else request.event
        return [Fired(spec.function, self.notifications.call(spec, change)) for spec in chosen]

    async def _object_event(self, name: str, bucket: str, key: str) -> ObjectEvent:
        now = self.clock()
        sequencer = f"{int(now.timestamp() * 1e6):014X}0000"
        if not name.startswith("ObjectCreated:"):
            return ObjectEvent(name, bucket, key, None, None, None, sequencer, now)
        found = await self.find_object(bucket, key)
        if found is None:
            raise FireError(f"there is no object {bucket}/{key}: put it there first, which fires the event, too")
        return ObjectEvent(name, bucket, key, found.size, found.etag, found.version_id, sequencer, now)


def read_request(document: Any) -> FireRequest:
    """Read ``{"name": …, "key": …, "bucket": …, "event": "JSON as text"}``; raise `FireError` if it is another."""
    if not isinstance(document, Mapping) or not isinstance(document.get("name"), str):
        raise FireError('the body must be JSON such as {"name": "HelloNightly"}')
    texts = {name: value for name, value in document.items() if value is not None}
    if not set(texts) <= {"name", "key", "bucket", "event"} or not all(
        isinstance(text, str) for text in texts.values()
    ):
        raise FireError("only name, key, bucket and event may be given, each as text")
    event = texts.get("event")
    if event is not None:
        try:
            read_json(event)
        except ValueError as error:
            raise FireError(f"the event must be JSON, as text: {error}") from error
    return FireRequest(texts["name"], texts.get("key"), texts.get("bucket"), None if event is None else event.encode())


def _full_names(spec: ScheduleSpec | NotificationSpec) -> list[str]:
    return [spec.logical_id, *(spec.names if isinstance(spec, NotificationSpec) else ())]


def _named(name: str, specs: Sequence[_Spec]) -> list[_Spec]:
    """Return what has a name, or else what SAM made of an event of this name."""
    exact = [spec for spec in specs if name in _full_names(spec)]
    return exact or [spec for spec in specs if f"{spec.function}{name}" in _full_names(spec)]
