"""The promises of the alias follower, on a bucket, a clock and models that are no more than values."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_registry.alias import Alias, RoutingConfig
from model_registry.errors import RegistryError, StoreUnavailableError
from model_registry.manifest import Artifact, Manifest, Threshold
from model_registry.reader import RegistryReader
from model_registry.stores.deadline import remaining_s
from model_registry.stores.memory import InMemoryStore
from predict_api.alias_follower import (
    FIRST_LOOK_UP_S,
    FIRST_TOTAL_S,
    LOOK_UP_S,
    TOTAL_S,
    AliasFollower,
    Deployment,
)
from predict_api.back_off import BackOff
from predict_api.clock import Instant
from predict_api.errors import NoVerifiedModelError
from predict_api.model_cache import ModelCache
from predict_api.serving_model import ServingModel
from predict_api.training_range import TrainingRange

TTL_S = 5.0


@dataclass
class Clock:
    """A clock that is moved by hand."""

    time_s: float = 100.0
    set_back_s: float = 0.0

    def now(self) -> Instant:
        return Instant(self.time_s, self.time_s - self.set_back_s)


@dataclass(frozen=True)
class Model:
    """A version that scores nothing."""

    version: int
    form: str = "none"

    @property
    def manifest(self) -> Manifest:
        return Manifest(
            "late-payer",
            self.version,
            Artifact(1, "0" * 64),
            {},
            (),
            (0, 1),
            Threshold(0.5, ""),
            {},
            {},
            (),
            None,
            "",
            "",
            "",
        )

    @property
    def training_range(self) -> TrainingRange:
        return TrainingRange(())

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        return [0.5 for _ in records]

    def check_probes(self) -> None:
        return None


@dataclass
class Observer:
    """Counts what it is told."""

    loaded: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    failed_look_ups: int = 0

    def model_loaded(self, model: ServingModel, duration_s: float) -> None:
        self.loaded.append(model.manifest.version)

    def model_refused(self, version: int, error: Exception, failures: int, retry_in_s: float) -> None:
        self.refused.append(version)

    def alias_look_up_failed(self, error: Exception, failures: int, retry_in_s: float) -> None:
        self.failed_look_ups += 1


class World:
    """A bucket, a follower of its alias, and the ways to disturb them."""

    def __init__(self, ttl_s: float = TTL_S, jitter: float = 0.0) -> None:
        self.clock = Clock()
        self.store = InMemoryStore()
        self.observer = Observer()
        self.is_down = False
        self.bad: set[int] = set()
        self.look_up_takes_s = 0.0
        self.load_takes_s = 0.0
        self.revision = 0
        self.look_up_budgets_s: list[float] = []
        self.load_budgets_s: list[float] = []
        world = self

        class Reader(RegistryReader):
            def get_alias(self, alias: str) -> Any:
                world.disturb()
                return super().get_alias(alias)

            def get_alias_if_changed(self, alias: str, etag: str) -> Any:
                world.disturb()
                return super().get_alias_if_changed(alias, etag)

        reader = Reader(self.store)
        back_off = BackOff(0.25, ttl_s, lambda: jitter)
        self.cache = ModelCache(
            reader,
            self.load,
            clock=self.clock,
            outage_back_off=back_off,
            refusal_back_off=BackOff(5.0, 300.0, lambda: jitter),
            observer=self.observer,
        )
        self.follower = AliasFollower(
            reader,
            "live",
            self.cache,
            ttl_s=ttl_s,
            clock=self.clock,
            back_off=back_off,
            observer=self.observer,
        )

    def disturb(self) -> None:
        self.look_up_budgets_s.append(remaining_s())
        self.clock.time_s += self.look_up_takes_s
        if self.is_down:
            raise StoreUnavailableError("read", "live", "it is down")

    def load(self, reader: RegistryReader, version: int) -> ServingModel:
        self.load_budgets_s.append(remaining_s())
        self.clock.time_s += self.load_takes_s
        if self.is_down:
            raise StoreUnavailableError("read", str(version), "it is down")
        if version in self.bad:
            raise RegistryError("bad")
        return Model(version)

    def point(self, version: int, weights: dict[int, float] | None = None) -> Alias:
        self.revision += 1
        alias = Alias(
            "live", self.revision, version, RoutingConfig(weights or {}), "rollout", "", "", "", str(self.revision)
        )
        self.store.put("late-payer/aliases/live.json", alias.to_json())
        return alias

    def serve(self) -> Deployment:
        return self.follower.follow()

    def wait(self, seconds: float) -> None:
        self.clock.time_s += seconds


def versions(deployment: Deployment) -> list[int]:
    return list(deployment.models)


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


def test_without_an_alias_there_is_no_model_and_soon_another_try() -> None:
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


def test_main_version_that_is_bad_is_stood_in_for_by_the_other_one() -> None:
    world = World()
    world.bad.add(1)
    world.point(1, {2: 0.1})
    assert {world.serve().model_for(str(key)).manifest.version for key in range(50)} == {2}


def test_main_version_that_is_bad_does_not_give_the_canary_all_requests_of_a_good_deployment() -> None:
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
