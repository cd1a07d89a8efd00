"""Which version answers for one that can't be loaded, or fails while it scores."""

from __future__ import annotations

import pytest

from model_artifact.errors import ArtifactError
from predict_api.http.errors import NoVerifiedModelError
from tests.unit.predict_api.models.alias_world import TTL_S, World, versions


def test_new_version_is_in_charge_only_when_it_is_loaded() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.point(2)
    world.bad.add(2)
    world.wait(TTL_S)
    assert versions(world.serve()) == [1]
    world.bad.clear()
    world.wait(TTL_S)
    assert versions(world.serve()) == [2]


def test_canary_with_a_bad_candidate_goes_on_with_the_other_version() -> None:
    world = World()
    world.bad.add(2)
    alias = world.point(1, {2: 0.5})
    deployment = world.serve()
    assert (deployment.alias, versions(deployment)) == (alias, [1])
    assert {deployment.model_for(str(key)).manifest.version for key in range(50)} == {1}
    world.bad.clear()
    world.wait(TTL_S)
    assert {world.serve().model_for(str(key)).manifest.version for key in range(50)} == {1, 2}


def test_the_other_version_answers_for_a_bad_main_version() -> None:
    world = World()
    world.bad.add(1)
    world.point(1, {2: 0.1})
    assert {world.serve().model_for(str(key)).manifest.version for key in range(50)} == {2}


def test_a_bad_main_version_keeps_the_version_before_rather_than_the_canary() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.bad.add(3)
    world.point(3, {2: 0.0})
    world.wait(TTL_S)
    assert versions(world.serve()) == [1]
    world.bad.clear()
    world.wait(TTL_S)
    assert versions(world.serve()) == [3, 2]


def test_load_that_fails_drops_no_version_to_roll_back_to() -> None:
    world = World(ttl_s=0.0)
    for version in (1, 2, 3):
        world.point(version)
        world.serve()
    world.bad.add(4)
    world.point(4)
    assert versions(world.serve()) == [3]
    assert world.cache.versions == [1, 2, 3]
    world.bad.clear()
    world.wait(TTL_S)
    assert versions(world.serve()) == [4]
    assert world.cache.versions == [2, 3, 4]


def test_an_idle_environment_answers_by_the_newest_earlier_revision_that_can_be_loaded() -> None:
    world = World()
    world.point(1)
    world.serve()
    for version in (2, 3, 4):
        world.point(version)
    world.bad = {3, 4}
    world.wait(TTL_S)
    assert versions(world.serve()) == [2]
    world.bad = set()
    world.wait(301)
    assert versions(world.serve()) == [4]


def test_an_environment_that_starts_beside_a_bad_version_answers_by_the_revision_before() -> None:
    world = World()
    world.point(1)
    world.point(2, {3: 0.1})
    world.bad = {2}
    assert versions(world.serve()) == [1]


def test_only_a_few_earlier_revisions_are_tried() -> None:
    world = World()
    for version in range(1, 9):
        world.point(version)
    world.bad = set(range(2, 9))
    with pytest.raises(NoVerifiedModelError):
        world.serve()


def test_a_version_that_fails_while_it_scores_leaves_its_place_to_the_revision_before() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.point(2, {3: 0.1})
    world.wait(TTL_S)
    assert versions(world.serve()) == [2, 3]
    world.follower.refuse(3, ArtifactError("hangs"))
    assert versions(world.serve()) == [2]
    world.follower.refuse(2, ArtifactError("crashes"))
    assert versions(world.serve()) == [1]


def test_earlier_revisions_that_could_not_be_read_in_time_are_read_at_the_next_request() -> None:
    world = World()
    world.point(1)
    world.point(2)
    world.bad_pickles = {2}
    world.is_history_down = True
    with pytest.raises(NoVerifiedModelError):
        world.serve()
    world.is_history_down = False
    assert versions(world.serve()) == [1]


def test_earlier_revisions_that_could_not_be_read_are_read_again_at_the_next_look_up() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.point(2)
    world.point(3)
    world.bad = {3}
    world.is_history_down = True
    world.wait(TTL_S)
    assert versions(world.serve()) == [1]
    world.is_history_down = False
    # Until then no request waits for a bucket that doesn't answer.
    assert versions(world.serve()) == [1]
    world.wait(TTL_S)
    assert versions(world.serve()) == [2]
