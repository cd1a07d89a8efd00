"""Types of properties for pydantic, with CloudFormation's rules: text, whole numbers, code.

A validator raises `ValueError` with a reason; `emulator.template.resources` adds the resource and the property.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    AliasPath,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    with_config,
)
from pydantic.alias_generators import to_pascal

from emulator.template.identity_sources import path_in_event
from emulator.template.source.inline_code import inline_folder
from emulator.template.values import LOCAL_BUCKET, as_text, resolvable

_WHOLE_NUMBER = re.compile("-?[0-9]{1,18}")


def _spellings(name: str) -> AliasChoices:
    """Return a property's names: with a capital as in CloudFormation, and a small letter as in OpenAPI extensions."""
    return AliasChoices(name, name[0].lower() + name[1:])


# Marks a dataclass whose fields are properties under CloudFormation's names, unless a field names its own.
properties = with_config(
    ConfigDict(
        validate_default=True,
        validate_by_name=True,
        validate_by_alias=True,
        alias_generator=AliasGenerator(validation_alias=lambda name: _spellings(to_pascal(name))),
    )
)


def named(*names: str) -> Any:
    """Return the property that a field is read from, for a field that has another name; or its alternatives."""
    return Field(validation_alias=AliasChoices(*names) if len(names) > 1 else _spellings(names[0]))


def member(*path: str) -> Any:
    """Return the path to the member of a property that a field is read from, in both spellings of `named`."""
    small = (name[0].lower() + name[1:] for name in path)
    return Field(validation_alias=AliasChoices(AliasPath(*path), AliasPath(*small)))


def whole_number(low: int, high: int) -> BeforeValidator:
    """Return a validator of whole numbers. Python's `int` would also accept ``1_0`` and ``" 1"``."""

    def validate(value: Any) -> int:
        text = _text(value)
        number = int(text) if _WHOLE_NUMBER.fullmatch(text) else low - 1
        if not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {value!r}")
        return number

    return BeforeValidator(validate)


def check(is_allowed: Callable[[Any], object], reason: str) -> AfterValidator:
    """Return a validator that refuses other values; the reason may name the ``{value}``."""

    def validate(value: Any) -> Any:
        if not is_allowed(value):
            raise ValueError(reason.format(value=value or "an empty value"))
        return value

    return AfterValidator(validate)


def matching(pattern: str, reason: str) -> AfterValidator:
    """Return a validator that refuses text that doesn't match."""
    return check(re.compile(pattern).fullmatch, reason)


def absent(reason: str) -> AfterValidator:
    """Return a validator that refuses every value that isn't empty."""
    return check(lambda value: not value, reason)


def _text(value: Any) -> str:
    return as_text(resolvable(value))


def _variable(value: Any) -> str:
    """Return an environment variable's text: empty for what isn't text, as with SAM CLI."""
    return "" if value is None or isinstance(value, list | tuple | Mapping) else as_text(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list | tuple) else (_text(value),)


def _local_code(code: Any, info: ValidationInfo) -> Path:
    if isinstance(code, Mapping) and code.get("S3Bucket") == LOCAL_BUCKET:
        code = code.get("S3Key")
    elif isinstance(code, Mapping) and code.get("ZipFile") is not None:
        return inline_folder(_text(code["ZipFile"]))
    if not isinstance(resolvable(code), str) or code.startswith("s3://"):
        raise ValueError("only inline code and code in a local folder or zip file can be run, not in S3")
    path: Path = info.context / code
    try:
        path = path.resolve()
        if not path.exists():
            raise ValueError(f"{path} doesn't exist: build the project, or correct the path")
        if not path.is_dir() and not zipfile.is_zipfile(path):
            raise ValueError(f"{path} is neither a folder nor a zip file")
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error
    return path


def _identity_sources(value: Any) -> tuple[str, ...]:
    """Read identity sources: a list in CloudFormation, text with commas in OpenAPI."""
    sources = tuple(source.strip() for source in value.split(",")) if isinstance(value, str) else _texts(value or ())
    for source in sources:
        path_in_event(source)
    return sources


Text = Annotated[str, PlainValidator(_text)]
# May hold a placeholder.
AnyText = Annotated[str, PlainValidator(as_text)]
VariableText = Annotated[str, PlainValidator(_variable)]
Texts = Annotated[tuple[str, ...], PlainValidator(_texts)]
LocalCode = Annotated[Path, PlainValidator(_local_code)]
IdentitySources = Annotated[tuple[str, ...], PlainValidator(_identity_sources)]
PayloadFormat = Annotated[Text, matching(r"1\.0|2\.0", "payload format {value} doesn't exist: use 1.0 or 2.0")]
