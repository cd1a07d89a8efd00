"""The controller over a bucket: killed at each write, two at once, and with somebody else at the alias."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from memory_store import InMemoryStore
from model_registry.alias import RoutingConfig
from model_registry.errors import (
    AccessDeniedError,
    ObjectNotFoundError,
    StoreUnavailableError,
    VersionDamagedError,
    VersionNotFoundError,
)
from model_registry.names import past_rollout_key, rollout_key, version_key
from model_registry.stores.base import ObjectStore
from model_rollout.controller import Controller, Evidence, RolloutRefusedError, new_rollout_id
from model_rollout.document import InvalidRolloutError, Rollout
from model_rollout.rollout_store import RolloutNotFoundError, RolloutStore, RolloutUnderWayError
from model_rollout.step import RolloutStateError, abort, hold, promote, resume
from registry_kit import CutOffError, CutOffStore, make_writer, publish_two
from rollout_kit import PASSED, at, make_rollout, verdicts

FAILED = verdicts(failed_answers="fail", flips="pass")
# When a stage of the kit's plan ends, and what a run with nothing in its way then does.
TICKS = (0, 60, 90, 120, 180)
STAGES = ["stage 1", "stage 2", "stage 3", "stage 4"]


@dataclass
class Clock:
    """A time that tests set."""

    seconds: float = 0

    def __call__(self) -> datetime:
        return at(self.seconds)


@dataclass
class Judge:
    """Evidence that tests set."""

    clock: Clock
    judgements: tuple = PASSED
    seen: float | None = None  # None: as new as the clock says.
    # What happens while the controller judges, once.
    meanwhile: Callable[[], object] | None = None
    error: Exception | None = None

    def judge(self, rollout: Rollout, now: datetime) -> Evidence:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        if self.error:
            raise self.error
        return Evidence(self.judgements, at(self.clock.seconds if self.seen is None else self.seen))


@dataclass
class Bench:
    """A bucket with two versions whose alias is at version 1, a clock, and controllers on them."""

    store: ObjectStore = field(default_factory=InMemoryStore)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        publish_two(self.store)
        self.judge = Judge(self.clock)
        self.writer = self.make_writer(self.store, "bob")
        self.writer.assign("live", 1)

    def make_writer(self, store, who):
        return replace(make_writer(store, who), clock=self.clock)

    def controller(self, store=None, who="controller"):
        store = store or self.store
        writer = self.make_writer(store, who)
        return Controller(RolloutStore(store, writer.model, new_id=writer.new_id), writer, self.judge, clock=self.clock)

    def run(self, controller, ticks=TICKS):
        for seconds in ticks:
            self.clock.seconds = seconds
            controller.advance("live")

    @property
    def alias(self):
        return self.writer.reader.get_alias("live").alias

    def outcome(self):
        """What happened, for comparing one run with another: the alias's moves, the events and the copies."""
        moves = [
            (past.version, dict(past.routing_config.additional_version_weights), past.shadow, past.rollout)
            for past in self.writer.reader.history("live")
        ]
        rollouts = self.controller().rollouts
        last = rollouts.get("live").rollout
        copies = self.store.list_keys(f"{rollouts.model}/rollouts/live/")
        return moves, [event.what for event in last.events], last.state, last.weights, copies


@pytest.fixture
def bench():
    return Bench()


def test_a_rollout_is_driven_to_its_end(bench):
    bench.controller().start(make_rollout())
    bench.run(bench.controller())
    moves, events, state, _, copies = bench.outcome()
    assert [(version, weights) for version, weights, *_ in moves] == [
        (1, {}), (1, {}), (1, {2: 0.1}), (1, {2: 0.5}), (1, {2: 1.0}), (2, {}),
    ]  # fmt: skip
    assert (events, state) == ([*STAGES, "promoted"], "promoted")
    assert copies == [past_rollout_key("late-payer", "live", "live-2-test")]
    assert bench.alias.evidence["guards"][1] == {"guard": "flips", "verdict": "pass", "n": 100, "estimate": 0.0}


def test_looking_often_writes_the_alias_once_a_stage(bench):
    bench.controller().start(make_rollout())
    bench.run(bench.controller(), range(200))
    assert bench.alias.revision == 6


@pytest.mark.fault(23)
@pytest.mark.fault(28)
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("judgements", [PASSED, FAILED], ids=["promoted", "rolled-back"])
@pytest.mark.parametrize("die_at", range(1, 25))
def test_a_controller_killed_at_any_write_changes_nothing(bench, die_at, judgements, effective):
    undisturbed = Bench()
    for one in (undisturbed, bench):
        one.judge.judgements = judgements
    undisturbed.controller().start(make_rollout())
    undisturbed.run(undisturbed.controller())

    mortal = bench.controller(CutOffStore(bench.store, die_at, die=die, effective=effective))
    survivor = bench.controller()
    begun = False
    for seconds in (-1, *TICKS):
        bench.clock.seconds = max(seconds, 0)
        try:
            mortal.advance("live") if seconds >= 0 else mortal.start(make_rollout())
        except CutOffError:
            mortal = survivor
            begun = bool(bench.store.list_keys("late-payer/rollouts/"))
            if not begun:
                survivor.start(make_rollout())
            survivor.advance("live")
    survivor.advance("live")
    assert bench.outcome() == undisturbed.outcome()


@pytest.mark.fault(28)
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write_number", range(1, 25))
def test_two_controllers_at_once_do_each_step_once(bench, write_number, effective):
    undisturbed = Bench()
    for one in (undisturbed, bench):
        one.controller().start(make_rollout())
    undisturbed.run(undisturbed.controller())

    other = bench.controller(who="other")
    store = CutOffStore(bench.store, write_number, die=lambda: other.advance("live"), effective=effective)
    bench.run(bench.controller(store))
    assert bench.outcome() == undisturbed.outcome()


@pytest.mark.fault(23)
def test_a_second_rollout_is_refused_with_owner_and_start(bench):
    bench.controller().start(make_rollout())
    with pytest.raises(RolloutUnderWayError, match="alice started it at 2026-03-01T12:00:00"):
        bench.controller(who="bob").start(make_rollout(id="another", owner="bob"))
    assert bench.controller().rollouts.get("live").rollout.owner == "alice"


@pytest.mark.fault(23)
def test_another_operator_resumes_what_the_first_one_left(bench):
    bench.controller().start(make_rollout())
    bench.run(bench.controller(), (60,))
    bench.controller(who="bob").change("live", lambda *state: hold(*state, by="bob", reason="lunch"))
    bench.run(bench.controller(), (90, 1000))
    assert bench.alias.routing_config == RoutingConfig({2: 0.1})
    bench.controller(who="carol").change("live", lambda *state: resume(*state, by="carol", reason=""))
    bench.run(bench.controller(), (1030,))
    assert bench.alias.routing_config == RoutingConfig({2: 0.5})


@pytest.mark.fault(22)
def test_nothing_is_promoted_without_traffic(bench):
    bench.controller().start(make_rollout())
    bench.judge.judgements = verdicts(failed_answers="inconclusive")
    bench.run(bench.controller(), range(0, 10_000, 100))
    assert bench.controller().rollouts.get("live").rollout.state == "held"
    assert (bench.alias.version, bench.alias.routing_config) == (1, RoutingConfig())


@pytest.mark.fault(30)
def test_a_log_that_stops_in_a_canary_holds_and_goes_on_when_it_comes_again(bench):
    bench.controller().start(make_rollout())
    bench.run(bench.controller(), (60,))
    bench.judge.seen = 65
    bench.run(bench.controller(), range(62, 700, 2))
    rollout = bench.controller().rollouts.get("live").rollout
    assert (rollout.state, rollout.stage) == ("held", 2)
    assert "No data" in rollout.why
    bench.judge.seen = None
    bench.run(bench.controller(), (702,))
    assert bench.alias.routing_config == RoutingConfig({2: 0.5})


@pytest.mark.fault(28)
@pytest.mark.parametrize("judgements", [PASSED, FAILED], ids=["on", "back"])
def test_a_hold_isnt_undone_by_a_controller_that_was_judging_meanwhile(bench, judgements):
    bench.controller().start(make_rollout())
    bench.clock.seconds = 60
    person = bench.controller(who="alice")
    bench.judge.judgements = judgements
    bench.judge.meanwhile = lambda: person.change("live", lambda *state: hold(*state, by="alice", reason="lunch"))
    rollout = bench.controller().advance("live")
    if judgements is PASSED:
        assert (rollout.state, rollout.held_for, rollout.stage) == ("held", "person", 1)
        assert bench.alias.routing_config == RoutingConfig()
    else:
        assert rollout.state == "rolled_back"


@pytest.mark.fault(28)
def test_a_rollout_that_is_aborted_before_its_first_stage_doesnt_begin(bench):
    controller, person = bench.controller(), bench.controller(who="alice")
    store = CutOffStore(
        bench.store,
        2,  # The first write is the document, the second one the alias's history.
        die=once(lambda: person.change("live", lambda *state: abort(*state, by="alice", reason="wrong version"))),
        effective=False,
    )
    assert bench.controller(store).start(make_rollout()).state == "aborted"
    controller.advance("live")
    assert (bench.alias.version, bench.alias.versions_in_use) == (1, (1,))


def test_a_promotion_that_is_decided_again_doesnt_skip_the_bake(bench):
    bench.controller().start(make_rollout())
    bench.run(bench.controller(), (60, 90))
    bench.clock.seconds = 120
    controller = bench.controller()
    store = CutOffStore(bench.store, 1, die=lambda: controller.advance("live"), effective=False)
    with pytest.raises(RolloutStateError, match="from stage 3 to stage 4 meanwhile"):
        bench.controller(store, "alice").change(
            "live", lambda *state: promote(*state, by="alice", reason="because", seen_stage=3)
        )
    assert (bench.alias.version, bench.alias.routing_config) == (1, RoutingConfig({2: 1.0}))


def test_each_weight_is_kept_where_two_controllers_die_between_alias_and_document(bench):
    bench.controller().start(make_rollout())
    for seconds in (60, 90):
        bench.clock.seconds = seconds
        with pytest.raises(CutOffError):
            bench.controller(NoDocument(bench.store)).advance("live")
    rollout = bench.controller().advance("live")
    assert rollout.weights == {2: 0.0, 3: 0.1, 4: 0.5}


def test_evidence_that_cant_be_read_holds_until_it_can_be(bench):
    bench.controller().start(make_rollout())
    bench.clock.seconds = 30
    bench.judge.error = InvalidRolloutError("The guards can't be used.")
    rollout = bench.controller().advance("live")
    assert (rollout.state, rollout.held_for) == ("held", "evidence")
    assert rollout.why == "The evidence can't be read: The guards can't be used."
    bench.judge.error = None
    bench.clock.seconds = 40
    assert bench.controller().advance("live").state == "running"
    bench.run(bench.controller(), (60,))
    assert bench.alias.routing_config == RoutingConfig({2: 0.1})


@pytest.mark.parametrize("change", [abort, hold])
def test_a_person_who_meets_a_controller_decides_on_what_it_left(bench, change):
    bench.controller().start(make_rollout())
    bench.clock.seconds = 60
    controller = bench.controller()
    store = CutOffStore(bench.store, 1, die=lambda: controller.advance("live"), effective=False)
    rollout = bench.controller(store, "alice").change(
        "live", lambda *state: change(*state, by="alice", reason="because")
    )
    expected = {abort: "aborted", hold: "held"}[change]
    assert [event.what for event in rollout.events].count(expected) == 1
    weights: dict[int, float] = {} if change is abort else {2: 0.1}
    assert bench.alias.routing_config == RoutingConfig(weights)


def test_somebody_elses_update_supersedes(bench):
    bench.controller().start(make_rollout())
    bench.run(bench.controller(), (60,))
    bench.writer.assign("live", 2, reason="urgent")
    revision = bench.alias.revision
    bench.run(bench.controller(), (61, 500))
    assert bench.alias.revision == revision
    assert bench.controller().rollouts.get("live").rollout.state == "superseded"
    # And the next rollout may begin.
    bench.controller().start(make_rollout(id="back", main=2, candidate=1, alias_revision=revision))


def test_a_rollout_may_begin_where_nobody_has_noticed_that_the_last_one_was_superseded(bench):
    bench.controller().start(make_rollout())
    bench.writer.assign("live", 1, reason="stop it")
    bench.controller().start(make_rollout(id="again", alias_revision=bench.alias.revision, began_at=at(9).isoformat()))
    assert [past.state for past in bench.controller().rollouts.history("live")] == ["superseded", "running"]


@pytest.mark.fault(28)
def test_many_controllers_at_the_same_time_do_each_step_once(bench):
    undisturbed = Bench()
    for one in (undisturbed, bench):
        one.controller().start(make_rollout())
    undisturbed.run(undisturbed.controller())
    controllers = [bench.controller(who=f"controller-{number}") for number in range(4)]
    for seconds in TICKS:
        bench.clock.seconds = seconds
        with ThreadPoolExecutor(len(controllers)) as threads:
            list(threads.map(lambda controller: controller.advance("live"), controllers))
    assert bench.outcome() == undisturbed.outcome()


def test_the_next_rollout_makes_the_copy_that_a_killed_controller_left_out(bench):
    controller = bench.controller()
    controller.start(make_rollout())
    controller.change("live", lambda *state: abort(*state, by="alice", reason=""))
    bench.store.delete(past_rollout_key("late-payer", "live", "live-2-test"))
    controller.start(make_rollout(id="live-2-again", alias_revision=bench.alias.revision, began_at=at(99).isoformat()))
    assert [rollout.id for rollout in controller.rollouts.history("live")] == ["live-2-test", "live-2-again"]


def test_what_cant_be_rolled_out_is_refused_before_anything_is_written(bench):
    controller = bench.controller()
    with pytest.raises(RolloutRefusedError, match="in charge of alias 'live' already"):
        controller.start(make_rollout(candidate=1))
    with pytest.raises(VersionNotFoundError):
        controller.start(make_rollout(candidate=9))
    bench.store.delete(version_key("late-payer", 2, "model.pkl"))
    with pytest.raises(VersionDamagedError):
        controller.start(make_rollout())
    bench.writer.assign("live", 1, routing_config=RoutingConfig({}), reason="moved meanwhile")
    with pytest.raises(RolloutRefusedError, match=r"bob moved .* revision 2 \(moved meanwhile\).* Start it again"):
        controller.start(make_rollout())
    assert not bench.store.list_keys("late-payer/rollouts/")


def test_a_rollout_begins_from_one_version_alone(bench):
    bench.writer.assign("live", 1, routing_config=RoutingConfig({2: 0.5}))
    with pytest.raises(RolloutRefusedError, match="peerloan alias set live --version 1"):
        bench.controller().start(make_rollout(alias_revision=2))


def test_a_candidate_that_is_damaged_meanwhile_holds(bench):
    bench.controller().start(make_rollout())
    bench.store.delete(version_key("late-payer", 2, "model.pkl"))
    bench.run(bench.controller(), (60, 120))
    rollout = bench.controller().rollouts.get("live").rollout
    assert (rollout.state, rollout.held_for) == ("held", "person")
    assert "is damaged" in rollout.why
    assert bench.alias.routing_config == RoutingConfig()


class NotListed:
    """A bucket that answers as AWS does where the role may not list it: a missing object is forbidden."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.forbidden = ""

    def __getattr__(self, name):
        return getattr(self._store, name)

    def get(self, key, **options):
        try:
            if key == self.forbidden:
                raise ObjectNotFoundError(key)
            return self._store.get(key, **options)
        except ObjectNotFoundError:
            raise AccessDeniedError("read", key, "Access Denied") from None


@pytest.mark.parametrize(
    ("file", "damage", "why"),
    [
        ("model.pkl", "missing", r"'late-payer/versions/2/model\.pkl' is missing"),
        ("model.pkl", "other bytes", "has size in bytes 2, its manifest says"),
        ("model.pkl", "forbidden", "Access Denied"),
        ("manifest.json", "missing", "has no version 2"),
        ("manifest.json", "other bytes", "manifest"),
        ("manifest.json", "forbidden", "Access Denied"),
    ],
)
def test_a_candidate_that_cant_be_used_holds_with_the_reason(bench, file, damage, why):
    bench.controller().start(make_rollout())
    key, store = version_key("late-payer", 2, file), NotListed(bench.store)
    if damage == "other bytes":
        bench.store.put(key, b"{}")
    elif damage == "missing":
        bench.store.delete(key)
    else:
        store.forbidden = key
    bench.clock.seconds = 60
    rollout = bench.controller(store).advance("live")
    assert (rollout.state, rollout.held_for) == ("held", "person")
    assert re.search(why, rollout.why)
    assert bench.alias.routing_config == RoutingConfig()


def test_an_alias_without_rollouts(bench):
    assert bench.controller().advance("live") is None
    assert bench.controller().rollouts.list_aliases() == []
    with pytest.raises(RolloutNotFoundError, match="peerloan rollout start live"):
        bench.controller().change("live", lambda *state: abort(*state, by="alice", reason=""))
    bench.controller().start(make_rollout())
    assert bench.controller().rollouts.list_aliases() == ["live"]


def test_a_bucket_that_fails_leaves_the_alias_where_it_is(bench):
    class Failing:
        def __getattr__(self, name):
            return getattr(bench.store, name)

        def put(self, key, body, **conditions):
            raise StoreUnavailableError("write", key, "no network")

    bench.controller().start(make_rollout())
    before = bench.alias
    bench.clock.seconds = 60
    with pytest.raises(StoreUnavailableError):
        bench.controller(Failing()).advance("live")
    assert bench.alias == before


def test_a_damaged_document_is_named_with_what_to_do(bench):
    bench.store.put(rollout_key("late-payer", "live"), b'{"format": 1}')
    with pytest.raises(InvalidRolloutError, match=r"'late-payer/rollouts/live\.json' can't be used: .*delete it"):
        bench.controller().start(make_rollout())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"alias": "other"}, "is of alias 'other' of model 'late-payer'"),
        ({"model": "early-payer"}, "is of alias 'live' of model 'early-payer'"),
        ({"judgements": [{"guard": "flips", "n": 1, "estimate": 0}]}, "a member of 'judgements' has no 'verdict'"),
        ({"format": 2}, "update this software.* If it is damaged, restore"),
    ],
)
def test_a_document_that_is_damaged_or_anothers_moves_nothing(bench, change, fault):
    bench.controller().start(make_rollout())
    bench.writer.assign("other", 1)
    key, before = rollout_key("late-payer", "live"), bench.alias
    bench.store.put(key, json.dumps(json.loads(bench.store.get(key).body) | change).encode())
    with pytest.raises(InvalidRolloutError, match=fault):
        bench.controller().change("live", lambda *state: abort(*state, by="alice", reason="stop it"))
    bench.clock.seconds = 60
    with pytest.raises(InvalidRolloutError, match=fault):
        bench.controller().advance("live")
    assert bench.alias == before
    assert bench.writer.reader.get_alias("other").alias.revision == 1


def test_a_rollouts_name_is_one_that_the_registry_takes():
    assert new_rollout_id("live", 3, at(0), "0123456789abcdef") == "live-to-3-20260301T120000Z-012345"


class NoDocument:
    """A bucket for a controller that is killed before it writes a rollout's document."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._has_moved = False

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, key, body, **conditions):
        if key == rollout_key("late-payer", "live") and self._has_moved:
            die()
        self._has_moved |= key.endswith("aliases/live.json")
        return self._store.put(key, body, **conditions)


def once(action: Callable[[], object]) -> Callable[[], None]:
    """Return a function that does this the first time alone."""
    actions = [action]

    def act() -> None:
        if actions:
            actions.pop()()

    return act


def die() -> None:
    raise CutOffError
