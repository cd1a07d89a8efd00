"""The events that a bucket's notifications send to functions. Pure.

Source: S3 user guide, "Event message structure".
"""

from __future__ import annotations

import json
from urllib.parse import quote_plus

from emulator.object_events import ObjectEvent
from emulator.template.event_sources.notification_spec import NotificationSpec
from emulator.text_formats import in_milliseconds

_OWNER = "EMULATOR"


def notification_event(
    notification: NotificationSpec, event: ObjectEvent, request_id: str, *, account_id: str, region: str
) -> bytes:
    """Return the event of one change: a list of one record."""
    # Fidelity: a form's encoding, in which a space is a plus sign; slashes stay.
    changed = {"key": quote_plus(event.key, safe="/*"), "size": event.size, "eTag": event.etag}
    changed |= {"versionId": event.version_id, "sequencer": event.sequencer}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": in_milliseconds(event.time),
        "eventName": event.event_name,
        "userIdentity": {"principalId": f"AWS:{account_id}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": request_id.replace("-", "")[:16].upper(), "x-amz-id-2": request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": f"{notification.logical_id}-{notification.function}",
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": {"principalId": _OWNER},
                "arn": f"arn:aws:s3:::{event.bucket}",
            },
            "object": {name: value for name, value in changed.items() if value is not None},
        },
    }
    return json.dumps({"Records": [record]}).encode()
