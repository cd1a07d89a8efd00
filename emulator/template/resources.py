"""Reads the resources of a template as the emulator's types, and finds the resource that a value names."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from emulator.template.errors import UnsupportedError
from emulator.template.event_sources.delivery_spec import DeliveryStream, SubscriptionFilter
from emulator.template.event_sources.notification_spec import Bucket, Permission
from emulator.template.event_sources.schedule_spec import Rule, Schedule
from emulator.template.http_api_spec import Authorizer, HttpStage
from emulator.template.left_out import LeftOut, LeftOutParts
from emulator.template.project import FunctionSpec
from emulator.template.resolve import Resource
from emulator.template.resolving.placeholders import Placeholders
from emulator.template.resource_models import Alias, Api, EventInvokeConfig, Integration, LayerVersion, Route
from emulator.template.values import Reference, Unresolvable

_KINDS: Mapping[type, str] = {
    FunctionSpec: "AWS::Lambda::Function",
    LayerVersion: "AWS::Lambda::LayerVersion",
    Alias: "AWS::Lambda::Alias",
    EventInvokeConfig: "AWS::Lambda::EventInvokeConfig",
    Api: "AWS::ApiGatewayV2::Api",
    HttpStage: "AWS::ApiGatewayV2::Stage",
    Route: "AWS::ApiGatewayV2::Route",
    Integration: "AWS::ApiGatewayV2::Integration",
    Authorizer: "AWS::ApiGatewayV2::Authorizer",
    Rule: "AWS::Events::Rule",
    Schedule: "AWS::Scheduler::Schedule",
    Bucket: "AWS::S3::Bucket",
    Permission: "AWS::Lambda::Permission",
    SubscriptionFilter: "AWS::Logs::SubscriptionFilter",
    DeliveryStream: "AWS::KinesisFirehose::DeliveryStream",
}
# Name of a property after the transform → its name in a SAM template, for messages.
_SAM_NAMES = {"Code": "CodeUri", "Content": "ContentUri", "BodyS3Location": "DefinitionUri"}
# Types read members of these properties.
_OBJECTS = (
    "Environment", "SnapStart", "LoggingConfig", "ProvisionedConcurrencyConfig", "Target", "JwtConfiguration",
    "NotificationConfiguration",
)  # fmt: skip
_Kind = TypeVar("_Kind")


class Resources:
    """The resolved resources of one template, by logical id; local paths in them are relative to its folder.

    A reader calls `report` for a property without effect, and `leave_out` or `leaving_out` for an error that must not
    stop the rest of the template.
    """

    def __init__(
        self,
        resources: Mapping[str, Resource],
        folder: Path,
        left_out: LeftOutParts | None = None,
        placeholders: Placeholders | None = None,
    ) -> None:
        self._resources = resources
        self._folder = folder
        self._left_out = left_out or LeftOutParts()
        self.placeholders = placeholders or Placeholders()

    def report(self, logical_id: str, name: str, reason: str, consequence: str) -> LeftOut:
        """Note a property that has no effect, as `LeftOutParts.report` does."""
        return self._left_out.report(logical_id, name, reason, consequence)

    def leave_out(self, error: UnsupportedError, consequence: str) -> LeftOut:
        """Note what can't be imitated, or raise it, as `LeftOutParts.leave_out` does."""
        return self._left_out.leave_out(error, consequence)

    def leaving_out(self, consequence: str) -> AbstractContextManager[None]:
        """Return a block in which an `UnsupportedError` is noted, as `LeftOutParts.leaving_out` does."""
        return self._left_out.leaving_out(consequence)

    def __getitem__(self, logical_id: str) -> Resource:
        return self._resources[logical_id]

    def __contains__(self, logical_id: str) -> bool:
        """Return whether there is such a resource; not if its condition doesn't hold, or it was left out."""
        return logical_id in self._resources

    def ids(self, kind: type) -> list[str]:
        """Return the logical ids of the resources of a type."""
        return [logical_id for logical_id, resource in self._resources.items() if resource.type == _KINDS[kind]]

    def owned_by(self, owner: str, kind: type, name: str) -> list[str]:
        """Return the logical ids of the resources of a type whose property of this name names the owner."""
        return [
            logical_id for logical_id in self.ids(kind) if self._names(self[logical_id].properties.get(name), owner)
        ]

    def target(self, value: Any, kind: type) -> str | None:
        """Return the logical id of the resource of a type that a value names, or None."""
        return next((logical_id for logical_id in self.ids(kind) if self._names(value, logical_id)), None)

    def read(
        self, logical_id: str, kind: type[_Kind], /, *, optional: Mapping[str, str] | None = None, **values: Any
    ) -> _Kind:
        """Return a resource as a type, as `read_properties` does.

        ``optional`` has properties that are left out where they can't be imitated, and what follows from that.
        """
        properties, consequences = dict(self[logical_id].properties), dict(optional or {})
        while True:
            try:
                return read_properties(kind, properties, logical_id, folder=self._folder, **values)
            except UnsupportedError as error:
                if error.property not in consequences:
                    raise
                self.leave_out(error, consequences.pop(error.property))
                del properties[error.property]

    def _names(self, value: Any, logical_id: str) -> bool:
        """Return whether a value names a resource: by reference, name or ARN."""
        if isinstance(value, Reference) and value.logical_id == logical_id:
            return True
        return str(value) in {self[logical_id].name, self[logical_id].arn}


def read_properties(
    kind: type[_Kind],
    properties: object,
    resource: str,
    /,
    *,
    within: str | None = None,
    folder: Path | None = None,
    **values: Any,
) -> _Kind:
    """Check a resource's properties, and return them as a type that `property_types.properties` marks.

    Parameters
    ----------
    within : str or None
        The place in the resource that an error names; None for the properties themselves.
    **values
        Of fields that no property gives.

    Raises
    ------
    UnsupportedError
        Names the resource and the property, the path in it, and what is wrong there.
    """
    if not isinstance(properties, Mapping):
        reason = properties.reason if isinstance(properties, Unresolvable) else f"not an object: {properties!r}"
        raise UnsupportedError(resource, within or "Properties", reason)
    present = {name: value for name, value in properties.items() if value is not None}
    for name in _OBJECTS:
        if isinstance(value := present.get(name), Unresolvable):
            raise UnsupportedError(resource, name, value.reason)
    try:
        result: _Kind = _adapter(kind).validate_python({**values, **present}, context=folder)  # type: ignore[arg-type]
    except ValidationError as error:
        # A wrong property is named before a missing one, and before code, which other runtimes may have to build first.
        first = min(
            error.errors(include_url=False),
            key=lambda error: (error["loc"][0] not in present, error["loc"][0] == "Code"),
        )
        words = list(map(str, first["loc"]))
        place = within or _SAM_NAMES.get(words[0], words[0])
        path = ".".join(words if within else words[1:])
        raise UnsupportedError(resource, place, f"{path}: {_reason(first)}" if path else _reason(first)) from error
    return result


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what checks a type's properties. To make it takes ten times as long as to check a resource."""
    return TypeAdapter(kind)


def _reason(error: Mapping[str, Any]) -> str:
    if isinstance(error["input"], Unresolvable):
        return error["input"].reason
    if error["type"] == "missing":
        return "the property is required"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    message = str(error["msg"])
    return f"{message[0].lower()}{message[1:]}, not {error['input']!r}"
