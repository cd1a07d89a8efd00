"""Reads a template's log subscriptions and the delivery streams that they feed, as `SubscriptionSpec`."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from emulator.template.event_sources.delivery_spec import (
    DeliveryStream,
    StreamSpec,
    SubscriptionFilter,
    SubscriptionSpec,
    reason_not_imitated,
)
from emulator.template.resources import Resources


def read_subscriptions(resources: Resources, log_groups: Collection[str]) -> Iterator[SubscriptionSpec]:
    """Yield the subscriptions of functions' log groups whose stream writes to a bucket; note the others.

    Their patterns are checked, and they deliver nothing here.
    """
    for logical_id in resources.ids(SubscriptionFilter):
        with resources.leaving_out("nothing is delivered"):
            if (subscription := _read_subscription(resources, logical_id, log_groups)) is not None:
                yield subscription


def _read_subscription(resources: Resources, logical_id: str, log_groups: Collection[str]) -> SubscriptionSpec | None:
    subscription = resources.read(logical_id, SubscriptionFilter)
    stream_id = resources.target(subscription.destination_arn, DeliveryStream)
    reason: str | None = "only delivery streams of the template are imitated as a destination"
    place = "DestinationArn"
    if subscription.log_group_name not in log_groups:
        place, reason = "LogGroupName", f"no function of the template logs to {subscription.log_group_name}"
    elif stream_id is not None:
        reason = reason_not_imitated(resources[stream_id].properties)
    if stream_id is None or reason is not None:
        resources.report(logical_id, place, reason or "", "nothing is delivered")
        return None
    destination = resources.read(stream_id, DeliveryStream).destination
    bucket = destination.bucket.rpartition(":")[2]
    stream = StreamSpec(stream_id, resources[stream_id].name, bucket, destination)
    return SubscriptionSpec(logical_id, subscription.log_group_name, subscription.filter_pattern, stream)
