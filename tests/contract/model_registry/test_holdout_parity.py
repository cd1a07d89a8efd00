"""What a training found out about the serving form on the held-out loans decides whether it is stored."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from model_registry.candidate import Inspection
from model_registry.documents import read
from model_registry.manifest import HoldoutParity
from model_registry.stores.base import ObjectStore
from registry_kit import make_candidate, make_writer

FORM = b"form"


@pytest.mark.parametrize(
    ("is_proven", "form", "compared", "stored", "kept"),
    [
        (True, FORM, FORM, True, True),
        # Of another form, compiled by other libraries, nothing is known; publishing has proven this one by itself.
        (True, FORM, b"another", True, False),
        (True, None, FORM, False, False),
        (False, FORM, FORM, False, True),
        (False, FORM, b"another", False, True),
        (False, None, FORM, False, True),
    ],
)
def test_a_serving_form_is_stored_unless_it_differed_on_the_held_out_loans(
    store: ObjectStore, is_proven: bool, form: bytes | None, compared: bytes, stored: bool, kept: bool
) -> None:
    difference = 0.0 if is_proven else 1e-11
    sha256 = hashlib.sha256(compared).hexdigest()
    parity = HoldoutParity("loans.csv", "0" * 64, 9, difference, 1e-12, is_proven, sha256)
    writer = make_writer(store, inspect=lambda *_: Inspection({}, (0, 1), (0.5,), serving_form=form))
    manifest = writer.publish(replace(make_candidate(), holdout_parity=parity)).manifest
    assert (manifest.serving_form is not None) == stored
    assert manifest.holdout_parity == (parity if kept else None)
    assert writer.reader.get_manifest(manifest.version) == manifest
    assert ("late-payer/versions/1/serving-form.npz" in store.list_keys("late-payer/versions/1/")) == stored


@pytest.mark.parametrize(
    "changes",
    [
        {"largest_difference": 1e-11},
        {"largest_difference": -1.0},
        {"largest_difference": float("nan")},
        {"tolerance": -1e-12, "is_proven": False},
        {"tolerance": float("inf")},
        {"rows": 0},
        {"rows": True},
        {"form_sha256": None},
    ],
)
def test_a_comparison_that_contradicts_itself_is_refused(changes: dict[str, object]) -> None:
    right = {
        "data_name": "loans.csv",
        "data_sha256": "0" * 64,
        "rows": 9,
        "largest_difference": 0.0,
        "tolerance": 1e-12,
        "is_proven": True,
        "form_sha256": "0" * 64,
    }
    assert read(HoldoutParity, right).is_proven
    with pytest.raises(ValueError, match=r"isn't|below zero|beyond its tolerance"):
        read(HoldoutParity, {**right, **changes})


@pytest.mark.parametrize(("form", "kept"), [(None, "KNeighborsClassifier has no arrays"), (FORM, None)])
def test_the_manifest_keeps_why_a_version_has_no_arrays(
    store: ObjectStore, form: bytes | None, kept: str | None
) -> None:
    found = Inspection({}, (0, 1), (0.5,), form, why_no_serving_form="KNeighborsClassifier has no arrays")
    writer = make_writer(store, inspect=lambda *_: found)
    manifest = writer.publish(make_candidate()).manifest
    assert writer.reader.get_manifest(manifest.version).why_no_serving_form == kept


def test_a_version_whose_figures_were_claimed_is_another_one_when_they_are_measured(store: ObjectStore) -> None:
    writer = make_writer(store)
    claimed = replace(make_candidate(), metrics={"claimed": {"by": "training.json", "what": ["test"]}})
    assert [writer.publish(claimed).manifest.version for _ in range(2)] == [1, 1]
    assert [writer.publish(make_candidate()).manifest.version for _ in range(2)] == [2, 2]
