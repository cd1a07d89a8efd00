"""The base of tallies: dataclasses of whole numbers that add up exactly, with a document of their own. Pure.

A subclass is a frozen dataclass with ``eq=False``. Its fields are whole numbers, int64 arrays, other tallies, mappings
to any of these, or the day that all the rest is of. Sums of whole numbers don't depend on order or grouping: parts may
be folded anywhere, and added in any order.

In a document an array holds only what isn't zero, by its place. An array of two axes is a list of such rows::

    {"requests": 3, "latency": {"17": 2, "18": 1}, "profiles": [{"0": 3}, {"4": 1, "62": 2}]}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from datetime import date
from functools import cache
from typing import Any, Final, NewType, TypeVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
# A whole number that may be negative; all others are counts.
Signed = NewType("Signed", int)
_C = TypeVar("_C", bound="Counts")

# Sums of two such numbers are within int64.
_LIMIT: Final = 2**62
# A class's types by field. To work them out takes longer than to read a small document.
_kinds: Final[Callable[[Any], Mapping[str, Any]]] = cache(get_type_hints)


def zeros(*shape: int) -> Callable[[], Ints]:
    """Return a factory of arrays of zeros, for a field's default. A first axis of 0 grows as rows are added."""
    return lambda: np.zeros(shape, dtype=np.int64)


class Counts:
    """A tally. ``+`` adds field by field, and mappings key by key; it raises ``ValueError`` for two days."""

    def __add__(self: _C, other: _C) -> _C:
        if type(self) is not type(other):
            return NotImplemented
        return type(self)(**{name: _sum(getattr(self, name), getattr(other, name)) for name in _fields(type(self))})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counts) or type(self) is not type(other):
            return NotImplemented
        return self.to_document() == other.to_document()

    __hash__ = None  # type: ignore[assignment]

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {name: _written(getattr(self, name)) for name in _fields(type(self))}

    @classmethod
    def from_document(cls: type[_C], document: object, name: str = "tally") -> _C:
        """Read what ``to_document`` returned.

        Raises ``ValueError`` with the member's name if a member is missing or unknown, or isn't what it should be.
        """
        members, kinds, declared = _object(document, name), _kinds(cls), _fields(cls)
        wrong = sorted(members.keys() ^ declared.keys())
        if wrong:
            fault = "is missing" if wrong[0] in declared else "is unknown"
            raise ValueError(f"{wrong[0]!r} {fault} in {name!r}")
        return cls(**{key: _read_field(declared[key], kinds[key], members[key]) for key in declared})


def _fields(cls: Any) -> dict[str, Field[Any]]:
    return {field.name: field for field in fields(cls)}


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        shared = {key: _sum(one[key], value) for key, value in other.items() if key in one}
        return {**one, **other, **shared}
    if isinstance(one, date):
        if one != other:
            raise ValueError(f"Tallies of {one} and {other} don't add up to a tally of one day.")
        return one
    if isinstance(one, np.ndarray) and len(one) != len(other):
        longer, shorter = (one, other) if len(one) > len(other) else (other, one)
        total = longer.copy()
        total[: len(shorter)] += shorter
        return total
    return one + other


def _written(value: Any) -> Any:
    if isinstance(value, Counts):
        return value.to_document()
    if isinstance(value, Mapping):
        return {str(key): _written(value[key]) for key in sorted(value)}
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, np.ndarray):
        return int(value)
    if value.ndim > 1:
        return [_written(row) for row in value]
    places = np.flatnonzero(value)
    return dict(zip(map(str, places.tolist()), value[places].tolist(), strict=True))


def _read_field(field: Field[Any], kind: Any, value: object) -> Any:
    zero = field.default_factory() if callable(field.default_factory) else None
    return (
        _read_array(zero.shape, value, field.name) if isinstance(zero, np.ndarray) else _read(kind, value, field.name)
    )


def _read(kind: Any, value: object, name: str) -> Any:
    if kind is int or kind is Signed:
        return _whole(value, name, least=0 if kind is int else 1 - _LIMIT)
    if kind is date:
        return _day(value, name)
    if isinstance(kind, type) and issubclass(kind, Counts):
        return kind.from_document(value, name)
    key_kind, value_kind = get_args(kind)
    return {_key(key, key_kind, name): _read(value_kind, item, key) for key, item in _object(value, name).items()}


def _read_array(shape: tuple[int, ...], value: object, name: str) -> Ints:
    length, *rest = shape
    if rest:
        if not isinstance(value, list) or (length and len(value) != length):
            raise ValueError(f"{name!r} isn't a list of {length or 'as many'} rows")
        rows = [_read_array(tuple(rest), row, name) for row in value]
        return np.array(rows, dtype=np.int64).reshape(len(rows), *rest)
    array = np.zeros(length, dtype=np.int64)
    for key, count in _object(value, name).items():
        place = _key(key, int, name)
        if place >= length:
            raise ValueError(f"{name!r} has the place {place}, but its last one is {length - 1}")
        array[place] = _whole(count, name, least=0)
    return array


def _key(key: str, kind: Any, name: str) -> Any:
    if kind is str:
        return key
    if kind is date:
        return _day(key, name)
    # "8" alone: with "08" beside it, one place would have two counts.
    if not key.isdecimal() or str(int(key)) != key:
        raise ValueError(f"{name!r} has the key {key!r}, which isn't a whole number")
    return int(key)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name!r} isn't an object")
    return value


def _whole(value: object, name: str, *, least: int) -> int:
    if type(value) is not int or not least <= value < _LIMIT:
        raise ValueError(f"{name!r} has {value!r}, which isn't a {'count' if least == 0 else 'whole number'}")
    return value


def _day(value: object, name: str) -> date:
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        day = None
    if day is None or day.isoformat() != value:
        raise ValueError(f"{name!r} has {value!r}, which isn't a date such as 2026-03-12")
    return day
