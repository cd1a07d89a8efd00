"""Determines the values of a template's parameters, and checks them as CloudFormation does. Pure.

Source: CloudFormation user guide, "Parameters".
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from emulator.template.errors import ProjectError
from emulator.template.values import as_text

_LOOKED_UP = "AWS::SSM::Parameter::Value<"
# Python's float also accepts nan, inf and 1_000.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class ParameterError(ProjectError):
    """A parameter has no value, or its declaration doesn't allow the value."""


class MissingValueError(ParameterError):
    """A parameter has no value; ``source`` says where it would come from, ``ssm:/a/b`` for one that is looked up."""

    def __init__(self, name: str, source: str, message: str) -> None:
        self.name = name
        self.source = source
        super().__init__(message)


def parameter_values(
    declared: Mapping[str, Any],
    overrides: Mapping[str, str],
    stand_in: Callable[[MissingValueError], str] | None = None,
) -> dict[str, Any]:
    """Return each declared parameter's value: a list for list types, else what the template or the user wrote.

    An override replaces the default. Names that aren't declared are ignored, as by SAM CLI. ``stand_in`` gives a text
    for a parameter without a value; without it, `MissingValueError` is raised.
    """
    values = {}
    for name, declaration in declared.items():
        try:
            values[name] = _value(name, declaration or {}, overrides.get(name))
        except (TypeError, ValueError) as error:
            raise ParameterError(f"the declaration of parameter {name} can't be read: {error}") from error
        except MissingValueError as error:
            if stand_in is None:
                raise
            text = stand_in(error)
            values[name] = [text] if "List" in str((declaration or {}).get("Type")) else text
    return values


def _value(name: str, declaration: Mapping[str, Any], override: str | None) -> Any:
    kind = str(declaration.get("Type", "String"))
    if kind.startswith(_LOOKED_UP):
        if override is None:
            raise MissingValueError(
                name,
                f"ssm:{declaration.get('Default')}",
                f"parameter {name} is looked up in the SSM parameter store, which is not imitated: "
                f'give its value with --parameter-overrides "{name}=…"',
            )
        kind = kind.removeprefix(_LOOKED_UP).removesuffix(">")
    value = declaration.get("Default") if override is None else override
    if value is None:
        message = f'parameter {name} has no default: give one with --parameter-overrides "{name}=…"'
        raise MissingValueError(name, f"parameter:{name}", message)
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        items = [item.strip() for item in as_text(value).split(",")]
        for item in items:
            _check(name, declaration, kind.removeprefix("List<").removesuffix(">"), item)
        return items
    _check(name, declaration, kind, value)
    return value


def _check(name: str, declaration: Mapping[str, Any], kind: str, value: Any) -> None:
    text = as_text(value)
    allowed, pattern = declaration.get("AllowedValues"), declaration.get("AllowedPattern")
    if allowed is not None and text not in map(as_text, allowed):
        raise ParameterError(f"parameter {name} is {text!r}; allowed are {', '.join(map(as_text, allowed))}")
    if pattern is not None and not _may_match(pattern, text):
        raise ParameterError(f"parameter {name} is {text!r}, which does not match {pattern}")
    if kind == "Number":
        if _NUMBER.fullmatch(text) is None:
            raise ParameterError(f"parameter {name} is {text!r}, which is not a number")
        size, unit = float(text), ""
        low, high = declaration.get("MinValue"), declaration.get("MaxValue")
    else:
        size, unit = float(len(text)), " characters"
        low, high = declaration.get("MinLength"), declaration.get("MaxLength")
    if low is not None and size < float(low):
        raise ParameterError(f"parameter {name} is {text!r}; it must be at least {low}{unit}")
    if high is not None and size > float(high):
        raise ParameterError(f"parameter {name} is {text!r}; it must be at most {high}{unit}")


def _may_match(pattern: str, text: str) -> bool:
    """Return False for a text that doesn't match; True, too, if Python can't read the pattern, which is Java's."""
    try:
        with warnings.catch_warnings():
            # Python warns of what Java reads in another way, such as a set within a set.
            warnings.simplefilter("error")
            return re.fullmatch(pattern, text) is not None
    except (re.error, FutureWarning):
        return True
