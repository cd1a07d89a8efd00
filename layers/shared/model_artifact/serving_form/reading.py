"""Reads a stored form, and checks every member before anything uses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form import archive
from model_artifact.serving_form.checks import MAX_LOG_ODDS, check, check_labels
from model_artifact.serving_form.errors import InvalidServingFormError, require
from model_artifact.serving_form.form import FORM_FORMAT, META, LinearForm, Output, ServingForm, TreesForm


def form_from_bytes(data: bytes) -> ServingForm:
    """Read the ``.npz`` archive of a stored form, and check it: scoring can neither read out of bounds nor run forever.

    Raises ``InvalidServingFormError`` if the form can't be used; the message says why.
    """
    members: dict[str, Any] = archive.unpack(data)
    require(META in members and members[META].typecode == "B", "it doesn't say what it is")
    try:
        meta = json.loads(members.pop(META).tobytes())
    except (ValueError, RecursionError) as error:
        raise InvalidServingFormError("its description isn't JSON") from error
    require(isinstance(meta, dict) and meta.get("format") == FORM_FORMAT, f"its format isn't {FORM_FORMAT}")
    require(meta.get("fields") == list(FIELD_NAMES), "it is about other fields than the schema's")
    labels = check_labels(meta.get("labels"))
    kind = next((kind for kind in (TreesForm, LinearForm) if meta.get("kind") == kind.KIND), None)
    if kind is None:
        raise InvalidServingFormError("its kind is unknown")
    type_codes = {name: values.typecode for name, values in members.items()}
    has_members = (
        kind.type_codes().items() >= type_codes.items() and kind.optional() >= kind.type_codes().keys() - members
    )
    require(has_members, "it doesn't have the arrays of its kind")
    facts: dict[str, Any] = {name: _FACTS[name](meta.get(name), name) for name in kind.facts()}
    form = kind(labels=labels, **facts, **members)
    check(form)
    return form


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
