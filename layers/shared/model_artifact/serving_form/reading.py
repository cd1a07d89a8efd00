"""Reads a stored form, and checks every member before anything uses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form import archive
from model_artifact.serving_form.checks import MAX_LOG_ODDS, check, check_labels
from model_artifact.serving_form.checks_of_sums import MAX_PARTS
from model_artifact.serving_form.errors import InvalidServingFormError, require
from model_artifact.serving_form.form import (
    FORM_FORMAT,
    META,
    CompositeForm,
    CurvesForm,
    LinearForm,
    Output,
    ServingForm,
    TreesForm,
)

# A stack of calibrated votes is three deep.
MAX_DEPTH = 4
# As JSON, a byte may take thirty in memory.
MAX_META_BYTES = 4 << 20

_KINDS: tuple[type[TreesForm | LinearForm | CompositeForm], ...] = (TreesForm, LinearForm, CurvesForm, CompositeForm)


def form_from_bytes(data: bytes) -> ServingForm:
    """Read the ``.npz`` archive of a stored form, and check it: scoring can neither read out of bounds nor run forever.

    Raises ``InvalidServingFormError`` if the form can't be used; the message says why.
    """
    members: dict[str, Any] = archive.unpack(data)
    require(META in members and members[META].typecode == "B", "it doesn't say what it is")
    require(len(members[META]) <= MAX_META_BYTES, f"its description has more than {MAX_META_BYTES:,} bytes")
    try:
        meta = json.loads(members.pop(META).tobytes())
    except (ValueError, RecursionError) as error:
        raise InvalidServingFormError("its description isn't JSON") from error
    require(isinstance(meta, dict) and meta.get("format") == FORM_FORMAT, f"its format isn't {FORM_FORMAT}")
    form = _read(meta, members, MAX_DEPTH)
    check(form)
    return form


def _read(meta: Any, members: Mapping[str, Any], depth: int) -> ServingForm:
    """Return the form, or the part of a composite, that this description and these arrays are about."""
    require(isinstance(meta, dict), "a part of it has no description")
    require(meta.get("fields") == list(FIELD_NAMES), "it is about other fields than the schema's")
    kind = next((kind for kind in _KINDS if meta.get("kind") == kind.KIND), None)
    if kind is None:
        raise InvalidServingFormError("its kind is unknown")
    values: dict[str, Any] = {"labels": check_labels(meta.get("labels"))}
    if kind is CompositeForm:
        values["parts"], members = _read_parts(meta.get("parts"), members, depth)
    type_codes = {name: array.typecode for name, array in members.items()}
    has_members = (
        kind.type_codes().items() >= type_codes.items() and kind.optional() >= kind.type_codes().keys() - members
    )
    require(has_members, "it doesn't have the arrays of its kind")
    values |= {name: _FACTS[name](meta.get(name), name) for name in kind.facts()}
    return kind(**values, **members)


def _read_parts(
    descriptions: Any, members: Mapping[str, Any], depth: int
) -> tuple[tuple[ServingForm, ...], dict[str, Any]]:
    """Return the parts of a composite, and the arrays that are its own."""
    is_possible = isinstance(descriptions, list) and 1 <= len(descriptions) <= MAX_PARTS and depth > 0
    require(is_possible, f"its parts aren't 1 to {MAX_PARTS} forms, nested at most {MAX_DEPTH} deep")
    own: dict[str, Any] = {}
    of_parts: dict[str, dict[str, Any]] = {str(number): {} for number in range(len(descriptions))}
    for name, values in members.items():
        number, dot, rest = name.partition(".")
        if dot and number in of_parts:
            of_parts[number][rest] = values
        else:
            own[name] = values
    pairs = zip(descriptions, of_parts.values(), strict=True)
    return tuple(_read(description, of_part, depth - 1) for description, of_part in pairs), own


def _output(value: Any, _name: str) -> Any:
    is_known = isinstance(value, str) and value in get_args(Output)
    require(is_known, "it doesn't say what the sum of its trees is")
    return value


def _log_odds(value: Any, name: str) -> float:
    # A bool is an int to Python.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    require(is_number and abs(value) <= MAX_LOG_ODDS, f"its {name} isn't a possible log-odds")
    return float(value)


_FACTS: Mapping[str, Callable[[Any, str], Any]] = {"output": _output, "base": _log_odds, "intercept": _log_odds}
