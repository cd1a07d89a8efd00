"""Reading fields out of JSON documents that somebody else may have written.

Every function returns the value with its type or raises ``ValueError`` that names the field; callers turn that into
their own error. Manifests and aliases are both read with them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from model_registry import strict_json
from model_registry.strict_json import StrictJsonError


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in ``body``, read by ``strict_json``; raise ``ValueError`` for anything else."""
    try:
        document = strict_json.parse(body.decode("utf-8"))
    except StrictJsonError as error:
        raise ValueError(f"it {error}") from None
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    return document


def dump_object(document: Mapping[str, Any]) -> bytes:
    """Return ``document`` as indented JSON with a stable order, for people and for hashes."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def check_format(document: Mapping[str, Any], newest: int) -> int:
    """Return the document's format number; a format from the future is refused rather than guessed at."""
    number = integer(document, "format", minimum=1)
    if number > newest:
        raise ValueError(f"its format is {number}, this code reads up to {newest}: update this software")
    return number


def text(document: Mapping[str, Any], name: str) -> str:
    """Return a string field."""
    value = document.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name!r} is not a string")
    return value


def optional_text(document: Mapping[str, Any], name: str) -> str | None:
    """Return a string field, or None where it is null or absent."""
    return None if document.get(name) is None else text(document, name)


def integer(document: Mapping[str, Any], name: str, *, minimum: int) -> int:
    """Return a whole-number field that is at least ``minimum``."""
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ValueError(f"{name!r} is not a whole number of at least {minimum}")
    return value


def number(document: Mapping[str, Any], name: str) -> float:
    """Return a finite number field."""
    value = document.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name!r} is not a finite number")
    return float(value)


def optional_number(document: Mapping[str, Any], name: str) -> float | None:
    """Return a finite number field, or None where it is null or absent."""
    return None if document.get(name) is None else number(document, name)


def mapping(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object field."""
    value = document.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{name!r} is not an object")
    return value


def optional_mapping(document: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return an object field, or None where it is null or absent."""
    return None if document.get(name) is None else mapping(document, name)


def array(document: Mapping[str, Any], name: str) -> list[Any]:
    """Return an array field."""
    value = document.get(name)
    if not isinstance(value, list):
        raise ValueError(f"{name!r} is not an array")
    return value
