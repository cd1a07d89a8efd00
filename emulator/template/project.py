"""A SAM template as plain values, which the rest of the emulator works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from emulator.template.event_sources.delivery_spec import SubscriptionSpec
from emulator.template.event_sources.schedule_spec import ScheduleSpec
from emulator.template.http_api_spec import MAX_LIMIT, HttpApi
from emulator.template.property_types import LocalFolder, Text, matching, member, named, properties, whole_number

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
STACK_NAME = "local"


@properties
@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One Lambda function, read from ``AWS::Lambda::Function``, its alias and its layers."""

    logical_id: str
    # Its name in Lambda's API: FunctionName, else the logical id.
    name: str
    # The folder whose content Lambda would unpack into /var/task.
    code_dir: Annotated[LocalFolder, named("Code")]
    handler: Text
    # The emulator's own interpreter runs it, whatever Python version this names.
    runtime: Annotated[Text, matching(r"python3\..*", "{value}: only Python functions are imitated")]
    # The folders whose content Lambda would unpack into /opt, the lowest layer first.
    layer_dirs: tuple[Path, ...] = ()
    environment: Annotated[Mapping[str, Text], member("Environment", "Variables")] = field(default_factory=dict)
    timeout_s: Annotated[int, named("Timeout"), whole_number(1, 900)] = 3
    memory_mb: Annotated[int, named("MemorySize"), whole_number(128, 10_240)] = 128
    # Published versions are initialised once and restored from a snapshot.
    snap_start: Annotated[
        bool,
        member("SnapStart", "ApplyOn"),
        BeforeValidator(lambda apply_on: apply_on == "PublishedVersions"),
    ] = False
    # AutoPublishAlias.
    alias: str | None = None
    log_format: Annotated[Text, member("LoggingConfig", "LogFormat")] = "Text"
    # ApplicationLogLevel, for JSON logs.
    log_level: Annotated[Text | None, member("LoggingConfig", "ApplicationLogLevel")] = None
    # The most requests at once; None means as many as the account has left.
    reserved_concurrency: Annotated[
        Annotated[int, whole_number(0, MAX_LIMIT)] | None, named("ReservedConcurrentExecutions")
    ] = None
    # Environments of the alias that are kept initialised.
    provisioned_concurrency: int | None = None
    # How asynchronous events are retried: by alias or version, settings under the names of Lambda's API.
    event_invoke: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # In the order of `layer_dirs`, without version numbers.
    layer_arns: tuple[str, ...] = ()
    # Further properties under AWS's names; Lambda's API shows them, and they have no effect here.
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def log_group(self) -> str:
        """The name of its log group: LoggingConfig's, else Lambda's own."""
        config = self.properties.get("LoggingConfig") or {}
        return str(config.get("LogGroup") or f"/aws/lambda/{self.name}")


@dataclass(frozen=True, slots=True)
class Project:
    """The parts of a template that the emulator runs."""

    # By logical id.
    functions: Mapping[str, FunctionSpec]
    # Those that have a route.
    apis: tuple[HttpApi, ...]
    # The buckets' names.
    buckets: tuple[str, ...]
    # Messages about parts of the template that the emulator leaves out; no answer depends on them.
    notes: tuple[str, ...] = ()
    # Those that are enabled.
    schedules: tuple[ScheduleSpec, ...] = ()
    subscriptions: tuple[SubscriptionSpec, ...] = ()
