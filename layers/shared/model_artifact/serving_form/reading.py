"""Reads a stored form, and checks every member before anything uses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form import archive
from model_artifact.serving_form.checks import check_labels, check_linear, check_trees
from model_artifact.serving_form.errors import InvalidServingFormError
from model_artifact.serving_form.form import (
    FORM_FORMAT,
    LINEAR_MEMBERS,
    META,
    TREE_MEMBERS,
    Labels,
    LinearForm,
    ServingForm,
    TreesForm,
)


def form_from_bytes(data: bytes) -> ServingForm:
    """Read a stored form.

    Parameters
    ----------
    data : bytes
        An ``.npz`` archive. It is checked, so that scoring can neither read out of bounds nor run forever.

    Raises
    ------
    InvalidServingFormError
        If the form can't be used; the message says why.
    """
    members = archive.unpack(data)
    if META not in members or members[META].typecode != "B":
        raise InvalidServingFormError("it doesn't say what it is")
    try:
        meta = json.loads(members.pop(META).tobytes())
    except (ValueError, RecursionError) as error:
        raise InvalidServingFormError("its description isn't JSON") from error
    if not isinstance(meta, dict) or meta.get("format") != FORM_FORMAT:
        raise InvalidServingFormError(f"its format isn't {FORM_FORMAT}")
    if meta.get("fields") != list(FIELD_NAMES):
        raise InvalidServingFormError("it is about other fields than the schema's")
    labels = check_labels(meta.get("labels"))
    if meta.get("kind") == "trees":
        return _trees(meta, labels, members)
    if meta.get("kind") == "linear":
        return _linear(meta, labels, members)
    raise InvalidServingFormError("its kind is unknown")


def _trees(meta: Mapping[str, Any], labels: Labels, members: Mapping[str, Any]) -> TreesForm:
    _check_members(members, TREE_MEMBERS)
    output = meta.get("output")
    if output not in ("log_odds", "mean"):
        raise InvalidServingFormError("it doesn't say what the sum of its trees is")
    form = TreesForm(output=output, base=_number(meta, "base"), labels=labels, **members)
    check_trees(form)
    return form


def _linear(meta: Mapping[str, Any], labels: Labels, members: Mapping[str, Any]) -> LinearForm:
    _check_members(members, LINEAR_MEMBERS)
    form = LinearForm(intercept=_number(meta, "intercept"), labels=labels, **members)
    check_linear(form)
    return form


def _check_members(members: Mapping[str, Any], expected: Mapping[str, str]) -> None:
    if {name: values.typecode for name, values in members.items()} != expected:
        raise InvalidServingFormError("it doesn't have the arrays of its kind")


def _number(meta: Mapping[str, Any], name: str) -> float:
    value = meta.get(name)
    # A bool is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e6:
        raise InvalidServingFormError(f"its {name} isn't a possible log-odds")
    return float(value)
