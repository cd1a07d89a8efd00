"""Reads the notifications of a template's buckets, as `NotificationSpec`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from emulator.template.event_sources.notification_spec import (
    Bucket,
    LambdaConfiguration,
    NotificationSpec,
    Permission,
    usual_event_name,
)
from emulator.template.functions import find_function
from emulator.template.resources import Resources
from emulator.template.values import Unresolvable

_PLACE = "NotificationConfiguration"
_NOT_IMITATED = {
    "queues": ("QueueConfigurations", "queues are not imitated"),
    "topics": ("TopicConfigurations", "topics are not imitated"),
    "event_bridge": ("EventBridgeConfiguration", "EventBridge is not imitated"),
}


def read_notifications(resources: Resources, functions: Mapping[str, str]) -> Iterator[NotificationSpec]:
    """Yield what buckets tell functions of the template; ``functions`` maps functions' names to logical ids.

    Other targets, and events that never happen here, are reported.
    """
    events = _sam_events(resources)
    for logical_id in resources.ids(Bucket):
        if not resources[logical_id].properties.get(_PLACE):
            continue
        with resources.leaving_out("its notifications call nobody"):
            bucket = resources.read(logical_id, Bucket)
            for field, (name, reason) in _NOT_IMITATED.items():
                if getattr(bucket, field):
                    resources.report(logical_id, f"{_PLACE}.{name}", reason, "they are told nothing")
            for configuration in bucket.lambdas:
                notification = _notification(resources, logical_id, configuration, functions, events)
                if notification is not None:
                    yield notification


def _notification(
    resources: Resources,
    logical_id: str,
    configuration: LambdaConfiguration,
    functions: Mapping[str, str],
    events: list[str],
) -> NotificationSpec | None:
    place, arn = f"{_PLACE}.LambdaConfigurations", configuration.function
    called = find_function(arn, functions)
    if called is None:
        reason = f"the function {arn.reason if isinstance(arn, Unresolvable) else arn} is not in the template"
        resources.report(logical_id, place, reason, "it isn't called")
        return None
    function, qualifier = called
    notification = NotificationSpec(
        logical_id,
        resources[logical_id].name,
        configuration.event,
        function,
        qualifier,
        configuration.rules.get("prefix", ""),
        configuration.rules.get("suffix", ""),
        tuple(name for name in events if _owner(name, functions.values()) == function),
    )
    if not usual_event_name([notification]):
        reason = f"{configuration.event} doesn't happen in the emulator's bucket"
        resources.report(logical_id, place, reason, f"{function} isn't called by it")
    return notification


def _owner(name: str, functions: Iterable[str]) -> str | None:
    """Return the function of an event: of those whose logical id its name begins with, the one with the longest."""
    return max((function for function in functions if name.startswith(function)), key=len, default=None)


def _sam_events(resources: Resources) -> list[str]:
    """Return function and event, joined, of each of SAM's S3 events: it names the permissions after them."""
    return [
        logical_id.removesuffix("Permission")
        for logical_id in resources.ids(Permission)
        if str(resources[logical_id].properties.get("Principal")) == "s3.amazonaws.com"
    ]
