"""A SAM template as plain values, which the rest of the emulator works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from emulator.template.event_sources.delivery_spec import SubscriptionSpec
from emulator.template.event_sources.notification_spec import NotificationSpec
from emulator.template.event_sources.schedule_spec import ScheduleSpec
from emulator.template.http_api_spec import MAX_LIMIT, HttpApi
from emulator.template.left_out import LeftOut
from emulator.template.property_types import (
    LocalCode,
    Text,
    VariableText,
    matching,
    member,
    named,
    properties,
    whole_number,
)
from emulator.template.stack.values import Stack

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
STACK_NAME = "local"


@dataclass(frozen=True, slots=True)
class CodeRollout:
    """How CodeDeploy shifts an alias to a new version, before all requests go to it."""

    # Each a share of the requests, and the seconds until the next step.
    steps: tuple[tuple[float, float], ...] = ()
    # The logical id of the function that must agree before the first step.
    hook: str | None = None
    # Whether the deployment group has alarms.
    watches_errors: bool = False


@properties
@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One Lambda function, read from ``AWS::Lambda::Function``, its alias and its layers."""

    logical_id: str
    # Its name in Lambda's API: FunctionName, else the logical id.
    name: str
    # The folder, or the zip file, whose content Lambda would have in /var/task.
    code_dir: Annotated[LocalCode, named("Code")]
    handler: Text
    # The emulator's own interpreter runs it, whatever Python version this names.
    runtime: Annotated[Text, matching(r"python3\..*", "{value}: only functions in Python 3 are imitated")]
    # The folders or zip files whose content Lambda would have in /opt, the lowest layer first.
    layer_dirs: tuple[Path, ...] = ()
    environment: Annotated[
        Mapping[str, VariableText],
        member("Environment", "Variables"),
        # People comment all variables out.
        BeforeValidator(lambda variables: {} if variables is None else variables),
    ] = field(default_factory=dict)
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
    # The logical id of the version that the alias points to. A deployment publishes only if it is another one, or if
    # the code is and the id doesn't depend on that by AutoPublishCodeSha256.
    version_id: str = ""
    version_follows_code: bool = True
    # None if CloudFormation itself moves the alias, all at once.
    rollout: CodeRollout | None = None
    # Variable → name of the function whose new version's ARN is its value, as with ``!Ref F.Version``.
    version_variables: Mapping[str, str] = field(default_factory=dict)
    log_format: Annotated[Text, member("LoggingConfig", "LogFormat")] = "Text"
    # ApplicationLogLevel, for JSON logs.
    log_level: Annotated[Text | None, member("LoggingConfig", "ApplicationLogLevel")] = None
    # The most requests at once; None means as many as the account has left.
    reserved_concurrency: Annotated[
        Annotated[int, whole_number(0, MAX_LIMIT)] | None, named("ReservedConcurrentExecutions")
    ] = None
    # Environments of the alias that are kept initialised.
    provisioned_concurrency: int | None = None
    # How asynchronous events are retried, and where their records go: by alias or version, settings under the names of
    # Lambda's API.
    event_invoke: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # The values of its tags, by key.
    tag_values: Mapping[str, str] = field(default_factory=dict)
    # In the order of `layer_dirs`, without version numbers.
    layer_arns: tuple[str, ...] = ()
    # Further properties under AWS's names; Lambda's API shows them, and they have no effect here.
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def log_group(self) -> str:
        """The name of its log group: LoggingConfig's, else Lambda's own."""
        config = self.properties.get("LoggingConfig")
        group = config.get("LogGroup") if isinstance(config, Mapping) else None
        return str(group or f"/aws/lambda/{self.name}")


@dataclass(frozen=True, slots=True)
class UnavailableFunction:
    """A function that can't run here: Lambda's API shows it, and a call of it is refused."""

    logical_id: str
    name: str
    left_out: LeftOut
    # Its properties under AWS's names, as far as they are known.
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """The parts of a template that the emulator runs."""

    # Those that can run, by logical id.
    functions: Mapping[str, FunctionSpec]
    # Those that have a route.
    apis: tuple[HttpApi, ...]
    # The buckets' names.
    buckets: tuple[str, ...]
    # Messages about options without effect.
    notes: tuple[str, ...] = ()
    # Those that are enabled.
    schedules: tuple[ScheduleSpec, ...] = ()
    notifications: tuple[NotificationSpec, ...] = ()
    subscriptions: tuple[SubscriptionSpec, ...] = ()
    # What the template has and the emulator doesn't imitate.
    left_out: tuple[LeftOut, ...] = ()
    # By logical id.
    unavailable: Mapping[str, UnavailableFunction] = field(default_factory=dict)
    # What CloudFormation would show: all resources, outputs and parameters.
    stack: Stack = field(default_factory=Stack)

    @property
    def function_names(self) -> dict[str, str]:
        """The names of all functions by logical id, of those that can't run, too."""
        functions: Mapping[str, FunctionSpec | UnavailableFunction] = {**self.functions, **self.unavailable}
        return {logical_id: function.name for logical_id, function in functions.items()}
