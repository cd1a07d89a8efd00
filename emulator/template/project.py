"""A SAM template as plain values, which the rest of the emulator works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from emulator.template.http_api_spec import MAX_LIMIT, HttpApi
from emulator.template.property_types import LocalFolder, Text, matching, member, named, properties, whole_number

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
STACK_NAME = "local"


@properties
@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One Lambda function, read from ``AWS::Lambda::Function``, its alias and its layers.

    Parameters
    ----------
    logical_id : str
        Its name in the template.
    name : str
        Its name in Lambda's API: ``FunctionName``, else the logical id.
    code_dir : Path
        The folder whose content Lambda would unpack into /var/task.
    handler : str
        ``package.module.function``.
    runtime : str
        For instance ``python3.13``; the emulator's own interpreter runs it, whatever this says.
    layer_dirs : tuple of Path
        The folders whose content Lambda would unpack into /opt, the lowest layer first.
    layer_arns : tuple of str
        Their ARNs, in the same order, without version numbers.
    environment : mapping
        The template's variables, resolved.
    snap_start : bool
        Published versions are initialised once and restored from a snapshot.
    alias : str or None
        ``AutoPublishAlias``.
    log_format : str
        ``Text`` or ``JSON``.
    log_level : str or None
        ``ApplicationLogLevel``, for JSON logs.
    reserved_concurrency : int or None
        The most requests at once; None means what the account has left.
    provisioned_concurrency : int or None
        Environments of the alias that are kept initialised.
    properties : mapping
        Further properties under AWS's names; Lambda's API shows them, and they have no effect here.
    """

    logical_id: str
    name: str
    code_dir: Annotated[LocalFolder, named("Code")]
    handler: Text
    runtime: Annotated[Text, matching(r"python3\..*", "{value}: only Python functions are imitated")]
    layer_dirs: tuple[Path, ...] = ()
    environment: Annotated[Mapping[str, Text], member("Environment", "Variables")] = field(default_factory=dict)
    timeout_s: Annotated[int, named("Timeout"), whole_number(1, 900)] = 3
    memory_mb: Annotated[int, named("MemorySize"), whole_number(128, 10_240)] = 128
    snap_start: Annotated[
        bool,
        member("SnapStart", "ApplyOn"),
        BeforeValidator(lambda apply_on: apply_on == "PublishedVersions"),
    ] = False
    alias: str | None = None
    log_format: Annotated[Text, member("LoggingConfig", "LogFormat")] = "Text"
    log_level: Annotated[Text | None, member("LoggingConfig", "ApplicationLogLevel")] = None
    reserved_concurrency: Annotated[
        Annotated[int, whole_number(0, MAX_LIMIT)] | None, named("ReservedConcurrentExecutions")
    ] = None
    provisioned_concurrency: int | None = None
    layer_arns: tuple[str, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """The parts of a template that the emulator runs.

    Parameters
    ----------
    functions : mapping
        By logical id.
    apis : tuple of HttpApi
        HTTP APIs that have a route.
    buckets : tuple of str
        Names of the buckets.
    notes : tuple of str
        Messages about parts of the template that the emulator leaves out; no answer depends on them.
    """

    functions: Mapping[str, FunctionSpec]
    apis: tuple[HttpApi, ...]
    buckets: tuple[str, ...]
    notes: tuple[str, ...] = ()
