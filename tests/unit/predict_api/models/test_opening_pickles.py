"""While a pickle is opened in a process of its own, the version before answers."""

from __future__ import annotations

import pytest

from predict_api.http.errors import NoVerifiedModelError
from tests.unit.predict_api.models.alias_world import TTL_S, World, versions


def test_a_pickle_is_opened_beside_the_requests() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.opening = {2}
    world.point(2)
    world.wait(TTL_S)
    assert [versions(world.serve()) for _ in range(3)] == [[1]] * 3
    # It is begun once, and asked again at each request.
    assert len(world.load_budgets_s) == 2
    world.opening = set()
    assert versions(world.serve()) == [2]


def test_a_pickle_that_does_not_open_is_refused_like_any_other_bad_version() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.opening, world.bad_pickles = {2}, {2}
    world.point(2)
    world.wait(TTL_S)
    world.serve()
    world.opening = set()
    assert versions(world.serve()) == [1]
    assert world.cache.retry_in_s(2) > 0


def test_at_its_start_an_environment_waits_for_a_pickle() -> None:
    world = World()
    world.opening = {1}
    world.point(1)
    assert versions(world.serve()) == [1]


def test_a_pickle_that_hangs_does_not_keep_a_new_environment_from_the_version_before() -> None:
    world = World()
    world.opening, world.opening_takes_s = {2}, 1000.0
    world.point(1)
    world.point(2)
    assert versions(world.serve()) == [1]
    world.opening = set()
    world.wait(301)
    assert versions(world.serve()) == [2]


def test_pickles_that_hang_take_a_new_environment_no_longer_than_one_of_them() -> None:
    world = World()
    world.opening, world.opening_takes_s = {2, 3, 4}, 1000.0
    for version in (1, 2):
        world.point(version)
    world.point(3, {4: 0.1})
    started_s = world.clock.time_s
    assert versions(world.serve()) == [1]
    # Lambda ends the function after 29 s, and with it all that it knows of these versions.
    assert world.clock.time_s - started_s < 20


def test_a_request_waits_for_a_pickle_no_longer_than_it_has_time() -> None:
    world = World()
    world.opening, world.opening_takes_s = {1}, 10.0
    world.point(1)
    started_s = world.clock.time_s
    with pytest.raises(NoVerifiedModelError):
        world.follower.follow(4.0)
    assert world.clock.time_s - started_s <= 4
    # It goes on meanwhile.
    world.opening = set()
    assert versions(world.serve()) == [1]
    assert world.observer.refused == []


def test_a_pickle_that_another_left_too_little_time_goes_on_to_be_opened() -> None:
    world = World()
    world.opening, world.opening_takes_s = {1, 2}, 10.0
    world.point(1, {2: 0.1})
    assert versions(world.serve()) == [1]
    assert (world.observer.refused, world.abandoned) == ([], [])
    world.opening = set()
    assert versions(world.serve()) == [1, 2]
    assert world.observer.loaded == [1, 2]


def test_an_environment_that_is_stopped_between_its_requests_gives_a_pickle_some_time_of_each() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.opening, world.opening_takes_s = {2}, 0.05
    world.point(2)
    world.wait(TTL_S)
    assert versions(world.serve()) == [1]
    world.wait(0.1)
    # Amid many requests it goes on beside them.
    assert versions(world.serve()) == [1]
    world.wait(60)
    assert versions(world.serve()) == [2]


def test_what_the_alias_has_left_on_its_way_is_ended() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.opening, world.opening_takes_s = {2}, 1000.0
    world.point(2)
    world.wait(TTL_S)
    world.serve()
    world.point(1)
    world.wait(TTL_S)
    world.serve()
    assert world.abandoned == [2]


def test_only_a_few_versions_are_loaded_at_once() -> None:
    world = World()
    world.point(1)
    world.serve()
    for version in range(2, 7):
        world.point(version)
    world.bad, world.opening, world.opening_takes_s = {6}, {2, 3, 4, 5}, 1000.0
    world.wait(TTL_S)
    assert versions(world.serve()) == [1]
    assert world.abandoned == [5]
