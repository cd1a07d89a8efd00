"""The records of an account: functions, versions, aliases and settings. Immutable values and their JSON. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter

from emulator.lambda_service.function_version import LATEST

_Value = TypeVar("_Value")


def without(mapping: Mapping[str, _Value], key: str) -> dict[str, _Value]:
    """Return a mapping without a key, which may be missing from it."""
    return {name: value for name, value in mapping.items() if name != key}


@dataclass(frozen=True, slots=True)
class Code:
    """A function's or a layer's code."""

    digest: str  # Names its folder in the code store
    size_bytes: int  # Of the folder's files
    package_sha256: str  # ``CodeSha256`` in base64: that of its zip file, if it came as one, else that of the folder
    package_bytes: int  # ``CodeSize``: that of the zip file, else that of the folder


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer version that a function uses: its ARN and, if the emulator has its code, the code."""

    arn: str
    code: Code | None


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """``$LATEST``, or a published version, which never changes."""

    version: str  # ``$LATEST`` or a number
    code: Code
    layers: tuple[Layer, ...]  # Lowest first
    settings: Mapping[str, Any]  # The configuration in AWS's names: ``Handler``, ``Timeout``, ``Environment`` …
    revision_id: str  # A UUID, another one after each change
    last_modified: str  # As AWS writes it
    description: str | None = None  # Given to PublishVersion; None shows the configuration's
    is_saved: bool = False  # Whether it was published because a file was saved, and not by PublishVersion

    def codes(self) -> tuple[Code, ...]:
        """Return its own code and that of its layers."""
        return (self.code, *(layer.code for layer in self.layers if layer.code is not None))

    def runs_as(self, other: VersionRecord) -> bool:
        """Return whether both are the same code with the same configuration."""
        return (self.code, self.layers, self.settings) == (other.code, other.layers, other.settings)


@dataclass(frozen=True, slots=True)
class AliasRecord:
    """An alias: a name for a version, and at most one further version with its share of the requests."""

    name: str
    version: str  # The main one
    revision_id: str  # A UUID, another one after each change
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)  # Further version (one at most) → share, 0 to 1

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that it points to."""
        return (self.version, *self.weights)


@dataclass(frozen=True, slots=True)
class ProvisionedRecord:
    """Environments that an alias or a version keeps initialised."""

    requested: int
    last_modified: str


@dataclass(frozen=True, slots=True)
class EventInvokeRecord:
    """How asynchronous invocations are retried; `settings` in AWS's names, `last_modified` in seconds since 1970."""

    settings: Mapping[str, Any]
    last_modified: float


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """One function with its versions, aliases and settings."""

    name: str
    latest: VersionRecord
    next_version: int = 1  # The number of the next version; numbers are never used twice
    versions: Mapping[str, VersionRecord] = field(default_factory=dict)  # By number
    aliases: Mapping[str, AliasRecord] = field(default_factory=dict)  # By name
    reserved: int | None = None  # Reserved concurrency; None shares the rest of the account's
    provisioned: Mapping[str, ProvisionedRecord] = field(default_factory=dict)  # By qualifier
    event_invoke: Mapping[str, EventInvokeRecord] = field(default_factory=dict)  # By qualifier
    deployed: str = ""  # A digest of the function in the template when it was last deployed
    deployed_version: str = ""  # The version that a deployment of the template published last
    tags: Mapping[str, str] = field(default_factory=dict)
    # By qualifier (the function's own under an empty one) and statement id.
    permissions: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    version_hash: str = ""  # What the template's version depends on, when its alias was last pointed to one

    @property
    def newest(self) -> VersionRecord | None:
        """The version that was published last."""
        return next(reversed(list(self.versions.values())), None)

    @property
    def total_provisioned(self) -> int:
        """How many environments are to be kept initialised, over all versions and aliases."""
        return sum(record.requested for record in self.provisioned.values())

    @property
    def set_aside(self) -> int:
        """How much of the account's concurrency other functions can't use."""
        return self.total_provisioned if self.reserved is None else self.reserved

    def find_version(self, version: str) -> VersionRecord | None:
        """Return a version or ``$LATEST``; None if it doesn't exist."""
        return self.latest if version == LATEST else self.versions.get(version)

    def without_qualifier(self, qualifier: str) -> FunctionRecord:
        """Return the function without a version or an alias, and without the settings of that qualifier."""
        return dataclasses.replace(
            self,
            versions=without(self.versions, qualifier),
            aliases=without(self.aliases, qualifier),
            provisioned=without(self.provisioned, qualifier),
            event_invoke=without(self.event_invoke, qualifier),
            permissions=without(self.permissions, qualifier),
        )

    def all_versions(self) -> tuple[VersionRecord, ...]:
        """Return ``$LATEST`` and the published ones, oldest first."""
        return (self.latest, *self.versions.values())


@dataclass(frozen=True, slots=True)
class Account:
    """All records of an account."""

    functions: Mapping[str, FunctionRecord] = field(default_factory=dict)  # By name
    # ARN without a number → the code of each of its versions, from version 1
    layers: Mapping[str, tuple[Code, ...]] = field(default_factory=dict)
    # Name of a deleted function → the number that its next version would have had
    retired: Mapping[str, int] = field(default_factory=dict)

    def codes(self) -> dict[str, Code]:
        """Return the code of all versions and their layers, by digest."""
        return {
            code.digest: code
            for function in self.functions.values()
            for version in function.all_versions()
            for code in version.codes()
        }


def from_json(content: Mapping[str, Any]) -> Account:
    """Return an account from its plain values; the message of a ``ValueError`` names the wrong places."""
    # A record may omit fields that have a default. The account may not: an empty file would pass for an empty account.
    if missing := {field.name for field in dataclasses.fields(Account)} - content.keys():
        raise ValueError(f"without {', '.join(sorted(missing))}")
    return TypeAdapter(Account).validate_python(content)
