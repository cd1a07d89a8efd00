"""Manifests and aliases: what is written is read back, and what is wrong is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.alias import Alias, RoutingConfig, Shadow
from model_registry.documents import MAX_DOCUMENT_BYTES, parse_object
from model_registry.errors import InvalidAliasError, InvalidManifestError
from model_registry.manifest import (
    Artifact,
    ColumnProfile,
    FieldSchema,
    Manifest,
    Probe,
    Reasons,
    Threshold,
    TrainingProfile,
    Wording,
)

MANIFEST = Manifest(
    model="late-payer",
    version=7,
    artifact=Artifact(100, "ab" * 32),
    environment={"python": "3.13.0", "scikit-learn": "1.9.1"},
    input_schema=(FieldSchema("grade", "category", None, False, None, None, None, None, ("A", "B"), "grade"),),
    classes=(0, 1),
    threshold=Threshold(0.05, "the share that can be called"),
    metrics={"test": {"roc_auc": 0.75}},
    data={"train": {"rows": 10}},
    probes=(Probe({"grade": "A", "revol_util": None}, 0.0123456789012345),),
    git_commit=None,
    description="test",
    created_at="2026-01-01T00:00:00+00:00",
    created_by="tester",
    serving_form=Artifact(200, "cd" * 32),
    reasons=Reasons(1, {"grade": "A"}),
)

weights = st.one_of(st.just({}), st.builds(lambda weight: {9: weight}, st.floats(0, 1)))


shadows = st.none() | st.builds(
    Shadow, st.just(9), st.floats(0, 1), st.none() | st.floats(0, 1e6, exclude_min=True, allow_subnormal=False)
)
evidence = st.none() | st.dictionaries(st.text("abc", max_size=3), st.integers() | st.booleans() | st.none())


@given(st.integers(1), st.integers(1, 8), weights, st.text(), st.text(), shadows, evidence)
def test_an_alias_survives_its_own_format(
    revision: int,
    version: int,
    share: dict[int, float],
    who: str,
    reason: str,
    shadow: Shadow | None,
    why: dict[str, Any] | None,
) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in who + reason):
        return
    alias = Alias(
        "live", revision, version, RoutingConfig(share), "live-1", "2026-01-01", who, reason, "id", shadow, why
    )
    assert Alias.from_json(alias.to_json()) == alias
    # What an earlier release can read is written as that release wrote it.
    document = json.loads(alias.to_json())
    assert document["format"] == (1 if shadow is None and why is None else 2)
    assert (("shadow" in document), ("evidence" in document)) == (shadow is not None, why is not None)


def test_a_manifest_survives_its_own_format() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    worded = replace(MANIFEST, reasons=Reasons(2, {"grade": "A"}, Wording({"DTI_HIGH": "High."}, ("DTI_LOW",))))
    assert Manifest.from_json(worded.to_json()) == worded
    assert b"wording" not in MANIFEST.signed_bytes()
    profile = TrainingProfile(
        (ColumnProfile("dti", (0.0, 9.5, 40.0), None, (3, 4), 1), ColumnProfile("grade", None, ("A", "B"), (5, 2), 1))
    )
    profiled = replace(MANIFEST, profile=profile)
    assert Manifest.from_json(profiled.to_json()) == profiled
    assert b"profile" not in MANIFEST.signed_bytes()
    assert b'{"counts":[5,2],"labels":["A","B"],"missing":1,"name":"grade"}' in profiled.signed_bytes()
    # A profile of an earlier release has no score, and is signed as it was.
    assert b'"score"' not in profiled.signed_bytes()
    scored = replace(profiled, profile=replace(profile, score=ColumnProfile("score", (0.0, 0.5), None, (8,), 0)))
    assert Manifest.from_json(scored.to_json()) == scored
    assert b'"wording":{"excluded":["DTI_LOW"],"texts":{"DTI_HIGH":"High."}}' in worded.signed_bytes()


def _profile(**changes: Any) -> dict[str, Any]:
    column = {"name": "dti", "edges": [0, 1, 2], "labels": None, "counts": [1, 1], "missing": 0}
    return {"profile": {"columns": [column | changes]}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": 2}, "format is 2"),
        ({"version": 0}, "version"),
        ({"version": True}, "version"),
        ({"artifact": {"size_bytes": 1, "sha256": "zz"}}, "sha256"),
        ({"threshold": {"value": 1.5, "how": ""}}, "1.5"),
        ({"threshold": None}, "threshold"),
        ({"input_schema": [{"name": "x", "type": "date"}]}, "date"),
        ({"probes": [{"record": [], "late_probability": 0.1}]}, "record"),
        ({"serving_form": {"size_bytes": 0, "sha256": "ab" * 32}}, "size_bytes"),
        ({"reasons": {"codes_version": 1}}, "reference"),
        (
            {"reasons": {"codes_version": 2, "reference": {}, "wording": {"texts": {"X": "x" * 301}, "excluded": []}}},
            "1 to 300 characters",
        ),
        ({"classes": ["no", "yes"]}, "'classes' isn't a whole number"),
        (_profile(edges=None), "'dti' must have either edges or labels"),
        (_profile(labels=["A"]), "'dti' must have either edges or labels"),
        (_profile(edges=[0, 1]), "2 counts for 1 bins, of which 62 are allowed"),
        (_profile(edges=list(range(64)), counts=[1] * 63), "63 counts for 63 bins, of which 62 are allowed"),
        (_profile(edges=[0, 2, 1]), "the edges of 'dti' aren't in rising order"),
        (_profile(edges=[0, 1, None]), "'edges' isn't a finite number"),
    ],
)
def test_a_manifest_that_is_wrong_says_where(change: dict[str, Any], named: str) -> None:
    document = {**json.loads(MANIFEST.to_json()), **change}
    with pytest.raises(InvalidManifestError, match=named):
        Manifest.from_json(json.dumps(document).encode())


ALIAS = Alias("live", 3, 7, RoutingConfig({8: 0.1}), "live-1", "2026-01-01", "tester", "", "id").to_json().decode()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 7', '"version": 7, "version": 9', "has the key 'version' twice"),
        ('"8": 0.1', '"8": 0.1, "8": 0.9', "has the key '8' twice"),
        ('"8": 0.1', '"08": 0.1', "'08' isn't a version number"),
        ('"8": 0.1', '" 8": 0.1', "' 8' isn't a version number"),
        ('"8": 0.1', '"8": NaN', "it holds NaN"),
    ],
)
def test_an_alias_document_that_can_be_read_in_two_ways_is_refused(old: str, new: str, message: str) -> None:
    assert old in ALIAS
    with pytest.raises(InvalidAliasError, match=message):
        Alias.from_json(ALIAS.replace(old, new).encode())


@pytest.mark.parametrize(
    ("shadow", "message"),
    [
        ('{"version": 7, "share": 1.0}', "The shadow is the alias's own version, 7"),
        ('{"version": 0, "share": 1.0}', "'version' isn't a whole number of at least 1"),
        ('{"version": 8, "share": 1.5}', "The shadow's share 1.5 isn't between 0.0 and 1.0"),
        ('{"version": 8}', "'share' isn't a finite number"),
        ('{"version": 8, "share": 1.0, "budget_ms": 0}', "budget 0.0 isn't a number of milliseconds above 0"),
        ('{"version": 8, "share": 1.0, "budget_ms": "5"}', "'budget_ms' isn't a finite number"),
        ('{"version": 8, "share": NaN}', "it holds NaN"),
        ("[8]", "'shadow' isn't an object"),
    ],
)
def test_an_alias_document_whose_shadow_breaks_the_rules_is_refused(shadow: str, message: str) -> None:
    document = ALIAS.replace('"format": 1', f'"format": 2, "shadow": {shadow}')
    with pytest.raises(InvalidAliasError, match=message):
        Alias.from_json(document.encode())


def test_an_alias_of_the_first_format_is_read() -> None:
    alias = Alias.from_json(ALIAS.encode())
    assert (alias.format, alias.shadow, alias.evidence, alias.versions_in_use) == (1, None, None, (7, 8))


def test_a_document_of_any_size_is_not_read() -> None:
    with pytest.raises(ValueError, match="more than 4,194,304"):
        parse_object(b"{" + b" " * MAX_DOCUMENT_BYTES + b"}")
