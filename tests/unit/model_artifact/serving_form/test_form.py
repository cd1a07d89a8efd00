"""Stored forms: read back as they were, readable by NumPy, and refused where they would do harm."""

from __future__ import annotations

import io
import json
from array import array
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitted_pipelines import form, records
from model_artifact.errors import ArtifactError
from model_artifact.schema import CATEGORY_NAMES
from model_artifact.serving_form import archive
from model_artifact.serving_form.errors import InvalidServingFormError
from model_artifact.serving_form.reading import form_from_bytes
from model_artifact.serving_form.scorers.record_scorer import make_scorer

KINDS = [
    "boosting-small",
    "boosting-large",
    "logistic",
    "lightgbm-small-zero-as-missing",
    "xgboost-large-sparse",
    "logistic-curves",
    "composite-calibrated",
]


@cache
def stored(kind: str) -> bytes:
    return form(kind).to_bytes()


def members_of(kind: str) -> dict[str, Any]:
    return archive.unpack(stored(kind))


def with_meta(of_kind: str, changes: dict[str, Any]) -> bytes:
    members = members_of(of_kind)
    meta = {**json.loads(members["meta"].tobytes()), **changes}
    return archive.pack({**members, "meta": array("B", json.dumps(meta).encode())})


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_form_is_read_back_unchanged(kind: str) -> None:
    read = form_from_bytes(stored(kind))
    assert type(read) is type(form(kind))
    assert read.to_bytes() == stored(kind)
    if "composite" not in kind:
        assert vars(read) == vars(form(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_reads_a_stored_form_and_what_numpy_stores_is_read(kind: str) -> None:
    with np.load(io.BytesIO(stored(kind)), allow_pickle=False) as loaded:
        arrays = dict(loaded)
    for name, values in arrays.items():
        if name != "meta":
            assert values.tolist() == form(kind).members()[name].tolist()
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, **arrays)
        assert form_from_bytes(file.getvalue()).to_bytes() == stored(kind)


@given(st.binary(max_size=200))
def test_bytes_that_are_not_a_form_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidServingFormError):
        form_from_bytes(data)


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_refused(kind: str) -> None:
    data = stored(kind)
    for length in range(0, len(data), max(1, len(data) // 50)):
        with pytest.raises(InvalidServingFormError):
            form_from_bytes(data[:length])


def test_a_damaged_length_of_a_comment_hides_no_member() -> None:
    body = bytearray(stored("lightgbm-small-zero-as-missing"))
    entries = [at for at in range(len(body)) if body.startswith(b"PK\x01\x02", at)]
    for length_of in (30, 32):  # Of the entry's further fields, of its comment
        for entry in entries[:-1]:  # No member comes after the last one.
            damaged = bytearray(body)
            damaged[entry + length_of + 1] ^= 1
            with pytest.raises(InvalidServingFormError):
                form_from_bytes(bytes(damaged))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_changes_no_array(kind: str, data: st.DataObject) -> None:
    body = bytearray(stored(kind))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = form_from_bytes(bytes(body))
    except InvalidServingFormError:
        return
    # Dates, attributes and the like: the arrays have checksums.
    assert read.to_bytes() == stored(kind)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_figures_are_refused_or_can_be_scored(kind: str, data: st.DataObject) -> None:
    members = members_of(kind)
    for _ in range(data.draw(st.integers(1, 3))):
        values = members[data.draw(st.sampled_from(sorted(members)))]
        if values.typecode == "d":
            change = data.draw(st.floats(allow_nan=True))
        else:
            bits = 8 * values.itemsize
            is_signed = values.typecode.islower()
            low = -(1 << bits - 1) if is_signed else 0
            change = data.draw(st.integers(low, low + (1 << bits) - 1))
        if len(values):
            values[data.draw(st.integers(0, len(values) - 1))] = change
    try:
        scorer = make_scorer(form_from_bytes(archive.pack(members)))
    except InvalidServingFormError:
        return
    try:
        assert all(0 <= probability <= 1 for probability in scorer.late_probabilities(records()[:30]))
        assert 0 <= scorer.late_probability(records()[0]) <= 1
    except ArtifactError:
        # A sum may overflow, and a logarithm has no value for a negative number; that is noticed.
        assert not kind.startswith("boosting")


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("logistic", {"format": 2}, "format isn't 1"),
        ("logistic", {"kind": "neural"}, "kind"),
        ("logistic", {"kind": "trees"}, "arrays"),
        ("logistic", {"fields": ["a"]}, "fields"),
        ("logistic", {"intercept": "0"}, "intercept"),
        ("logistic", {"intercept": 1e300}, "intercept"),
        ("boosting-small", {"base": None}, "base"),
        ("boosting-small", {"base": True}, "base"),
        ("boosting-small", {"output": "mean"}, "zero|leaf"),
        ("boosting-small", {"output": "product"}, "sum"),
        ("boosting-small", {"labels": {}}, "labels"),
        ("boosting-small", {"labels": {name: ["A", "A"] for name in CATEGORY_NAMES}}, "twice"),
        ("boosting-small", {"labels": {name: [1] for name in CATEGORY_NAMES}}, "texts"),
        ("boosting-small", {"labels": {name: [] for name in CATEGORY_NAMES}}, "sizes"),
    ],
)
def test_invalid_meta_is_refused(kind: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidServingFormError, match=message):
        form_from_bytes(with_meta(kind, changes))


def part_changed(**changes: Any) -> bytes:
    first, *others = form("composite-calibrated").description()["parts"]
    return with_meta("composite-calibrated", {"parts": [{**first, **changes}, *others]})


def nested(depth: int) -> dict[str, Any]:
    description = form("composite-calibrated").description()
    return description if depth == 0 else {**description, "parts": [nested(depth - 1)]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: with_meta("composite-calibrated", {"parts": []}), "parts"),
        (lambda: with_meta("composite-calibrated", {"parts": [1, 2, 3]}), "description"),
        (lambda: with_meta("composite-calibrated", {"parts": {"0": {}}}), "parts"),
        (lambda: with_meta("composite-calibrated", {"parts": [{}] * 65}), "1 to 64"),
        (lambda: with_meta("composite-calibrated", nested(5)), "deep"),
        (lambda: with_meta("composite-calibrated", {"base": 1.0}), "mean"),
        (lambda: part_changed(kind="linear"), "intercept|arrays"),
        (lambda: part_changed(labels={}), "labels"),
        (lambda: part_changed(fields=[]), "fields"),
    ],
)
def test_a_composite_with_invalid_parts_is_refused(data: Callable[[], bytes], message: str) -> None:
    with pytest.raises(InvalidServingFormError, match=message):
        form_from_bytes(data())


@pytest.mark.parametrize(
    ("kind", "name", "index", "value", "message"),
    [
        ("logistic-curves", "curve_field", 0, 2, "isn't a number"),
        ("logistic-curves", "curve_steps", 0, -1, "steps"),
        ("logistic-curves", "curve_steps", 0, 2**31 - 1, "steps"),
        ("logistic-curves", "curve_pieces", 0, 0, "piece"),
        ("logistic-curves", "curve_pieces", 0, 2**31 - 1, "too many"),
        ("logistic-curves", "curve_missing", 0, float("nan"), "contribution"),
        ("logistic-curves", "step_function", 0, 99, "function"),
        ("logistic-curves", "step_function", 0, -1, "function"),
        ("logistic-curves", "step_a", 0, float("inf"), "finite"),
        ("logistic-curves", "piece_start", -1, -1e300, "ascend"),
        ("logistic-curves", "piece_coefficients", 0, float("nan"), "finite"),
        ("composite-calibrated", "part_weight", 0, -1.0, "mean"),
        ("composite-calibrated", "part_weight", 0, float("nan"), "finite"),
        ("composite-calibrated", "part_is_score", 0, 2, "neither"),
        ("composite-calibrated", "part_knots", 0, -1, "lengths"),
        ("composite-calibrated", "part_knots", 0, 2**31 - 1, "lengths"),
        ("composite-calibrated", "knot_x", 0, 1e300, "ascend"),
        ("composite-calibrated", "knot_y", 0, 2.0, "ascend"),
        ("composite-calibrated", "knot_y", 0, float("inf"), "finite"),
        ("composite-calibrated", "1.node_column", 0, 32_767, "column that doesn't exist"),
        ("composite-calibrated", "2.node_right", 0, -1, "right child"),
    ],
)
def test_invalid_figures_of_curves_and_composites_are_refused(
    kind: str, name: str, index: int, value: float, message: str
) -> None:
    members = members_of(kind)
    members[name][index] = value
    with pytest.raises(InvalidServingFormError, match=message):
        form_from_bytes(archive.pack(members))


@pytest.mark.parametrize("meta", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000])
def test_meta_that_is_not_a_json_object_is_refused(meta: bytes) -> None:
    with pytest.raises(InvalidServingFormError):
        form_from_bytes(archive.pack({**members_of("logistic"), "meta": array("B", meta)}))


# Changes to the first tree: root 0 asks, its left child is 1.
@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("node_right", 0, 0, "right child"),
        ("node_right", 0, 1, "right child"),
        ("node_right", 0, -1, "right child"),
        ("node_right", 0, 2**31 - 1, "right child"),
        ("node_column", 0, 32_767, "column that doesn't exist"),
        ("node_column", 0, -2, "column that doesn't exist"),
        ("node_column", 0, -1, "after its last leaf|leaf is outside"),
        ("node_value", 0, float("nan"), "NaN"),
        ("roots", 0, 1, "follow"),
        ("roots", 1, 0, "follow"),
        ("roots", 1, 10**6, "follow|last leaf"),
        ("column_field", 0, -1, "field"),
        ("column_field", -1, 10, "field"),
        ("category_sides", 0, 2, "side"),
        ("column_missing_left", 0, 2, "side"),
    ],
)
def test_invalid_tree_links_and_values_are_refused(name: str, index: int, value: float, message: str) -> None:
    members = members_of("boosting-small")
    members[name][index] = value
    with pytest.raises(InvalidServingFormError, match=message):
        form_from_bytes(archive.pack(members))


@pytest.mark.parametrize(("depth", "is_refused"), [(1_000, False), (1_001, True)])
def test_tree_that_would_take_long_to_walk_is_refused(depth: int, is_refused: bool) -> None:
    members = members_of("boosting-small")
    column = members["node_column"][0]
    # Each question's right child is a leaf, and the left one the next question.
    members["node_column"] = array("h", [*[column] * depth, *[-1] * (depth + 1)])
    members["node_right"] = array("i", [*range(2 * depth, depth, -1), *[0] * (depth + 1)])
    members["node_value"] = array("d", [0.5] * depth + [0.0] * (depth + 1))
    members["roots"] = array("i", [0])
    if is_refused:
        with pytest.raises(InvalidServingFormError, match="a tree is more than 1,000 deep"):
            form_from_bytes(archive.pack(members))
    else:
        form_from_bytes(archive.pack(members))


@pytest.mark.parametrize("place", ["leaf", "base"])
def test_summand_that_is_no_float32_is_refused_where_the_sum_is_one(place: str) -> None:
    kind = "xgboost-large-sparse"
    members = members_of(kind)
    if place == "leaf":
        members["node_value"][members["node_column"].index(-1)] = 0.1
        data = archive.pack(members)
    else:
        data = with_meta(kind, {"base": 0.1})
    with pytest.raises(InvalidServingFormError, match="isn't a float32"):
        form_from_bytes(data)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_a_wrong_length_or_type_are_refused(kind: str) -> None:
    for name in members_of(kind):
        for change in ("shorter", "longer", "empty", "type", "left out"):
            members = members_of(kind)
            if change == "shorter":
                members[name].pop()
            elif change == "longer":
                members[name].append(members[name][-1])
            elif change == "empty":
                members[name] = array(members[name].typecode)
            elif change == "type":
                members[name] = array("i" if members[name].typecode != "i" else "h", [0])
            else:
                del members[name]
            with pytest.raises(InvalidServingFormError):
                form_from_bytes(archive.pack(members))


@pytest.mark.parametrize(
    ("name", "value"),
    [("column_blank_from", float("nan")), ("column_blank_to", float("nan")), ("column_blank_left", 2)],
)
def test_invalid_ranges_of_numbers_that_are_not_compared_are_refused(name: str, value: float) -> None:
    members = members_of("xgboost-large-sparse")
    members[name][-1] = value
    with pytest.raises(InvalidServingFormError, match=r"compared|side"):
        form_from_bytes(archive.pack(members))


def test_only_forms_that_leave_numbers_out_store_their_ranges() -> None:
    assert not [name for name in members_of("boosting-small") if "blank" in name]
    assert [name for name in members_of("xgboost-large-sparse") if "blank" in name]


def test_errors_say_what_to_do() -> None:
    with pytest.raises(InvalidServingFormError, match="Publish the model again"):
        form_from_bytes(b"PK")
