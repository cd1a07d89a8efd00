"""Reads and writes the registry's JSON documents: a dataclass's annotations are a document's schema.

Manifests, aliases and training records are read with ``read``. It raises ``ValueError`` that names the field; callers
turn that into their own error.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from model_registry import strict_json
from model_registry.strict_json import StrictJsonError

T = TypeVar("T")
Positive = Annotated[int, "at least 1"]
# A manifest has some ten kilobytes. Reading this much takes a tenth of a second.
MAX_DOCUMENT_BYTES = 4 << 20


def parse_object(body: bytes, limit_bytes: int = MAX_DOCUMENT_BYTES) -> dict[str, Any]:
    """Return the JSON object in ``body``, read by ``strict_json``; raise ``ValueError`` for anything else."""
    if len(body) > limit_bytes:
        raise ValueError(f"it has {len(body):,} bytes, more than {limit_bytes:,}")
    try:
        document = strict_json.parse(body.decode("utf-8"))
    except StrictJsonError as error:
        raise ValueError(f"it {error}") from None
    if not isinstance(document, dict):
        raise ValueError("it isn't a JSON object")
    return document


def dump_object(document: Mapping[str, Any]) -> bytes:
    """Return ``document`` as indented JSON with a stable order, for people and for hashes."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def read_formatted(cls: Callable[..., T], body: bytes, newest: int, *, limit_bytes: int = MAX_DOCUMENT_BYTES) -> T:
    """Read a stored document with a ``format`` number; a newer format than ``newest`` raises ``ValueError``."""
    document = parse_object(body, limit_bytes)
    number = _positive(document.get("format"), "format")
    if number > newest:
        raise ValueError(f"its format is {number}, this code reads up to {newest}: update this software")
    return read(cls, document)


def read(cls: Callable[..., T], document: object, name: str = "document") -> T:
    """Read a dataclass from a JSON object.

    Parameters
    ----------
    cls : dataclass
        Its fields' names are the members' names. Their annotations are the types: text, number, whole number
        (``Positive`` from 1 on), truth value, object, tuple for an array, ``Literal``, another dataclass, or one of
        these ``| None``, which may be null or absent.
    document : object
        The parsed JSON. Members that aren't fields are left out.
    name : str
        The document's name in messages.

    Raises
    ------
    ValueError
        If a member is missing or has another type, or the dataclass refuses the value in its ``__post_init__``.
    """
    members = _mapping(document, name)
    return cls(**{field: _value(kind, members.get(field), field) for field, kind in _annotations(cls).items()})


@lru_cache
def _annotations(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _value(kind: Any, value: Any, name: str) -> Any:
    if NoneType in get_args(kind):
        return None if value is None else _value(get_args(kind)[0], value, name)
    if kind in _SCALARS:
        return _SCALARS[kind](value, name)
    if dataclasses.is_dataclass(kind):
        # It is a class, which mypy takes for a class or an instance of one.
        cls: Any = kind
        return read(cls, value, name)
    return _collection(kind, value, name)


def _collection(kind: Any, value: Any, name: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{name!r} is {value!r}, not {' or '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{name!r} isn't an array")
        return tuple(_value(arguments[0], item, name) for item in value)
    key_kind, value_kind = arguments
    return {
        _version_number(key) if key_kind is int else key: _value(value_kind, item, key)
        for key, item in _mapping(value, name).items()
    }


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name!r} isn't an object")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name!r} isn't a string")
    return value


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name!r} isn't a whole number")
    return value


def _positive(value: Any, name: str) -> int:
    if _whole(value, name) < 1:
        raise ValueError(f"{name!r} isn't a whole number of at least 1")
    return int(value)


def _number(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name!r} isn't a finite number")
    return float(value)


def _version_number(key: str) -> int:
    # "8" alone: with "08" or " 8" beside it, one version would have two weights.
    if not key.isdecimal() or str(int(key)) != key:
        raise ValueError(f"{key!r} isn't a version number")
    return int(key)


_SCALARS: Mapping[Any, Callable[[Any, str], Any]] = {
    Positive: _positive,
    int: _whole,
    float: _number,
    str: _text,
    bool: lambda value, _name: value is True,
    Any: lambda value, _name: value,
    # JSON has no bytes: a candidate's pickle, which is kept beside its document.
    bytes: lambda value, _name: value,
}
