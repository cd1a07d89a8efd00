"""Replaces ``AWS::Include`` of local files by the files' content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.template.errors import TemplateError, UnsupportedError
from emulator.template.left_out import LeftOutParts
from emulator.template.resolving.intrinsics import IntrinsicError, Resolver
from emulator.template.source.files import read_template_file


@dataclass(frozen=True, slots=True)
class Includes:
    """Includes files of a template's folder; the resolver knows the values in their names."""

    folder: Path
    resolver: Resolver
    left_out: LeftOutParts

    def in_template(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a template with its files; what can't be included is left out."""
        sections = {name: self._in(part, name) for name, part in source.items() if name != "Resources"}
        resources = source["Resources"]
        own = {name: self._in(resource, name) for name, resource in resources.items() if name != "Fn::Transform"}
        included = self._in({name: part for name, part in resources.items() if name not in own}, "Resources")
        return {**sections, "Resources": {**included, **own}}

    def _in(self, value: Any, owner: str, within: tuple[str, ...] = ()) -> Any:
        """Return a copy of a value of a resource or a section, the owner.

        ``within`` lists the files whose content is being included, so that a file that includes itself is found.
        """
        if isinstance(value, list):
            return [self._in(item, owner, within) for item in value]
        if not isinstance(value, dict):
            return value
        copy = {name: self._in(item, owner, within) for name, item in value.items() if name != "Fn::Transform"}
        if "Fn::Transform" in value:
            try:
                return {**self._included(value["Fn::Transform"], owner, within), **copy}
            except (IntrinsicError, TemplateError) as error:
                part = UnsupportedError(owner, "Fn::Transform", str(error))
                self.left_out.leave_out(part, "nothing is included")
        return copy

    def _included(self, include: Any, owner: str, within: tuple[str, ...]) -> dict[str, Any]:
        parameters = include.get("Parameters") if isinstance(include, dict) else None
        location = parameters.get("Location") if isinstance(parameters, dict) else None
        if location is None or include.get("Name") != "AWS::Include":
            raise IntrinsicError("only AWS::Include of a local file is imitated")
        name = str(self.resolver.resolve(location))
        if name.startswith("s3://"):
            raise IntrinsicError(f"AWS::Include of {name} is not imitated; name a local file")
        if name in within:
            raise IntrinsicError(f"{name} includes itself")
        content: dict[str, Any] = self._in(read_template_file(self.folder / name), owner, (*within, name))
        return content
