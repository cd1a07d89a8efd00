"""Errors of a template, of its files and of the options that apply to it."""

from __future__ import annotations


class ProjectError(Exception):
    """Base of these errors."""


class TemplateError(ProjectError):
    """The template can't be read, or AWS's transform refuses it."""


class UnsupportedError(ProjectError):
    """The template asks for something that the emulator doesn't imitate."""

    def __init__(self, resource: str, name: str, reason: str) -> None:
        self.resource = resource
        self.property = name
        self.reason = reason
        super().__init__(f"{resource}, property {name}: {reason}")
