"""The promises of the alias follower, on a bucket, a clock and models that are mere values."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_registry.stores.base import remaining_s
from predict_api.http.errors import NoVerifiedModelError
from predict_api.models.alias_follower import (
    FIRST_LOOK_UP_S,
    FIRST_TOTAL_S,
    LOOK_UP_S,
    TOTAL_S,
)
from tests.unit.predict_api.models.alias_world import TTL_S, World, versions


def test_look_up_is_stamped_with_its_start() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.wait(TTL_S)
    world.look_up_takes_s = 3.0
    world.serve()
    world.look_up_takes_s = 0.0
    world.point(2)
    # Two seconds after the look-up's end, but a TTL after its start.
    world.wait(TTL_S - 3.0)
    assert versions(world.serve()) == [2]


def test_time_that_loading_takes_does_not_make_the_alias_younger() -> None:
    world = World()
    world.point(1)
    world.load_takes_s = TTL_S + 1
    world.serve()
    world.load_takes_s = 0.0
    world.point(2)
    assert versions(world.serve()) == [2]


def test_without_an_alias_the_function_has_no_model_and_soon_tries_again() -> None:
    world = World()
    with pytest.raises(NoVerifiedModelError) as caught:
        world.serve()
    assert caught.value.retry_after_s == 0.25
    world.point(1)
    with pytest.raises(NoVerifiedModelError):
        world.serve()
    world.wait(0.25)
    assert versions(world.serve()) == [1]


def test_alias_is_not_asked_again_within_the_back_off() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.is_down = True
    world.wait(TTL_S)
    for _ in range(100):
        world.serve()
    assert world.observer.failed_look_ups == 1


def test_first_look_up_and_load_have_more_time_than_later_ones() -> None:
    world = World()
    world.point(1)
    world.look_up_takes_s = 1.0
    world.serve()
    assert (world.look_up_budgets_s, world.load_budgets_s) == ([FIRST_LOOK_UP_S], [FIRST_TOTAL_S - 1])
    world.point(2)
    world.wait(TTL_S)
    world.serve()
    assert (world.look_up_budgets_s[-1], world.load_budgets_s[-1]) == (LOOK_UP_S, TOTAL_S - 1)
    assert remaining_s() == float("inf")


def test_bucket_gets_no_more_time_than_the_request_has() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.point(2)
    world.wait(TTL_S)
    world.look_up_takes_s = 0.25
    world.follower.follow(remaining_s=0.5)
    assert (world.look_up_budgets_s[-1], world.load_budgets_s[-1]) == (0.5, 0.25)


def test_both_versions_of_a_canary_share_the_time() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.point(2, {3: 0.5})
    world.wait(TTL_S)
    world.load_takes_s = 2.0
    world.serve()
    assert world.load_budgets_s[-2:] == [TOTAL_S, TOTAL_S - 2]


def test_weights_are_those_of_the_alias() -> None:
    world = World()
    world.point(1, {2: 0.25})
    deployment = world.serve()
    assert (deployment.weight_of(1), deployment.weight_of(2)) == (0.75, 0.25)


def test_versions_in_charge_are_kept_and_old_ones_dropped() -> None:
    world = World(ttl_s=0.0)
    for version in range(1, 8):
        world.point(version, {version + 1: 0.5})
        world.serve()
        assert {version, version + 1} <= set(world.cache.versions)
        assert len(world.cache.versions) <= 4
    assert world.observer.loaded == list(range(1, 9))


def test_restored_environment_looks_up_at_once_and_is_stale_until_it_has() -> None:
    world = World()
    world.point(1)
    world.serve()
    assert not world.follower.is_stale
    world.point(2)
    world.is_down = True
    world.follower.restore()
    assert world.follower.is_stale
    assert versions(world.serve()) == [1]
    assert world.observer.failed_look_ups == 1
    world.is_down = False
    world.follower.restore()
    assert not world.follower.is_stale
    assert world.observer.loaded == [1, 2]
    empty = World()
    empty.follower.restore()
    assert empty.follower.is_stale


def test_staleness_is_a_number_when_the_wall_clock_is_set_back() -> None:
    world = World()
    world.point(1)
    world.serve()
    world.wait(6.0)
    world.clock.set_back_s = 20.0
    assert world.follower.staleness_s() == 6.0


def test_restored_snapshot_forgets_its_failures() -> None:
    world = World()
    world.point(1)
    world.is_down = True
    with pytest.raises(NoVerifiedModelError):
        world.serve()
    world.is_down = False
    world.follower.mark_stale()
    assert versions(world.serve()) == [1]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.5, TTL_S]))
def test_promises_hold_in_any_history(seed: int, ttl_s: float) -> None:
    """Promises 1 and 2 of the design, in histories of updates, outages, slow look-ups and slow loads.

    While the bucket answers: what served a request was the alias's at some instant between its start less the TTL and
    its end; and so nothing serves that the alias left more than a TTL before the request.
    """
    draw = random.Random(seed)
    world = World(ttl_s)
    pointed: list[tuple[float, int]] = [(world.clock.time_s, world.point(1).version)]
    last_outage_s = -1000.0
    for _ in range(60):
        world.wait(draw.expovariate(1 / 2))
        action = draw.random()
        if action < 0.3:
            pointed.append((world.clock.time_s, world.point(draw.randrange(1, 5)).version))
        elif action < 0.4:
            world.is_down = not world.is_down
        world.look_up_takes_s = draw.choice([0.0, 0.0, 0.1, 2.0])
        world.load_takes_s = draw.choice([0.0, 0.0, 0.5, 7.0])
        if world.is_down:
            last_outage_s = world.clock.time_s
        started_s = world.clock.time_s
        try:
            served = world.serve().model_for("key").manifest.version
        except NoVerifiedModelError:
            continue
        if world.is_down:
            last_outage_s = world.clock.time_s
        # After an outage the back-off ends first: no longer than the TTL.
        grace_s = ttl_s if started_s - last_outage_s > ttl_s else float("inf")
        window = (started_s - grace_s, world.clock.time_s)
        assert served in versions_between(pointed, *window)


def versions_between(pointed: list[tuple[float, int]], start_s: float, end_s: float) -> set[int]:
    """Return the versions that the alias pointed to at some instant of a time."""
    ends = [time_s for time_s, _ in pointed[1:]] + [float("inf")]
    return {
        version
        for (time_s, version), left_s in zip(pointed, ends, strict=True)
        if time_s <= end_s and left_s >= start_s
    }
