"""Types of properties for pydantic, with CloudFormation's rules: text, whole numbers, folders of code.

A validator raises `ValueError` with a reason; `emulator.template.resource_models` adds the resource and the property.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainValidator, ValidationInfo

from emulator.template.identity_sources import check_identity_source
from emulator.template.intrinsics import Unresolvable, as_text
from emulator.template.load import LOCAL_BUCKET
from emulator.template.resolve import Reference

_WHOLE_NUMBER = re.compile("-?[0-9]{1,18}")


def resolvable(value: Any) -> Any:
    """Return the value, unless the second stage could not resolve it."""
    if isinstance(value, Unresolvable):
        raise ValueError(value.reason)
    return value


def plain(value: Any) -> Any:
    """Return a value with each reference in it replaced by its text.

    Raises
    ------
    ValueError
        A part of it can't be resolved.
    """
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return list(map(plain, value))
    return str(value) if isinstance(value, Reference) else resolvable(value)


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


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list | tuple) else (_text(value),)


def _local_folder(code: Any, info: ValidationInfo) -> Path:
    if isinstance(code, Mapping) and code.get("S3Bucket") == LOCAL_BUCKET:
        code = code.get("S3Key")
    if not isinstance(resolvable(code), str) or code.startswith("s3://"):
        raise ValueError("only code in a local folder can be run, not inline or in S3")
    folder: Path = (info.context / code).resolve()
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: build the project, or correct the path")
    return folder


def _identity_sources(value: Any) -> tuple[str, ...]:
    """Read identity sources: a list in CloudFormation, text with commas in OpenAPI."""
    sources = tuple(source.strip() for source in value.split(",")) if isinstance(value, str) else _texts(value or ())
    for source in sources:
        check_identity_source(source)
    return sources


def _with_sources(ttl_s: int, info: ValidationInfo) -> int:
    if ttl_s and not info.data.get("identity_source"):
        raise ValueError("answers can be cached only with identity sources: add one, or set the TTL to 0")
    return ttl_s


def _with_format_2(simple: bool, info: ValidationInfo) -> bool:
    if simple and info.data.get("authorizer_payload_format_version") == "1.0":
        raise ValueError("simple answers need payload format 2.0")
    return simple


Text = Annotated[str, PlainValidator(_text)]
Texts = Annotated[tuple[str, ...], PlainValidator(_texts)]
AuthorizerTtl = Annotated[int, whole_number(0, 3600), AfterValidator(_with_sources)]
SimpleAnswers = Annotated[bool, AfterValidator(_with_format_2)]
LocalFolder = Annotated[Path, PlainValidator(_local_folder)]
IdentitySources = Annotated[tuple[str, ...], PlainValidator(_identity_sources)]
