"""Checks the sections and resources of a template before they are read, and leaves out what can't be any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulator.template.errors import TemplateError, UnsupportedError
from emulator.template.left_out import LeftOutParts

_SECTIONS = ("Globals", "Parameters", "Mappings", "Conditions", "Outputs")
_LEFT_OUT = "the resource is left out"


def check_sections(path: Path, source: dict[str, Any], left_out: LeftOutParts) -> None:
    """Remove sections that are empty or no objects, and empty members of them.

    Raises
    ------
    TemplateError
        The template has no resources, or nothing may be left out.
    """
    if not isinstance(source.get("Resources"), dict):
        raise TemplateError(f"{path} isn't a template: it has no Resources")
    for name in _SECTIONS:
        section = source.get(name, {})
        if not isinstance(section, dict):
            _leave_out(path, UnsupportedError(path.name, name, _shape(section)), "the section is left out", left_out)
            del source[name]
            continue
        for member in [member for member, value in section.items() if not isinstance(value, dict)]:
            error = UnsupportedError(path.name, f"{name}.{member}", _shape(section[member]))
            _leave_out(path, error, "it is left out", left_out)
            del section[member]
        if not section:
            source.pop(name, None)


def check_resources(path: Path, resources: dict[str, Any], left_out: LeftOutParts) -> None:
    """Remove loops, and what isn't a resource.

    Raises
    ------
    TemplateError
        Something isn't a resource, and nothing may be left out.
    """
    for name, resource in list(resources.items()):
        if name.startswith("Fn::ForEach"):
            error = UnsupportedError(name, "Resources", "Fn::ForEach is not imitated; write the resources out")
            left_out.leave_out(error, "its resources don't exist here")
            del resources[name]
        elif not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            _leave_out(path, UnsupportedError(name, "Type", "the resource has no Type"), _LEFT_OUT, left_out)
            del resources[name]
        elif not isinstance(resource.get("Condition", ""), str):
            reason = f"it must be the name of a condition, not {resource['Condition']!r}"
            _leave_out(path, UnsupportedError(name, "Condition", reason), _LEFT_OUT, left_out)
            del resources[name]
        else:
            _check_properties(path, name, resource, left_out)


def _check_properties(path: Path, name: str, resource: dict[str, Any], left_out: LeftOutParts) -> None:
    """Empty properties that aren't an object: a function stays, and is named as one that can't run."""
    properties = resource.get("Properties", {})
    if not isinstance(properties, dict) or (len(properties) == 1 and _is_intrinsic(next(iter(properties)))):
        reason = _shape(properties) if not isinstance(properties, dict) else "an intrinsic function can't stand for all"
        _leave_out(path, UnsupportedError(name, "Properties", reason), "the resource is read without", left_out)
        resource["Properties"] = {}


def _leave_out(path: Path, error: UnsupportedError, consequence: str, left_out: LeftOutParts) -> None:
    if left_out.strict:
        raise TemplateError(f"{path}: {error}")
    left_out.leave_out(error, consequence)


def _is_intrinsic(name: object) -> bool:
    return name == "Ref" or str(name).startswith("Fn::")


def _shape(value: object) -> str:
    return "it is empty" if value is None else f"it must be an object, not {value!r}"
