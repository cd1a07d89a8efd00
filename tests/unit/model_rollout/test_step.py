"""What a rollout does next, by table and by Hypothesis: a pure function of document, verdicts, alias and time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.alias import Alias, RoutingConfig, Shadow
from model_rollout.document import Rollout
from model_rollout.moves import catch_up
from model_rollout.plan import read_steps
from model_rollout.step import RolloutStateError, abort, hold, promote, resume, step
from rollout_kit import PASSED, at, make_alias, make_rollout, moved, verdicts

FAILED = verdicts(failed_answers="fail", flips="pass")
OPEN = verdicts(failed_answers="pass", flips="inconclusive")
DOUBTFUL = verdicts(failed_answers="pass", sample_ratio="fail")


class World:
    """A rollout and its alias, moved on as a controller would do it. ``dies`` is between alias and document."""

    def __init__(self, rollout: Rollout | None = None) -> None:
        self.rollout = rollout or make_rollout()
        self.alias = make_alias()
        self.history = [self.alias]

    def step(self, seconds, judgements=PASSED, *, seen=None, dies=False):
        seen = seconds if seen is None else seen
        self.catch_up(seconds)
        self.apply(step(self.rollout, judgements, self.alias, at(seconds), at(seen)), seconds, dies=dies)

    def ask(self, command, seconds, **options):
        options = {"by": "alice", "reason": "because", **options}
        self.catch_up(seconds)
        if command is promote:
            options["seen_stage"] = self.rollout.stage
        self.apply(command(self.rollout, self.alias, at(seconds), **options), seconds)

    def catch_up(self, seconds):
        self.rollout = catch_up(self.rollout, self.alias, at(seconds))

    def apply(self, result, seconds, *, dies=False):
        if result.alias_update:
            self.set_alias(moved(self.alias, result.alias_update, at(seconds)))
        if not dies:
            self.rollout = Rollout.from_json(result.document.to_json())

    def set_alias(self, alias: Alias) -> None:
        self.alias = alias
        self.history.append(alias)

    @property
    def weight(self):
        return self.alias.routing_config.additional_version_weights.get(2, 0)

    def to_stage(self, number):
        """Pass the stages before this one; return the second in which it began."""
        ends = [0, 60, 90, 120]
        for end in ends[:number]:
            self.step(end)
        assert (self.rollout.stage, self.rollout.state) == (number, "running")
        return ends[number - 1]


def test_a_rollout_goes_through_its_stages():
    world = World()
    world.step(0, ())
    assert world.alias.shadow == Shadow(2, 1.0)
    assert world.weight == 0
    for seconds, weight in [(59, 0), (60, 0.1), (89, 0.1), (90, 0.5), (120, 1)]:
        world.step(seconds)
        assert world.weight == weight
        assert world.alias.shadow == (None if weight == 1 else Shadow(2, 1.0))
    assert world.alias.version == 1
    world.step(180)
    assert (world.alias.version, world.weight, world.alias.shadow) == (2, 0, None)
    assert world.rollout.state == "promoted"
    assert {alias.rollout for alias in world.history[1:]} == {"live-2-test"}
    assert world.rollout.weights == {2: 0, 3: 0.1, 4: 0.5, 5: 1, 6: 0}
    assert [event.what for event in world.rollout.events] == ["stage 1", "stage 2", "stage 3", "stage 4", "promoted"]


@pytest.mark.fault(21)
@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_a_failed_guard_goes_back_at_once(stage):
    world = World()
    began = world.to_stage(stage)
    world.step(began + 1, FAILED)
    assert (world.alias.version, world.weight, world.alias.shadow) == (1, 0, None)
    assert (world.rollout.state, world.rollout.why) == ("rolled_back", "failed_answers: fail.")
    assert world.alias.evidence["guards"][0]["verdict"] == "fail"


@pytest.mark.fault(22)
@pytest.mark.parametrize("stage", [1, 2, 3, 4])
@pytest.mark.parametrize("judgements", [OPEN, ()], ids=["inconclusive", "no guard asked"])
def test_too_little_evidence_holds_and_goes_on_once_it_has_come(stage, judgements):
    world = World()
    end = world.to_stage(stage) + world.rollout.current_stage.seconds
    alias = world.alias
    for seconds in (end, end + 1000, end + 100_000):
        world.step(seconds, judgements)
        assert (world.rollout.state, world.rollout.stage) == ("held", stage)
    assert world.alias == alias
    assert [event.what for event in world.rollout.events].count("held") == 1
    world.step(end + 100_001)
    assert world.rollout.stage == stage + 1 or world.rollout.state == "promoted"


@pytest.mark.fault(30)
@pytest.mark.parametrize("seen_s", [10, 29])
def test_a_log_whose_delivery_stopped_holds(seen_s):
    world = World()
    began = world.to_stage(2)
    world.step(began + 30, seen=began + seen_s)
    assert world.rollout.state == "running"  # Lines may arrive late: half the stage's length more.
    world.step(began + 45, seen=began + seen_s)
    assert (world.rollout.state, world.weight) == ("held", 0.1)
    assert world.rollout.why.startswith("No data: the newest log line is of")
    world.step(began + 600, seen=began + seen_s)
    assert (world.rollout.state, world.weight) == ("held", 0.1)
    world.step(began + 610, seen=began + 609)
    assert (world.rollout.state, world.weight) == ("running", 0.5)


def test_without_any_log_line_it_holds():
    world = World()
    world.step(0)
    world.apply(step(world.rollout, PASSED, world.alias, at(1000), None), 1000)
    assert (world.rollout.state, world.rollout.why) == ("held", "No data: there are no log lines.")


@pytest.mark.fault(32)
def test_a_doubtful_sample_ratio_holds_until_a_person_overrules_it():
    world = World()
    began = world.to_stage(2)
    world.step(began + 1, DOUBTFUL)
    assert (world.rollout.state, world.rollout.held_for, world.weight) == ("held", "person", 0.1)
    world.step(began + 100)
    assert world.rollout.state == "held"
    world.step(began + 101, DOUBTFUL)
    with pytest.raises(RolloutStateError, match="sample_ratio"):
        world.ask(resume, began + 102, reason="")
    world.ask(resume, began + 102)
    for seconds in (103, 133):
        world.step(began + seconds, DOUBTFUL)
    assert (world.rollout.state, world.rollout.stage) == ("running", 3)
    world.step(began + 134, (*DOUBTFUL, *FAILED))
    assert world.rollout.state == "rolled_back"


def test_a_person_holds_and_resumes():
    world = World()
    began = world.to_stage(2)
    world.ask(hold, began + 5)
    world.step(began + 500)
    assert (world.rollout.state, world.weight) == ("held", 0.1)
    world.ask(resume, began + 500)
    world.step(began + 529)
    assert (world.rollout.stage, world.rollout.state) == (2, "running")  # The stage has its whole time again.
    world.step(began + 530)
    assert world.rollout.stage == 3


def test_a_second_hold_has_its_reason_too():
    world = World()
    began = world.to_stage(2)
    for reason in ("lunch", "ask the risk team"):
        world.ask(hold, began + 5, reason=reason)
    assert [event.reason for event in world.rollout.events if event.what == "held"] == ["lunch", "ask the risk team"]
    assert world.rollout.why == "alice: ask the risk team"


def test_a_persons_reason_for_a_hold_outlives_a_doubtful_guard():
    world = World()
    began = world.to_stage(2)
    world.ask(hold, began + 5, reason="lunch")
    world.step(began + 6, DOUBTFUL)
    assert world.rollout.why == "alice: lunch"


def test_a_hold_is_a_revision_of_the_alias_that_moves_nothing():
    world = World()
    began = world.to_stage(2)
    before = world.alias
    world.ask(hold, began + 5)
    assert world.alias.revision == before.revision + 1
    assert (world.alias.routing_config, world.alias.shadow) == (before.routing_config, before.shadow)
    assert world.rollout.weights[world.alias.revision] == 0.1
    assert world.rollout.stage_began_at == before.updated_at


def test_what_a_person_asked_for_is_completed_in_their_name():
    world = World()
    began = world.to_stage(2)
    world.apply(hold(world.rollout, world.alias, at(began + 5), by="alice", reason="lunch"), began + 5, dies=True)
    world.step(began + 500)
    assert (world.rollout.state, world.rollout.held_for, world.weight) == ("held", "person", 0.1)
    assert (world.rollout.events[-1].what, world.rollout.events[-1].by) == ("held", "alice")


def test_a_promotion_is_of_the_stage_that_the_person_saw():
    world = World()
    began = world.to_stage(4)
    with pytest.raises(RolloutStateError, match="from stage 3 to stage 4 meanwhile"):
        promote(world.rollout, world.alias, at(began), by="alice", reason="because", seen_stage=3)


def test_a_held_rollout_is_still_rolled_back():
    world = World()
    began = world.to_stage(3)
    world.ask(hold, began + 5)
    world.step(began + 6, FAILED)
    assert (world.rollout.state, world.weight) == ("rolled_back", 0)


@pytest.mark.parametrize(("next_only", "weight"), [(False, 1), (True, 0.5)])
def test_a_person_promotes_what_the_evidence_leaves_open(next_only, weight):
    world = World()
    began = world.to_stage(2)
    world.step(began + 100, OPEN)
    with pytest.raises(RolloutStateError, match="--reason"):
        world.ask(promote, began + 101, reason="")
    world.ask(promote, began + 101, next_only=next_only)
    assert (world.rollout.state, world.weight) == ("running", weight)
    world.step(began + 102, FAILED)
    assert (world.rollout.state, world.weight) == ("rolled_back", 0)


def test_promoting_in_the_bake_ends_the_rollout():
    world = World()
    began = world.to_stage(4)
    world.ask(promote, began + 1)
    assert (world.rollout.state, world.alias.version, world.weight) == ("promoted", 2, 0)


def test_promoting_without_a_bake_puts_the_candidate_in_charge():
    world = World(make_rollout(read_steps("10", every_s=30, shadow_s=0, bake_s=0)))
    world.step(0)
    assert world.weight == 0.1
    world.ask(promote, 1)
    assert (world.rollout.state, world.alias.version) == ("promoted", 2)


@pytest.mark.parametrize("stage", [0, 1, 2, 4])
def test_aborting_goes_back(stage):
    world = World()
    world.to_stage(stage) if stage else None
    world.ask(abort, 500)
    assert (world.rollout.state, world.alias.version, world.weight) == ("aborted", 1, 0)
    assert world.alias.shadow is None


@pytest.mark.parametrize("command", [hold, resume, promote, abort])
def test_nothing_is_asked_of_a_rollout_that_has_ended(command):
    world = World(make_rollout(state="rolled_back", stage=2))
    with pytest.raises(RolloutStateError, match="has ended: rolled_back"):
        world.ask(command, 1)


@pytest.mark.parametrize("stage", [0, 1, 2, 4])
def test_somebody_elses_update_ends_it_without_a_fight(stage):
    world = World()
    world.to_stage(stage) if stage else None
    foreign = replace(make_alias(1, world.alias.revision + 1), reason="urgent")
    world.set_alias(foreign)
    world.step(500, FAILED)
    world.step(501, FAILED)
    assert (world.rollout.state, world.alias) == ("superseded", foreign)
    assert "bob moved the alias" in world.rollout.why
    assert "urgent" in world.rollout.why


def test_a_model_without_arrays_needs_no_shadow():
    world = World(make_rollout(read_steps("10", every_s=30, shadow_s=0, bake_s=60), shadow_share=0.0))
    world.step(0)
    assert (world.weight, world.alias.shadow) == (0.1, None)


@pytest.mark.fault(28)
@pytest.mark.parametrize("stage", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("judgements", [PASSED, FAILED], ids=["on", "back"])
def test_a_controller_that_dies_before_the_document_is_completed_by_the_next(stage, judgements):
    world, other = World(), World()
    for one, dies in ((world, True), (other, False)):
        one.to_stage(stage) if stage else None
        one.step(1000, judgements, dies=dies)
    assert world.alias == other.alias
    for one in (world, other):
        one.step(1001, judgements)
    assert world.alias == other.alias
    members = ("state", "stage", "why", "weights", "stage_began_at", "alias_revision", "held_for")
    assert [getattr(world.rollout, name) for name in members] == [getattr(other.rollout, name) for name in members]
    assert [event.what for event in world.rollout.events] == [event.what for event in other.rollout.events]


MOMENTS = st.lists(
    st.tuples(
        st.integers(1, 60),  # Seconds since the last look.
        st.sampled_from([PASSED, PASSED, OPEN, (), DOUBTFUL, FAILED]),
        st.integers(0, 60),  # How old the newest log line is.
        st.booleans(),  # Whether the controller dies between alias and document.
        st.sampled_from([None, None, None, None, hold, resume, promote, abort, "foreign"]),
    ),
    max_size=60,
)


@pytest.mark.fault(28)
@given(MOMENTS)
def test_whatever_happens_the_rules_hold(moments):
    world, now = World(), 0
    for wait, judgements, age, dies, command in moments:
        now += wait
        before, revision = world.rollout, world.alias.revision
        if command == "foreign":
            world.set_alias(make_alias(1, world.alias.revision + 1))
        elif command is not None and not before.is_over:
            with suppress(RolloutStateError):
                world.ask(command, now)
        before_step = world.rollout
        world.step(now, judgements, seen=now - age, dies=dies)
        moves = [alias for alias in world.history if alias.revision > revision]
        if before_step.is_over:
            assert world.rollout == before_step
        for alias in moves:
            assert_allowed(alias, world.rollout.waived)
    assert_rises(world.history)
    world.step(now + 1, ())
    if world.rollout.state in ("rolled_back", "aborted"):
        assert (world.alias.version, world.alias.routing_config) == (1, RoutingConfig())


def assert_allowed(alias, waived):
    """No weight rises but if all guards have passed, or for a person's reason; none falls but if one has failed."""
    evidence = alias.evidence or {}
    found = {judgement["verdict"] for judgement in evidence.get("guards", ()) if judgement["guard"] not in waived}
    is_onward = evidence.get("state") in ("running", "promoted") and evidence["stage"] > 1
    if is_onward and "promoted by" not in evidence["why"]:
        assert found == {"pass"}
    if evidence.get("state") == "rolled_back":
        assert "fail" in found


def assert_rises(history):
    """The weight rises from stage to stage; it falls only to nothing, or once the candidate is in charge."""
    weights = [alias.routing_config.additional_version_weights.get(2, 0) for alias in history if alias.version == 1]
    assert all(later >= earlier or later == 0 for earlier, later in pairwise(weights))
