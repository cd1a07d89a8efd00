"""The values of a resolved template that aren't plain: references to resources, and unresolvable functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# The bucket whose keys are local paths, while a template goes through the SAM transform.
LOCAL_BUCKET = "emulator-local-path"


@dataclass(frozen=True, slots=True)
class Reference:
    """The value of ``Ref`` or ``Fn::GetAtt``: the resource, and the name, ARN or attribute as AWS would give it."""

    logical_id: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Unresolvable:
    """A text with a placeholder in it, and why the value isn't known; a property that needs it can't be read."""

    reason: str
    text: str = ""

    def __str__(self) -> str:
        return self.text


def resolvable(value: Any) -> Any:
    """Return the value, or raise `ValueError` if it is an `Unresolvable`."""
    if isinstance(value, Unresolvable):
        raise ValueError(value.reason)
    return value


def plain(value: Any) -> Any:
    """Return a value with each reference in it replaced by its text; raise `ValueError` as `resolvable` does."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return list(map(plain, value))
    return str(value) if isinstance(value, Reference) else resolvable(value)


def as_text(value: Any) -> str:
    """Return a plain value, or a reference to a resource, as CloudFormation writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
