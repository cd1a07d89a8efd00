"""Gathers a request's parameters, and checks them against the service's model. Pure.

Fidelity: a value outside the model's limits (length, range, pattern, set of values) is answered with Lambda's
``ValidationException`` in its own words; a value of another type with ``SerializationException``.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emulator.lambda_service.errors import LambdaApiError
from emulator.strict_json import read_json


def gather(
    shape: Any,
    path: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an operation's parameters by AWS's names; `shape` is botocore's of the operation's input.

    `query` has each parameter with all of its values, which a list takes; otherwise the last one counts.

    Raises
    ------
    LambdaApiError
        The body isn't a JSON object, or a parameter is missing, of another type or outside its limits.
    """
    if shape is None:
        return {}
    parameters: dict[str, Any] = {}
    in_body = {name for name, member in shape.members.items() if "location" not in member.serialization}
    if in_body:
        document = read_object(body)
        parameters |= {name: document[name] for name in in_body if document.get(name) is not None}
    last = {name: values[-1] for name, values in query.items()}
    sources: dict[str, Mapping[str, Any]] = {"uri": path, "querystring": last, "header": headers or {}}
    for name, member in shape.members.items():
        source = sources.get(member.serialization.get("location", ""), {})
        key = member.serialization.get("name", name)
        if key in source:
            is_list = member.type_name == "list"
            parameters[name] = list(query[key]) if is_list else _from_text(member, name, source[key])
    errors = list(_problems_of_structure(shape, parameters, ""))
    if errors:
        count = f"{len(errors)} validation error{'s' if len(errors) > 1 else ''} detected: "
        raise LambdaApiError("ValidationException", 400, count + "; ".join(errors))
    return parameters


def read_object(body: bytes) -> dict[str, Any]:
    """Return a body that is a JSON object; an empty one counts as ``{}``."""
    if not body.strip():
        return {}
    try:
        document = read_json(body)
        if b"\\u" in body:
            # A lone surrogate, which JSON can hold, would make every answer that shows it fail.
            json.dumps(document, ensure_ascii=False).encode()
        if isinstance(document, dict):
            return document
        reason = "not an object"
    except ValueError as error:
        reason = str(error)
    raise LambdaApiError("SerializationException", 400, f"Could not parse request body into json: {reason}")


def _from_text(shape: Any, name: str, text: str) -> Any:
    if shape.type_name not in {"integer", "long"}:
        return text
    try:
        return int(text)
    except ValueError:
        raise _wrong_type(name, "integer") from None


def _problems(shape: Any, value: Any, name: str) -> Iterator[str]:
    if not isinstance(value, _PYTHON_TYPES[shape.type_name]) or (
        isinstance(value, bool) != (shape.type_name == "boolean")
    ):
        raise _wrong_type(name, shape.type_name)
    if shape.type_name == "structure":
        yield from _problems_of_structure(shape, value, f"{name}.")
        return
    if shape.type_name == "map":
        for key, member in value.items():
            yield from _problems(shape.key, key, f"{name}.key")
            yield from _problems(shape.value, member, f"{name}.{key}.member")
    if shape.type_name == "list":
        for number, member in enumerate(value, start=1):
            yield from _problems(shape.member, member, f"{name}.{number}.member")
    # The service masks values that may be secret, and shows the others.
    shown = "***" if shape.metadata.get("sensitive") else value
    for constraint in _broken_constraints(shape, value):
        yield f"Value '{shown}' at '{name}' failed to satisfy constraint: Member must {constraint}"


def _problems_of_structure(shape: Any, values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, member in shape.members.items():
        path = prefix + name[0].lower() + name[1:]
        if values.get(name) is not None:
            yield from _problems(member, values[name], path)
        elif name in shape.required_members:
            yield f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def _broken_constraints(shape: Any, value: Any) -> Iterator[str]:
    limits = shape.metadata
    kind = "have value" if shape.type_name in {"integer", "long", "double", "float"} else "have length"
    size = value if kind == "have value" else len(value) if hasattr(value, "__len__") else None
    if size is not None and size > limits.get("max", size):
        yield f"{kind} less than or equal to {limits['max']}"
    if size is not None and size < limits.get("min", size):
        yield f"{kind} greater than or equal to {limits['min']}"
    if "pattern" in limits and not re.fullmatch(_python_pattern(limits["pattern"]), value, re.DOTALL):
        yield f"satisfy regular expression pattern: {limits['pattern']}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"satisfy enum value set: [{', '.join(limits['enum'])}]"


def _python_pattern(pattern: str) -> str:
    """Return a pattern of the model with Java's classes of characters in Python's words: letters, digits, spaces."""
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\d").replace(r"\p{Z}", r"\s")


def decode_base64(name: str, text: str) -> bytes:
    """Return a blob's bytes; raise ``LambdaApiError`` if it isn't base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong_type(name, "base64") from None


def _wrong_type(name: str, expected: str) -> LambdaApiError:
    return LambdaApiError("SerializationException", 400, f"{name} must be of type {expected}")


_PYTHON_TYPES: Mapping[str, Any] = {
    "string": str, "blob": str, "integer": int, "long": int, "double": (int, float), "float": (int, float),
    "boolean": bool, "structure": dict, "map": dict, "list": list, "timestamp": (int, float, str),
}  # fmt: skip
