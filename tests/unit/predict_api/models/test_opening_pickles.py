"""While a pickle is opened in a process of its own, the version before answers."""

from __future__ import annotations

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


def test_pickles_that_the_alias_has_left_are_not_opened_any_further() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.opening, world.opening_takes_s = set(range(2, 12)), 1000.0
    for version in range(2, 12):
        world.point(version)
        world.wait(TTL_S)
        world.serve()
    assert world.abandoned == list(range(2, 9))
