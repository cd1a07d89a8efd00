"""Aliases with a shadow, a named rollout and evidence, the same on every store."""

from __future__ import annotations

import math
from typing import Any

import pytest

from model_registry import names
from model_registry.alias import RoutingConfig, Shadow
from model_registry.errors import (
    ArtifactMismatchError,
    InvalidAliasError,
    InvalidNameError,
    VersionInUseError,
    VersionNotFoundError,
)
from model_registry.reader import RegistryReader
from model_registry.routing import resolve_version
from model_registry.stores.base import ObjectStore
from registry_kit import CutOffStore, make_candidate, make_writer, publish_two


def publish_three(store: ObjectStore) -> None:
    publish_two(store)
    make_writer(store).publish(make_candidate(b"pickle 3"))


def test_the_history_keeps_shadow_rollout_and_evidence(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store, "operator")
    writer.assign("live", 1, reason="first")
    evidence = {"step": 1, "guards": [{"guard": "flips", "verdict": "pass"}]}
    shadow = Shadow(2, 0.5, budget_ms=20)
    shadowed = writer.assign("live", 1, shadow=shadow, rollout="to-2", evidence=evidence, reason="shadow")
    writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}), shadow=Shadow(2), rollout="to-2")
    assert (shadowed.shadow, shadowed.evidence, shadowed.versions) == (shadow, evidence, (1,))
    history = RegistryReader(store).history("live")
    assert [(entry.format, entry.rollout, entry.shadow, entry.evidence) for entry in history] == [
        (1, "live-1", None, None),
        (2, "to-2", shadow, evidence),
        (2, "to-2", Shadow(2), None),
    ]


def test_an_update_without_a_shadow_ends_it_and_so_does_a_rollback(store: ObjectStore) -> None:
    publish_three(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    writer.assign("live", 2, shadow=Shadow(3))
    assert writer.assign("live", 2).shadow is None
    writer.assign("live", 2, shadow=Shadow(3))
    rolled_back = writer.roll_back("live")
    assert (rolled_back.version, rolled_back.shadow) == (1, None)
    writer.assign("live", 1, routing_config=RoutingConfig({3: 0.1}), shadow=Shadow(3), rollout="to-3")
    rolled_back = writer.roll_back("live")
    assert (rolled_back.versions_in_use, rolled_back.rollout) == ((1,), "live-7")


def test_a_named_rollout_keeps_each_key_at_its_point_over_holds_and_resumes(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    keys = [f"loan-{number}" for number in range(200)]
    candidates: list[set[str]] = []
    for weight in (0.1, None, 0.1, 0.5):
        weights = {} if weight is None else {2: weight}
        alias = writer.assign("live", 1, routing_config=RoutingConfig(weights), rollout="to-2")
        candidates.append({key for key in keys if resolve_version(alias, key) == 2})
    assert candidates[0] == candidates[2]
    assert candidates[0] < candidates[3]
    assert candidates[1] == set()
    # Without a name the rollout under way goes on while the versions keep their places.
    assert writer.assign("live", 1, routing_config=RoutingConfig({2: 0.6})).rollout == "to-2"


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    ("shadow", "message"),
    [
        (Shadow(1), "own version, 1"),
        (Shadow(0), "0 isn't a version number"),
        (Shadow(2, 1.1), "share 1.1 isn't between"),
        (Shadow(2, math.nan), "share nan isn't a number"),
        (Shadow(2, True), "share True isn't a number"),
        (Shadow(2, 1.0, 0), "budget 0 isn't a number of milliseconds above 0"),
        (Shadow(2, 1.0, math.inf), "budget inf"),
    ],
)
def test_fault_16_a_bad_shadow_is_refused_before_anything_is_written(
    store: ObjectStore, shadow: Shadow, message: str
) -> None:
    publish_two(store)
    with pytest.raises(InvalidAliasError, match=message):
        make_writer(store).assign("live", 1, shadow=shadow)
    assert store.list_keys("late-payer/aliases/") == []


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    "evidence",
    [{"estimate": math.nan}, {"estimate": object()}, {"text": "\ud800"}, {"text": "x" * (5 << 20)}, {1: 1, "1": 2}],
    ids=["NaN", "object", "surrogate", "5 MiB", "key twice"],
)
def test_fault_16_evidence_that_no_reader_could_read_is_never_written(
    store: ObjectStore, evidence: dict[Any, Any]
) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    with pytest.raises(InvalidAliasError):
        writer.assign("live", 1, evidence=evidence)
    assert writer.reader.get_alias("live").alias.revision == 1


def test_evidence_is_returned_as_readers_see_it(store: ObjectStore) -> None:
    publish_two(store)
    update = make_writer(store).assign("live", 1, evidence={"interval": (0.1, 0.2)})
    assert update == RegistryReader(store).get_alias("live").alias
    assert update.evidence == {"interval": [0.1, 0.2]}


@pytest.mark.parametrize("rollout", ["", "a/b", "..", "live shadow", "x" * 161])
def test_a_rollouts_name_can_be_a_part_of_a_key(store: ObjectStore, rollout: str) -> None:
    publish_two(store)
    with pytest.raises(InvalidNameError, match="isn't a rollout's name"):
        make_writer(store).assign("live", 1, rollout=rollout)
    with pytest.raises(InvalidNameError):
        names.past_rollout_key("late-payer", "live", rollout)


def test_a_shadow_must_exist_and_be_whole(store: ObjectStore) -> None:
    publish_three(store)
    writer = make_writer(store)
    with pytest.raises(VersionNotFoundError, match="no version 4"):
        writer.assign("live", 1, shadow=Shadow(4))
    store.put("late-payer/versions/2/serving-form.npz", b"damaged!")
    with pytest.raises(ArtifactMismatchError):
        writer.assign("live", 1, shadow=Shadow(2))
    # Damage after the shadow began is seen before the version may answer.
    writer.assign("live", 1, shadow=Shadow(3))
    store.put("late-payer/versions/3/serving-form.npz", b"damaged!")
    with pytest.raises(ArtifactMismatchError):
        writer.assign("live", 1, routing_config=RoutingConfig({3: 0.1}), shadow=Shadow(3))


def test_a_shadow_cannot_be_deleted(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1, shadow=Shadow(2))
    with pytest.raises(VersionInUseError, match="'live'"):
        writer.delete_version(2)
    writer.assign("live", 1)
    writer.delete_version(2)
    assert writer.reader.list_versions() == [1]


def test_a_shadow_that_is_deleted_meanwhile_leaves_the_alias_as_it_was(store: ObjectStore) -> None:
    publish_three(store)

    class DeletesMeanwhile(CutOffStore):
        def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
            etag = self._store.put(key, body, if_absent=if_absent, if_match=if_match)
            if key.endswith("live.json") and b'"version": 3' in body:
                self._store.put("late-payer/versions/3/deleted.json", b"{}")
            return etag

    canary = make_writer(store).assign(
        "live", 1, routing_config=RoutingConfig({2: 0.1}), shadow=Shadow(2), rollout="to-2", evidence={"step": 1}
    )
    racing = make_writer(DeletesMeanwhile(store, 0, die=lambda: None, effective=True))
    with pytest.raises(VersionNotFoundError, match="no version 3"):
        racing.assign("live", 1, shadow=Shadow(3))
    restored = RegistryReader(store).get_alias("live").alias
    assert restored.revision == 3
    for member in ("versions", "routing_config", "shadow", "rollout", "evidence"):
        assert getattr(restored, member) == getattr(canary, member)
