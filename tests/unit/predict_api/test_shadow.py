"""The shadow scorer's outcomes, with a process that is a mere value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from model_artifact.errors import ModelProcessError
from model_artifact.loading import LoadedModel
from model_registry.alias import Alias, RoutingConfig, Shadow
from model_watch.prediction_log import ShadowOutcome
from predict_api.http.exchange import Exchange, ScoredBatch
from predict_api.shadow import ShadowScorer
from tests.unit.predict_api.models.alias_world import Clock, Scorer, model

Records = Sequence[Mapping[str, Any]]
ALIAS = Alias("live", 1, 1, RoutingConfig(), "to-2", "", "", "", "id", Shadow(2, budget_ms=20.0))


class Side:
    """A connection to a process that takes as long as the test says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.is_open = self.is_idle = True
        self.takes_s = 0.0
        self.error: Exception | None = None
        self.within_s: list[float] = []
        self.closed = 0

    def is_free(self) -> bool:
        if self.error is not None:
            raise self.error
        return self.is_open and self.is_idle

    def late_probabilities(self, records: Records, within_s: float) -> list[float] | None:
        self.within_s.append(within_s)
        self._clock.time_s += min(self.takes_s, within_s)
        return None if self.takes_s > within_s else [0.25] * len(records)

    def close(self) -> None:
        self.closed += 1


class Arrays(Scorer):
    """A scorer of arrays that takes as long for each record as the test says."""

    def __init__(self, clock: Clock, record_s: float) -> None:
        self._clock = clock
        self._record_s = record_s
        self.sizes: list[int] = []

    def late_probabilities(self, records: Records) -> list[float]:
        self.sizes.append(len(records))
        self._clock.time_s += self._record_s * len(records)
        return [0.25] * len(records)


class Loader:
    """A loader with a pickled version 2."""

    def __init__(self) -> None:
        process: Any = SimpleNamespace()
        pickled = model(2)
        self.found: LoadedModel | ShadowOutcome = LoadedModel(pickled.manifest, pickled.file, Scorer(), process)
        self.refused: list[int] = []
        self.stops = 0
        self.cache = SimpleNamespace(refuse=lambda version, error: self.refused.append(version))

    def find(self, shadow: Shadow, in_charge: Collection[int]) -> LoadedModel | ShadowOutcome:
        return self.found

    def stop(self) -> None:
        self.stops += 1


class World:
    """A scorer, what it works with, and requests."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.side = Side(self.clock)
        self.loader = Loader()
        loader: Any = self.loader
        self.scorer = ShadowScorer(loader, lambda _model: self.side)
        self.remaining_ms = 29_000.0

    def use_arrays(self, record_s: float) -> Arrays:
        arrays, version = Arrays(self.clock, record_s), model(2)
        self.loader.found = LoadedModel(version.manifest, version.file, arrays)
        return arrays

    def ask(self, alias: Alias = ALIAS, rows: int = 1) -> tuple[str, str | None] | None:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: self.remaining_ms)
        exchange = Exchange(self.clock.now, self.clock.now(), "id", "id", {}, "POST", context)
        exchange.alias, exchange.model, exchange.routing_key = alias, model(1), "loan-1"
        exchange.scored = ScoredBatch([{}] * rows, [0.5] * rows, [[]] * rows)
        entry = self.scorer.score(exchange)
        return None if entry is None else (entry.outcome, entry.error)


@pytest.fixture
def world() -> World:
    return World()


def test_a_process_gets_the_aliass_budget_and_no_more_than_the_invocation_has_left(world: World) -> None:
    assert world.ask() == ("scored", None)
    # Two seconds stay.
    world.remaining_ms = 2010.0
    assert world.ask() == ("scored", None)
    world.remaining_ms = 1990.0
    assert world.ask() == ("over_budget", None)
    assert world.side.within_s == [0.02, pytest.approx(0.01)]


@pytest.mark.fault(31)
def test_fault_31_a_process_that_hangs_costs_a_few_budgets_and_then_one_now_and_again(world: World) -> None:
    world.side.takes_s = 1000.0
    began_s = world.clock.time_s
    assert {world.ask() for _ in range(200)} == {("over_budget", None)}
    assert len(world.side.within_s) == 3 + 9
    assert world.clock.time_s - began_s == pytest.approx(12 * 0.02)
    # Once it is quick again, that is found out.
    world.side.takes_s = 0.001
    assert ("scored", None) in [world.ask() for _ in range(21)]


@pytest.mark.fault(31)
def test_fault_31_a_process_that_ends_is_taken_out(world: World) -> None:
    world.side.error = ModelProcessError("it ended")
    assert world.ask() == ("failed", "ModelProcessError")
    assert (world.loader.refused, world.side.closed) == ([2], 1)
    # Beside a canary the requests find out themselves; the shadow takes nothing out of charge.
    canary = replace(ALIAS, routing_config=RoutingConfig({2: 0.0}))
    assert world.ask(canary) == ("failed", "ModelProcessError")
    assert world.loader.refused == [2]


def test_a_process_whose_fork_is_not_open_yet_is_not_loaded(world: World) -> None:
    world.side.is_open = False
    assert world.ask() == ("not_loaded", None)
    assert world.side.within_s == []


@pytest.mark.fault(31)
def test_fault_31_a_process_that_is_busy_with_an_earlier_request_is_not_taken_for_a_slow_one(world: World) -> None:
    world.side.is_idle = False
    before_s = world.clock.time_s
    assert {world.ask() for _ in range(5)} == {("over_budget", None)}
    assert (world.side.within_s, world.clock.time_s) == ([], before_s)
    world.side.is_idle = True
    assert [world.ask() for _ in range(5)] == [("scored", None)] * 5


@pytest.mark.fault(31)
@pytest.mark.parametrize(("record_ms", "budget_ms", "most_ms"), [(1.0, 5.0, 5.0), (3.0, 5.0, 5.0), (40.0, 5.0, 40.0)])
def test_fault_31_arrays_take_no_longer_than_the_budget_or_one_record(
    world: World, record_ms: float, budget_ms: float, most_ms: float
) -> None:
    arrays = world.use_arrays(record_ms / 1000)
    for _ in range(100):
        before_s = world.clock.time_s
        assert world.ask(replace(ALIAS, shadow=Shadow(2, budget_ms=budget_ms)), rows=1000) == ("over_budget", None)
        assert world.clock.time_s - before_s <= most_ms / 1000 + 1e-9
    # Three are measured, and one in twenty after them.
    assert arrays.sizes.count(1) == 3 + 4


def test_arrays_that_turn_out_quick_are_scored_whole_after_the_first_time(world: World) -> None:
    arrays = world.use_arrays(0.000001)
    assert [world.ask(rows=1000) for _ in range(2)] == [("scored", None)] * 2
    assert arrays.sizes == [1, 9, 90, 900, 1000]


def test_a_shadow_that_follows_another_one_ends_its_connection(world: World) -> None:
    world.ask()
    world.loader.found = "not_loaded"
    assert world.ask() == ("not_loaded", None)
    assert world.side.closed == 1


def test_what_the_loader_says_is_the_outcome(world: World) -> None:
    world.loader.found = "not_loaded"
    assert world.ask() == ("not_loaded", None)
    # Outside of the share there is no entry.
    assert world.ask(replace(ALIAS, shadow=Shadow(2, 0.0))) is None


@pytest.mark.fault(31)
def test_fault_31_a_fault_of_our_own_costs_no_answer(world: World) -> None:
    def find(_shadow: Shadow, _in_charge: Collection[int]) -> LoadedModel:
        raise OSError("standard output is closed")

    world.loader.find = find  # type: ignore[method-assign]
    assert world.ask() == ("failed", "OSError")


def test_the_end_of_a_shadow_ends_its_connection(world: World) -> None:
    world.ask()
    assert world.ask(replace(ALIAS, shadow=None)) is None
    assert (world.side.closed, world.loader.stops) == (1, 1)
