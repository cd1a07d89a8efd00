"""A shadow's version is loaded beside the requests, and never at the cost of a version in charge."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from model_artifact.loading import LoadedModel
from model_registry import threads
from model_registry.alias import Shadow
from model_registry.manifest import Artifact
from model_registry.names import MANIFEST, version_key
from predict_api.models.shadow_loader import ShadowLoader
from tests.unit.predict_api.models.alias_world import TTL_S, World, model, versions

# A version whose form isn't looked at first.
ANY = Shadow(3, budget_ms=20.0)


class Calls:
    """Calls that are made when the test says so, as a thread that gets no processor time in between would."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def begin(self, call: Callable[[], Any], _name: str) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, call))
        return future

    def make(self) -> None:
        for future, call in self.waiting:
            settled = threads.settled(call)
            error = settled.exception()
            future.set_exception(error) if error else future.set_result(settled.result()[0])
        self.waiting.clear()


class ShadowWorld(World):
    """A world with a shadow loader."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = Calls()
        reader = self.follower.reader
        self.loader = ShadowLoader(reader, self.load, self.cache, self.clock.now, self.calls.begin)
        self.point(1, {2: 0.1})
        self.serve()

    def publish(self, version: int, form: Artifact | None) -> None:
        manifest = replace(model(version).manifest, serving_form=form)
        self.store.put(version_key("late-payer", version, MANIFEST), manifest.to_json())

    def find(self, shadow: Shadow = ANY) -> int | str:
        found = self.loader.find(shadow, (1, 2))
        return found.manifest.version if isinstance(found, LoadedModel) else found


@pytest.fixture
def world() -> ShadowWorld:
    return ShadowWorld()


def test_no_request_reads_the_bucket_for_a_shadow(world: ShadowWorld) -> None:
    loads = len(world.load_budgets_s)
    assert [world.find() for _ in range(3)] == ["not_loaded"] * 3
    assert len(world.load_budgets_s) == loads
    world.calls.make()
    assert [world.find() for _ in range(3)] == [3] * 3
    # Begun once, however many requests asked.
    assert len(world.load_budgets_s) == loads + 1
    assert world.observer.loaded == [1, 2, 3]


def test_a_shadow_in_charge_is_the_version_in_memory(world: ShadowWorld) -> None:
    assert world.find(Shadow(2)) == 2
    assert world.calls.waiting == []


def test_a_canary_that_is_its_shadow_too_is_loaded_once(world: ShadowWorld) -> None:
    world.opening, world.opening_takes_s = {3}, 1000.0
    world.find()
    world.calls.make()
    world.point(1, {3: 0.1})
    world.wait(TTL_S)
    world.serve()
    assert world.loader.find(ANY, (1, 3)) == "not_loaded"
    assert (world.calls.waiting, world.abandoned) == ([], [3])
    world.opening = set()
    assert versions(world.serve()) == [1, 3]
    assert isinstance(world.loader.find(ANY, (1, 3)), LoadedModel)


def test_a_shadow_pushes_no_version_in_charge_out_and_is_there_when_it_is_put_in_charge(world: ShadowWorld) -> None:
    world.find()
    world.calls.make()
    world.find()
    for other in (4, 5, 6):
        shadow = Shadow(other, budget_ms=1.0)
        world.find(shadow)
        world.calls.make()
        assert world.find(shadow) == other
        assert {1, 2, other} == set(world.cache.versions)
    assert versions(world.serve()) == [1, 2]
    world.point(1, {6: 0.1})
    world.wait(TTL_S)
    loads = len(world.load_budgets_s)
    assert versions(world.serve()) == [1, 6]
    assert len(world.load_budgets_s) == loads


@pytest.mark.fault(31)
@pytest.mark.parametrize("fault", ["begin", "open", "outage"])
def test_fault_31_a_shadow_that_can_not_be_loaded_is_refused_once_and_tried_again_later(
    world: ShadowWorld, fault: str
) -> None:
    world.bad, world.bad_pickles, world.is_down = (
        {3} if fault == "begin" else set(),
        {3} if fault == "open" else set(),
        fault == "outage",
    )
    outcomes = []
    for _ in range(5):
        outcomes.append(world.find())
        world.calls.make()
    # A bucket that doesn't answer says nothing of the version.
    later = "not_loaded" if fault == "outage" else "refused"
    assert outcomes == ["not_loaded"] + [later] * 4
    assert world.observer.refused == [3]
    assert versions(world.serve()) == [1, 2]
    assert not world.follower.is_stale
    assert world.follower.retry_in_s() == 0.0
    world.bad, world.bad_pickles, world.is_down = set(), set(), False
    world.wait(10)
    assert world.find() == later
    world.calls.make()
    assert world.find() == 3


@pytest.mark.fault(31)
def test_fault_31_a_pickle_that_never_opens_keeps_no_request_waiting(world: ShadowWorld) -> None:
    world.opening, world.opening_takes_s = {3}, 1000.0
    world.find()
    world.calls.make()
    before_s = world.clock.time_s
    assert [world.find() for _ in range(100)] == ["not_loaded"] * 100
    assert world.clock.time_s == before_s
    # Nobody needs it any more.
    world.loader.stop()
    assert world.abandoned == [3]


def test_a_loading_that_is_not_needed_any_more_ends_as_soon_as_its_thread_has_begun_it(world: ShadowWorld) -> None:
    world.find()
    world.loader.stop()
    assert world.abandoned == []
    world.calls.make()
    assert world.abandoned == [3]


def test_another_shadow_ends_the_loading_of_the_one_before(world: ShadowWorld) -> None:
    world.opening, world.opening_takes_s = {3}, 1000.0
    world.find()
    world.calls.make()
    world.find()
    world.find(Shadow(4, budget_ms=20.0))
    assert world.abandoned == [3]
    world.calls.make()
    assert world.find(Shadow(4, budget_ms=20.0)) == 4


def test_a_shadow_that_is_loaded_already_ends_the_loading_of_the_one_before(world: ShadowWorld) -> None:
    world.opening, world.opening_takes_s = {3}, 1000.0
    world.find()
    world.calls.make()
    assert world.find(Shadow(2)) == 2
    assert world.abandoned == [3]


def test_a_pickle_without_a_budget_is_over_it_and_is_never_opened(world: ShadowWorld) -> None:
    world.publish(3, form=None)
    loads = len(world.load_budgets_s)
    assert world.find(Shadow(3)) == "not_loaded"
    world.calls.make()
    assert [world.find(Shadow(3)) for _ in range(3)] == ["over_budget"] * 3
    assert (world.calls.waiting, len(world.load_budgets_s), world.observer.refused) == ([], loads, [])
    # With one it is loaded; then the budget is taken away again.
    assert world.find(ANY) == "not_loaded"
    world.calls.make()
    assert world.find(ANY) == 3


def test_arrays_need_no_budget(world: ShadowWorld) -> None:
    world.publish(3, form=Artifact(1, "0" * 64))
    world.find(Shadow(3))
    world.calls.make()
    assert world.find(Shadow(3)) == 3
