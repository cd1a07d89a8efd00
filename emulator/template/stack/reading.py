"""Reads a resolved template as a stack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from emulator.template.left_out import LeftOut
from emulator.template.load import LoadedTemplate
from emulator.template.resolve import Resource, resolve_outputs
from emulator.template.stack.values import Stack, StackOutput, StackParameter, StackResource
from emulator.template.values import Unresolvable, as_text


def read_stack(
    path: Path, template: LoadedTemplate, resolved: Mapping[str, Resource], left_out: Iterable[LeftOut]
) -> Stack:
    """Return the stack of the template in a file."""
    reasons = {part.logical_id: f"{part.reason}; {part.consequence}" for part in left_out if part.property == "Type"}
    resources = tuple(
        StackResource(logical_id, resource.type, resource.name, reasons.get(logical_id))
        for logical_id, resource in resolved.items()
    )
    outputs = tuple(_output(key, output) for key, output in resolve_outputs(template).items())
    return Stack(resources, outputs, tuple(_parameters(template)), path, template.document)


def _output(key: str, output: Mapping[str, Any]) -> StackOutput:
    export = output.get("Export")
    export_name = export.get("Name") if isinstance(export, Mapping) else None
    description = output.get("Description") or ""
    return StackOutput(key, _text(output.get("Value")), str(description), export_name and _text(export_name))


def _text(value: Any) -> str:
    """Return an output's value; one that only AWS knows is a placeholder, or says why there is none."""
    if isinstance(value, Unresolvable):
        return value.text or f"(unknown here: {value.reason})"
    return as_text(value)


def _parameters(template: LoadedTemplate) -> Iterable[StackParameter]:
    for name, declaration in (template.document.get("Parameters") or {}).items():
        if name in template.values:
            value = template.values[name]
            text = ",".join(map(as_text, value)) if isinstance(value, list) else as_text(value)
            yield StackParameter(name, text, declaration or {})
