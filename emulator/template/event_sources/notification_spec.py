"""S3 notifications as plain values: which changes of a bucket's objects call a function. Pure.

Source: S3 user guide, "Supported event types for SQS, SNS, and Lambda" and "Configuring event notifications using
object key name filtering".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import BeforeValidator

from emulator.template.property_types import Text, check, member, properties

_EVENT = re.compile(r"s3:[A-Za-z]+(?::(?:\*|[A-Za-z]+))?")
# The changes that happen in the emulator's bucket; S3 has more, such as the end of a restore from an archive.
_HAPPENING = (
    "ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NotificationSpec:
    """A function that some changes of a bucket's objects call."""

    # The bucket's logical id, and its name.
    logical_id: str
    bucket: str
    # ``s3:ObjectCreated:*``
    event: str
    # The logical id of the function, and the alias or version that is called.
    function: str
    qualifier: str | None = None
    prefix: str = ""
    suffix: str = ""
    # The names by which it can be fired by hand: SAM's function and event, joined.
    names: tuple[str, ...] = ()

    def wants(self, bucket: str, event_name: str, key: str) -> bool:
        """Return whether a change calls the function; the event's name is without ``s3:``."""
        return bucket == self.bucket and self.names_event(event_name) and self.takes_key(key)

    def takes_key(self, key: str) -> bool:
        """Return whether a key has the prefix and the suffix, which a template may have URL-encoded."""
        is_within = key.startswith(self.prefix) or key.startswith(unquote_plus(self.prefix))
        return is_within and (key.endswith(self.suffix) or key.endswith(unquote_plus(self.suffix)))

    def names_event(self, event_name: str) -> bool:
        """Return whether an event's name, without ``s3:``, is among those of the notification."""
        wanted = self.event.removeprefix("s3:")
        return event_name.startswith(wanted[:-1]) if wanted.endswith(":*") else event_name == wanted


def usual_event_name(specs: Iterable[NotificationSpec]) -> str:
    """Return the most usual event that a notification tells of, without ``s3:``; empty if none happens here."""
    told = list(specs)
    return next((name for name in _HAPPENING if any(spec.names_event(name) for spec in told)), "")


def _key_filter(rules: Any) -> dict[str, str]:
    """Read the rules of a filter: at most one prefix and one suffix."""
    if rules == {}:
        return {}
    if not isinstance(rules, Sequence) or not all(isinstance(rule, Mapping) for rule in rules):
        raise ValueError("a filter has a list of rules, each with a Name and a Value")
    names = [str(rule.get("Name")).lower() for rule in rules]
    if not set(names) <= {"prefix", "suffix"} or len(set(names)) < len(names):
        raise ValueError(f"a filter has one rule for the prefix and one for the suffix, not {', '.join(names)}")
    return {name: str(rule.get("Value", "")) for name, rule in zip(names, rules, strict=True)}


@properties
@dataclass(frozen=True, slots=True)
class LambdaConfiguration:
    """A member of ``LambdaConfigurations``; the function's ARN may be of anything."""

    event: Annotated[Text, check(_EVENT.fullmatch, "{value} isn't an event of S3, such as s3:ObjectCreated:*")]
    function: Any
    rules: Annotated[dict[str, str], member("Filter", "S3Key", "Rules"), BeforeValidator(_key_filter)] = field(
        default_factory=dict
    )


@properties
@dataclass(frozen=True, slots=True)
class Bucket:
    """``AWS::S3::Bucket``: what happens to its objects is told to functions, and to nobody else here."""

    lambdas: Annotated[
        tuple[LambdaConfiguration, ...], member("NotificationConfiguration", "LambdaConfigurations")
    ] = ()
    queues: Annotated[Any, member("NotificationConfiguration", "QueueConfigurations")] = None
    topics: Annotated[Any, member("NotificationConfiguration", "TopicConfigurations")] = None
    event_bridge: Annotated[Any, member("NotificationConfiguration", "EventBridgeConfiguration")] = None


class Permission:
    """Stands for ``AWS::Lambda::Permission``, which SAM names after a function and its event."""
