"""A template's stack as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StackResource:
    """A resource whose condition holds; the transform's own are among them."""

    logical_id: str
    type: str
    # The value of ``Ref`` of it.
    physical_id: str
    # Why it has no effect here, or None.
    left_out: str | None = None


@dataclass(frozen=True, slots=True)
class StackOutput:
    """An output whose condition holds."""

    key: str
    value: str
    description: str = ""
    export_name: str | None = None


@dataclass(frozen=True, slots=True)
class StackParameter:
    """A parameter that the template declares."""

    key: str
    value: str
    # As the template has it.
    declaration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack of a template."""

    resources: tuple[StackResource, ...] = ()
    outputs: tuple[StackOutput, ...] = ()
    parameters: tuple[StackParameter, ...] = ()
    # The file, and the template after its transforms; None for a project that wasn't read from a template.
    source: Path | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
