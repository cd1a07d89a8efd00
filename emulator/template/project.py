"""A SAM template as plain values, which the rest of the emulator works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.template.http_api_spec import HttpApi

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
STACK_NAME = "local"


class ProjectError(Exception):
    """Base of the errors of a template, of its files and of the options that apply to it."""


class UnsupportedError(ProjectError):
    """The template asks for something that the emulator doesn't imitate."""

    def __init__(self, resource: str, name: str, reason: str) -> None:
        self.resource = resource
        self.property = name
        self.reason = reason
        super().__init__(f"{resource}, property {name}: {reason}")


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One Lambda function.

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
    timeout_s : int
        1 to 900.
    memory_mb : int
        128 to 10,240.
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
    code_dir: Path
    handler: str
    runtime: str
    layer_dirs: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: int = 3
    memory_mb: int = 128
    snap_start: bool = False
    alias: str | None = None
    log_format: str = "Text"
    log_level: str | None = None
    reserved_concurrency: int | None = None
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
