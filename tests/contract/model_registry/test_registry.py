"""Versions and aliases, the same on every store."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_registry.alias import Alias, AliasConflictError, RoutingConfig
from model_registry.errors import (
    AliasNotFoundError,
    ArtifactMismatchError,
    InvalidAliasError,
    InvalidNameError,
    NoEarlierVersionError,
    VersionDamagedError,
    VersionInUseError,
    VersionNotFoundError,
)
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from registry_kit import CutOffError, CutOffStore, make_candidate, make_writer


def publish_two(store: ObjectStore) -> None:
    writer = make_writer(store)
    writer.publish(make_candidate(b"pickle 1"))
    writer.publish(make_candidate(b"pickle 2"))


def test_versions_count_up_and_carry_their_manifest(store: ObjectStore) -> None:
    publish_two(store)
    reader = RegistryReader(store)
    assert reader.list_versions() == [1, 2]
    manifest = reader.get_manifest(2)
    assert (manifest.version, manifest.threshold.value, manifest.probes[0].late_probability) == (2, 0.05, 0.25)
    assert reader.get_artifact(manifest) == b"pickle 2"
    assert store.list_keys("late-payer/versions/2/") == [
        "late-payer/versions/2/manifest.json",
        "late-payer/versions/2/model.pkl",
        "late-payer/versions/2/serving-form.npz",
    ]
    assert reader.get_serving_form(manifest) == b"form of pickle 2"


def test_publishing_the_newest_model_again_gives_its_version(store: ObjectStore) -> None:
    writer = make_writer(store)
    assert writer.publish(make_candidate()).created
    again = writer.publish(make_candidate())
    assert (again.created, again.manifest.version) == (False, 1)
    # Another threshold is another version, even of the same pickle.
    assert writer.publish(make_candidate(threshold=0.1)).manifest.version == 2


def test_publishers_at_once_get_numbers_of_their_own(store: ObjectStore) -> None:
    def publish(number: int) -> int:
        publication = make_writer(store, f"p{number}").publish(make_candidate(f"pickle {number}".encode()))
        return publication.manifest.version

    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(publish, range(6)))
    assert sorted(versions) == RegistryReader(store).list_versions()
    reader = RegistryReader(store)
    for number, version in enumerate(versions):
        assert reader.get_artifact(reader.get_manifest(version)) == f"pickle {number}".encode()


@pytest.mark.fault(12)
@pytest.mark.parametrize("body", [b"pickle X", b"pickle", b"pickle 2"], ids=["one bit", "truncated", "swapped"])
def test_fault_12_a_pickle_that_is_not_the_manifests_is_never_returned(store: ObjectStore, body: bytes) -> None:
    publish_two(store)
    store.put("late-payer/versions/1/model.pkl", body)
    reader = RegistryReader(store)
    store.put("late-payer/versions/1/serving-form.npz", body)
    with pytest.raises(ArtifactMismatchError, match="wasn't unpickled"):
        reader.get_artifact(reader.get_manifest(1))
    with pytest.raises(ArtifactMismatchError, match="wasn't unpickled"):
        reader.get_serving_form(reader.get_manifest(1))


def test_an_alias_is_set_moved_and_rolled_back_with_a_history_without_gaps(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1, reason="first")
    snapshot = writer.reader.get_alias("live")
    assert writer.reader.get_alias_if_changed("live", snapshot.etag) is None
    writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}), reason="canary")
    writer.assign("live", 1, routing_config=RoutingConfig({2: 0.5}))
    writer.roll_back("live")
    writer.assign("live", 2, reason="promote")
    rolled_back = writer.roll_back("live", reason="too slow")
    assert rolled_back.version == 1
    history = writer.reader.history("live")
    assert [(entry.revision, entry.versions) for entry in history] == [
        (1, (1,)),
        (2, (1, 2)),
        (3, (1, 2)),
        (4, (1,)),
        (5, (2,)),
        (6, (1,)),
    ]
    # One rollout while the weight rises; each other revision is a rollout of its own.
    assert [entry.rollout for entry in history] == ["live-1", "live-2", "live-2", "live-4", "live-5", "live-6"]
    assert history[-1].reason == "too slow"
    assert writer.reader.list_aliases() == ["live"]
    assert len(store.list_keys("late-payer/aliases/live/history/")) == 6


def test_an_alias_can_only_point_at_versions_that_exist(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    with pytest.raises(VersionNotFoundError, match="no version 3"):
        writer.assign("live", 3)
    with pytest.raises(VersionNotFoundError):
        writer.assign("live", 1, routing_config=RoutingConfig({3: 0.5}))
    with pytest.raises(AliasNotFoundError):
        writer.reader.get_alias("live")
    with pytest.raises(AliasNotFoundError):
        writer.roll_back("live")


def test_there_may_be_nothing_to_roll_back_to(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    with pytest.raises(NoEarlierVersionError, match="by number"):
        writer.roll_back("live")


def test_a_version_that_gets_no_traffic_is_no_canary_to_roll_back(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    canary = writer.assign("live", 1, routing_config=RoutingConfig({2: 0.5}))
    assert writer.roll_back("live", expected_revision=canary.revision).reason == "take version 2 back"
    writer.assign("live", 2, routing_config=RoutingConfig({1: 0.0}))
    assert writer.roll_back("live").version == 1


@pytest.mark.parametrize("name", ["latest", "v7", "12", "", "a/b", "a.b", "é"])
def test_names_that_could_be_taken_for_versions_or_paths_are_refused(store: ObjectStore, name: str) -> None:
    with pytest.raises(InvalidNameError):
        make_writer(store).assign(name, 1)


@pytest.mark.fault(16)
@pytest.mark.parametrize("weight", [-1, 2, math.nan, math.inf, True, "0.1"])
def test_fault_16_a_bad_weight_is_refused_before_anything_is_written(store: ObjectStore, weight: float) -> None:
    publish_two(store)
    writer = make_writer(store)
    with pytest.raises(InvalidAliasError, match="weight"):
        writer.assign("live", 1, routing_config=RoutingConfig({2: weight}))
    with pytest.raises(InvalidAliasError, match="own version"):
        writer.assign("live", 1, routing_config=RoutingConfig({1: 0.5}))
    with pytest.raises(InvalidAliasError, match="at most one"):
        writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1, 3: 0.1}))
    assert store.list_keys("late-payer/aliases/") == []


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    "change",
    [
        lambda document: b"",
        lambda document: b"{",
        lambda document: b"[]",
        lambda document: b"<html>Service Unavailable</html>",
        lambda document: json.dumps({**document, "format": 99}).encode(),
        lambda document: json.dumps({**document, "version": 0}).encode(),
        lambda document: json.dumps({**document, "alias": "other"}).encode(),
        lambda document: (
            json.dumps(document)
            .replace('"additional_version_weights": {}', '"additional_version_weights": {"2": NaN}')
            .encode()
        ),
        lambda document: json.dumps({**document, "routing_config": {"additional_version_weights": {"2": 2}}}).encode(),
        lambda document: json.dumps(
            {**document, "routing_config": {"additional_version_weights": {"x": 0.5}}}
        ).encode(),
    ],
    ids=["empty", "torn", "array", "html", "future", "version 0", "other alias", "NaN", "weight 2", "version x"],
)
def test_fault_16_a_bad_alias_document_is_refused_by_readers_and_not_overwritten(
    store: ObjectStore, change: object
) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    document = writer.reader.get_alias("live").alias.to_document()
    store.put("late-payer/aliases/live.json", change(document))  # type: ignore[operator]
    with pytest.raises(InvalidAliasError):
        writer.reader.get_alias("live")
    with pytest.raises(InvalidAliasError):
        writer.assign("live", 2)


@pytest.mark.fault(18)
def test_fault_18_of_many_writers_with_one_revision_exactly_one_wins_and_the_rest_name_it(store: ObjectStore) -> None:
    publish_two(store)
    make_writer(store).assign("live", 1)

    def move(number: int) -> Alias | AliasConflictError:
        try:
            return make_writer(store, f"writer-{number}").assign("live", 2, expected_revision=1)
        except AliasConflictError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(move, range(8)))
    winners = [outcome for outcome in outcomes if isinstance(outcome, Alias)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, AliasConflictError)]
    assert (len(winners), len(losers)) == (1, 7)
    for loser in losers:
        assert loser.winner == winners[0]
        assert winners[0].updated_by in str(loser)
    assert [entry.revision for entry in RegistryReader(store).history("live")] == [1, 2]


def test_a_version_in_use_cannot_be_deleted_and_a_number_is_never_used_again(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}))
    for version in (1, 2):
        with pytest.raises(VersionInUseError, match="'live'"):
            writer.delete_version(version)
    writer.assign("live", 1)
    writer.delete_version(2)
    assert writer.reader.list_versions() == [1]
    with pytest.raises(VersionNotFoundError):
        writer.assign("live", 2)
    with pytest.raises(VersionNotFoundError):
        writer.delete_version(2)
    assert writer.publish(make_candidate(b"pickle 3")).manifest.version == 3
    writer.assign("live", 3)
    assert writer.roll_back("live").version == 1


def cut_off(store: ObjectStore, step: int, *, effective: bool) -> CutOffStore:
    def die() -> None:
        raise CutOffError

    return CutOffStore(store, step, die=die, effective=effective)


@pytest.mark.fault(17)
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
def test_fault_17_a_publish_cut_off_at_any_write_leaves_old_or_new_and_rerun_converges(
    store: ObjectStore, effective: bool
) -> None:
    make_writer(store).publish(make_candidate(b"pickle 1"))
    reader = RegistryReader(store)
    for step in (1, 2, 3):
        before = reader.list_versions()
        candidate = make_candidate(f"candidate {step}".encode())
        with pytest.raises(CutOffError):
            make_writer(cut_off(store, step, effective=effective)).publish(candidate)
        assert reader.list_versions() in (before, [*before, before[-1] + 1])
        assert make_writer(store).publish(candidate).manifest.version == before[-1] + 1
        assert reader.list_versions() == [*before, before[-1] + 1]
        assert reader.get_artifact(reader.get_manifest(before[-1] + 1)) == candidate.pickle


@pytest.mark.fault(17)
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_fault_17_an_alias_update_cut_off_at_any_write_leaves_old_or_new_and_no_gap(
    store: ObjectStore, step: int, effective: bool
) -> None:
    publish_two(store)
    make_writer(store).assign("live", 1)
    reader = RegistryReader(store)
    # The first write, of the current revision's history entry, is refused where that is there: so take it away, as an
    # update that was cut off before its last write would have left it.
    store.delete("late-payer/aliases/live/history/00000001.json")
    with pytest.raises(CutOffError):
        make_writer(cut_off(store, step, effective=effective)).assign("live", 2)
    assert reader.get_alias("live").alias.version in (1, 2)
    make_writer(store).assign("live", 2)
    history = reader.history("live")
    assert [entry.revision for entry in history] == list(range(1, len(history) + 1))
    assert (history[0].version, history[-1].version) == (1, 2)
    rolled_back = make_writer(store).roll_back("live")
    assert rolled_back.version == 1


@pytest.mark.fault(17)
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_fault_17_a_delete_cut_off_at_any_write_can_be_run_again(
    store: ObjectStore, step: int, effective: bool
) -> None:
    publish_two(store)
    make_writer(store).assign("live", 2)
    with pytest.raises(CutOffError):
        make_writer(cut_off(store, step, effective=effective)).delete_version(1)
    try:
        make_writer(store).delete_version(1)
    except VersionNotFoundError:
        assert (step, effective) == (4, True)
    assert RegistryReader(store).list_versions() == [2]
    assert store.list_keys("late-payer/versions/1/") == ["late-payer/versions/1/deleted.json"]


@pytest.mark.fault(16)
def test_fault_16_a_lost_alias_document_does_not_make_the_history_lie(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    for version in (1, 2, 1):
        writer.assign("live", version, reason=f"to {version}")
    store.delete("late-payer/aliases/live.json")
    again = make_writer(store, "later").assign("live", 2, reason="again")
    assert again.revision == 4
    history = [(entry.revision, entry.version, entry.reason) for entry in writer.reader.history("live")]
    assert history == [(1, 1, "to 1"), (2, 2, "to 2"), (3, 1, "to 1"), (4, 2, "again")]


@pytest.mark.fault(16)
def test_fault_16_damaged_neighbours_block_neither_publish_nor_roll_back(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    for version in (1, 2, 1, 2):
        writer.assign("live", version)
    store.put("late-payer/aliases/live/history/00000003.json", b"{")
    assert writer.roll_back("live").version == 1
    store.put("late-payer/versions/2/manifest.json", b"{")
    assert writer.publish(make_candidate(b"pickle 2")).manifest.version == 3


@pytest.mark.fault(12)
@pytest.mark.parametrize("file", ["model.pkl", "serving-form.npz"])
def test_fault_12_a_damaged_version_is_not_put_in_charge(store: ObjectStore, file: str) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    store.put(f"late-payer/versions/2/{file}", b"damaged!")
    with pytest.raises(ArtifactMismatchError):
        writer.assign("live", 2)
    with pytest.raises(ArtifactMismatchError):
        writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}))
    assert writer.reader.get_alias("live").alias.revision == 1


def test_an_alias_document_with_a_key_twice_is_never_written_over(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    key = "late-payer/aliases/live.json"
    damaged = store.get(key).body.replace(b'"version": 1', b'"version": 1, "version": 2')
    store.put(key, damaged)
    with pytest.raises(InvalidAliasError, match="'version' twice"):
        writer.assign("live", 2)
    assert store.get(key).body == damaged


@pytest.mark.parametrize("file", ["model.pkl", "serving-form.npz"])
@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_a_rollback_passes_over_a_damaged_version_and_says_so(store: ObjectStore, file: str, damage: str) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.publish(make_candidate(b"pickle 3"))
    for version in (1, 2, 3):
        writer.assign("live", version)
    key = f"late-payer/versions/2/{file}"
    store.delete(key)
    if damage == "changed":
        store.put(key, b"something else")
    rolled_back = writer.roll_back("live")
    assert rolled_back.version == 1
    assert rolled_back.reason == "roll back from version 3 (damaged: version 2)"


def test_a_rollback_to_nothing_but_damaged_versions_names_them(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    before = writer.assign("live", 2)
    store.delete("late-payer/versions/1/model.pkl")
    with pytest.raises(NoEarlierVersionError, match="damaged: version 1"):
        writer.roll_back("live")
    with pytest.raises(VersionDamagedError, match=r"Version 1 .* is damaged: its file '.*model\.pkl'"):
        writer.assign("live", 1)
    assert writer.reader.get_alias("live").alias == before
