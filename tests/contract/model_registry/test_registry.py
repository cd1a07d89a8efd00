"""Versions and aliases, the same on every store."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from model_registry.alias import Alias, AliasConflictError, RoutingConfig
from model_registry.errors import (
    AliasNotFoundError,
    InvalidAliasError,
    InvalidNameError,
    NoEarlierVersionError,
    VersionInUseError,
    VersionNotFoundError,
)
from model_registry.manifest import ColumnProfile, TrainingProfile
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from registry_kit import make_candidate, make_writer, publish_two


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
    # So is a version that has a profile now: an earlier release published it without.
    profile = TrainingProfile((ColumnProfile("dti", (0.0, 40.0), None, (9,), 1),))
    profiled = replace(make_candidate(threshold=0.1), profile=profile)
    assert writer.publish(profiled).manifest.version == 3
    assert writer.reader.get_manifest(3).profile == profile


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
    assert history[-1].reason == "roll back from version 2: too slow"
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
    with pytest.raises(NoEarlierVersionError, match="alias set live --version N"):
        writer.roll_back("live")


def test_a_second_roll_back_goes_one_version_further_back(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.publish(make_candidate(b"pickle 3"))
    for version in (1, 2, 3):
        writer.assign("live", version)
    assert writer.roll_back("live").version == 2
    assert writer.roll_back("live", reason="still too slow").version == 1
    with pytest.raises(NoEarlierVersionError, match="wasn't rolled back from"):
        writer.roll_back("live")


def test_a_version_that_is_assigned_again_can_be_rolled_back_to(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.publish(make_candidate(b"pickle 3"))
    writer.assign("live", 1)
    writer.assign("live", 2)
    assert writer.roll_back("live").version == 1
    writer.assign("live", 2)
    writer.assign("live", 3)
    assert writer.roll_back("live").version == 2
    assert writer.roll_back("live").version == 1


def test_a_version_set_by_hand_is_no_roll_back(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    for version in (1, 2, 1):
        writer.assign("live", version)
    assert writer.roll_back("live").version == 2


def test_a_version_without_traffic_does_not_count_as_a_canary_to_roll_back(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    canary = writer.assign("live", 1, routing_config=RoutingConfig({2: 0.5}))
    assert writer.roll_back("live", expected_revision=canary.revision).reason == "end the canary of version 2"
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
