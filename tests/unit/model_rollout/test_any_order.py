"""Registry, alias and rollout in any order of events, against a small reference model (Hypothesis state machine).

Controllers are killed before and after any of their writes, others act in between, somebody moves the alias by hand,
versions are published and deleted. Whatever happens, the next look must leave what the reference model says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from memory_store import InMemoryStore
from model_registry.alias import RoutingConfig
from model_registry.errors import RegistryError, VersionInUseError
from model_registry.routing import resolve_version
from model_registry.stores.base import ObjectStore
from model_rollout.controller import Controller, Evidence, RolloutRefusedError
from model_rollout.document import Rollout
from model_rollout.rollout_store import RolloutStore, RolloutUnderWayError
from model_rollout.step import RolloutStateError, abort, hold, promote, resume
from registry_kit import CutOffError, CutOffStore, make_candidate, make_writer
from rollout_kit import PLAN, at, make_rollout, verdicts

EVIDENCE = {
    "pass": verdicts(failed_answers="pass", sample_ratio="pass"),
    "fail": verdicts(failed_answers="fail", sample_ratio="pass"),
    "inconclusive": verdicts(failed_answers="inconclusive", sample_ratio="pass"),
}
REQUESTS = {"hold": hold, "resume": resume, "promote": promote, "abort": abort}
KEYS = [f"loan-{number}" for number in range(60)]
MOST_VERSIONS = 5
# Longer than a stage and half a stage more, after which a stage without data is over too.
A_STAGE_S = 91.0
# A write of the alias takes three puts, that of a document one or two; beyond these a controller isn't killed.
MOST_WRITES = 7

waits = st.sampled_from([0.0, 1.0, A_STAGE_S, A_STAGE_S])
kinds = st.sampled_from(["pass", "pass", "pass", "inconclusive", "fail"])
mostly = st.sampled_from([True, True, True, False])


@dataclass
class Expected:
    """The reference model of a rollout: where it stands, as a person would note it."""

    main: int
    candidate: int
    stage: int = 1
    state: str = "running"
    held_for: str | None = None
    # Seconds since the stage began.
    age_s: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.state not in ("running", "held")

    def position(self) -> tuple[int, dict[int, float], int | None]:
        """The alias's version, weights and shadow."""
        if self.state == "promoted":
            return self.candidate, {}, None
        if self.is_over:
            return self.main, {}, None
        stage = PLAN.stages[self.stage - 1]
        shadow = None if stage.kind == "bake" else self.candidate
        return self.main, {self.candidate: stage.weight} if stage.weight else {}, shadow

    def look(self, evidence: str, *, has_data: bool) -> None:
        """What a controller's look does."""
        if self.is_over:
            return
        if evidence == "fail":
            self.state = "rolled_back"
        elif self.held_for != "person" and self.age_s >= A_STAGE_S:
            if has_data and evidence == "pass":
                self.go_on()
            else:
                self.state, self.held_for = "held", "evidence"

    def go_on(self) -> None:
        self.stage, self.state, self.held_for, self.age_s = self.stage + 1, "running", None, 0.0
        if self.stage > len(PLAN.stages):
            self.stage, self.state = len(PLAN.stages), "promoted"

    def ask(self, what: str) -> None:
        """What a person's request does."""
        if what == "hold":
            self.state, self.held_for = "held", "person"
        elif what == "resume":
            self.state, self.held_for, self.age_s = "running", None, 0.0
        elif what == "abort":
            self.state = "aborted"
        else:
            is_last = self.stage == len(PLAN.stages)
            self.stage = len(PLAN.stages) - (not is_last)
            self.go_on()


class RolloutMachine(RuleBasedStateMachine):
    """One alias of a bucket in memory, and whoever acts on it."""

    def __init__(self) -> None:
        super().__init__()
        self.store = InMemoryStore()
        self.seconds = 0.0
        self.evidence = "pass"
        self.has_data = True
        # What happens while the next controller judges.
        self.meanwhile: Callable[[], None] | None = None
        self.versions: set[int] = set()
        self.expected: Expected | None = None
        # Where the alias points while no rollout has it.
        self.at_rest = 1
        self.seen: dict[tuple[str, str], int] = {}
        self.rollouts = 0
        self.writers = 0

    def now(self) -> datetime:
        return at(self.seconds)

    def judge(self, _rollout: Rollout, _now: datetime) -> Evidence:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return Evidence(EVIDENCE[self.evidence], self.now() if self.has_data else None)

    def writer(self, store: ObjectStore | None = None) -> Any:
        self.writers += 1
        return replace(make_writer(store or self.store, f"writer-{self.writers}"), clock=self.now)

    def controller(self, store: ObjectStore | None = None) -> Controller:
        writer = self.writer(store)
        rollouts = RolloutStore(writer.store, writer.model, new_id=writer.new_id)
        return Controller(rollouts, writer, self, clock=self.now)

    @initialize()
    def begin(self) -> None:
        for _ in range(2):
            self.publish()
        self.writer().assign("live", 1)

    @precondition(lambda self: len(self.versions) < MOST_VERSIONS)
    @rule()
    def publish(self) -> None:
        body = f"pickle {len(self.versions)} {self.writers}".encode()
        self.versions.add(self.writer().publish(make_candidate(body)).manifest.version)

    @rule(version=st.integers(1, MOST_VERSIONS))
    def delete(self, version: int) -> None:
        in_use = self.writer().reader.get_alias("live").alias.versions_in_use
        if version in self.versions and version in in_use:
            with pytest.raises(VersionInUseError):
                self.writer().delete_version(version)
        elif version in self.versions:
            self.writer().delete_version(version)
            self.versions.discard(version)

    @rule(number=st.integers(0, MOST_VERSIONS))
    def start(self, number: int) -> None:
        version = sorted(self.versions)[number % len(self.versions)]
        self.rollouts += 1
        # No two rollouts begin at one moment.
        self.seconds += 0.001
        alias = self.writer().reader.get_alias("live").alias
        rollout = make_rollout(
            id=f"live-{self.rollouts}",
            main=alias.version,
            candidate=version,
            alias_revision=alias.revision,
            began_at=self.now().isoformat(),
            stage_began_at=self.now().isoformat(),
        )
        if self.expected is not None:
            with pytest.raises(RolloutUnderWayError):
                self.controller().start(rollout)
        elif version == alias.version:
            with pytest.raises(RolloutRefusedError):
                self.controller().start(rollout)
        else:
            self.controller().start(rollout)
            self.expected = Expected(alias.version, version)

    def pass_time(self, seconds: float, evidence: str, *, has_data: bool) -> None:
        self.seconds += seconds
        self.evidence, self.has_data = evidence, has_data
        if self.expected is not None:
            self.expected.age_s += seconds

    @rule(seconds=waits, evidence=kinds, has_data=mostly, die_at=st.integers(1, MOST_WRITES), effective=st.booleans())
    def look_and_die(self, seconds: float, evidence: str, has_data: bool, die_at: int, effective: bool) -> None:
        """A controller looks, and is killed at one of its writes, if it makes as many; another one looks then."""
        self.pass_time(seconds, evidence, has_data=has_data)
        if self.expected is None:
            return
        store = CutOffStore(self.store, die_at, die=_die, effective=effective)
        with suppress(CutOffError):
            self.controller(store).advance("live")
        self.look()

    @rule(seconds=waits, evidence=kinds, has_data=mostly, at_write=st.integers(1, MOST_WRITES), effective=st.booleans())
    def look_together(self, seconds: float, evidence: str, has_data: bool, at_write: int, effective: bool) -> None:
        """A second controller acts, start to end, at one of the first one's writes; a third one looks then."""
        self.pass_time(seconds, evidence, has_data=has_data)
        if self.expected is None:
            return

        def interrupt() -> None:
            self.controller().advance("live")

        self.controller(CutOffStore(self.store, at_write, die=interrupt, effective=effective)).advance("live")
        self.look()

    def look(self) -> None:
        self.controller().advance("live")
        assert self.expected is not None
        self.expected.look(self.evidence, has_data=self.has_data)
        self.settle()

    @rule(what=st.sampled_from(sorted(REQUESTS)), is_meant=st.booleans())
    def ask(self, what: str, is_meant: bool) -> None:
        """A person holds, resumes, promotes or aborts; the last only now and then, for longer histories."""
        if what == "abort" and self.expected is not None and not is_meant:
            return
        is_possible = self.expected is not None and (what != "resume" or self.expected.state == "held")
        if not is_possible:
            with pytest.raises((RolloutStateError, RegistryError)):
                self.request(what)
            return
        assert self.expected is not None
        self.request(what)
        self.expected.ask(what)
        self.settle()

    def request(self, what: str) -> None:
        """Ask for a change, as somebody who has just looked where the rollout stands."""
        controller = self.controller()
        options: dict[str, Any] = {"by": "alice", "reason": "she says so"}
        if what == "promote":
            options["seen_stage"] = controller.rollouts.get("live").rollout.stage
        controller.change("live", lambda *state: REQUESTS[what](*state, **options))

    @rule(
        what=st.sampled_from(["hold", "hold", "promote", "resume", "abort"]),
        at_write=st.integers(0, MOST_WRITES),
        effective=st.booleans(),
        seconds=waits,
        evidence=kinds,
        has_data=mostly,
    )
    def ask_meanwhile(
        self, what: str, at_write: int, effective: bool, seconds: float, evidence: str, has_data: bool
    ) -> None:
        """A person asks, start to end, while a controller judges (0) or at one of its writes.

        One of the two came first, whatever the moment. So a step that was decided before a hold isn't made after it.
        """
        self.pass_time(seconds, evidence, has_data=has_data)
        if self.expected is None:
            return
        answers: list[bool] = []

        def interrupt() -> None:
            if not answers:
                answers.append(False)
                with suppress(RolloutStateError):
                    self.request(what)
                    answers.append(True)

        if at_write:
            self.controller(CutOffStore(self.store, at_write, die=interrupt, effective=effective)).advance("live")
        else:
            self.meanwhile = interrupt
            self.controller().advance("live")
            self.meanwhile = None
        was_asked = answers[-1:] == [True]
        looked_first, asked_first = replace(self.expected), replace(self.expected)
        looked_first.look(evidence, has_data=has_data)
        orders = [] if was_asked and looked_first.is_over else [looked_first]
        if was_asked:
            looked_first.ask(what)
            asked_first.ask(what)
            asked_first.look(evidence, has_data=has_data)
            orders.append(asked_first)
        document = self.controller().rollouts.get("live").rollout
        found = (document.state, document.stage, None if document.is_over else document.held_for)
        self.expected = next(
            one for one in orders if (one.state, one.stage, None if one.is_over else one.held_for) == found
        )
        self.settle()

    @rule(version=st.integers(1, MOST_VERSIONS))
    def move_by_hand(self, version: int) -> None:
        """Somebody assigns the alias, whatever is under way: that ends a rollout, and no controller fights it."""
        if version not in self.versions:
            return
        self.writer().assign("live", version, routing_config=RoutingConfig(), reason="by hand")
        self.at_rest = version
        if self.expected is not None:
            self.controller().advance("live")
            assert self.controller().rollouts.get("live").rollout.state == "superseded"
            self.expected = None

    def settle(self) -> None:
        """Forget a rollout that has ended, after a look at its copy."""
        if self.expected is None or not self.expected.is_over:
            return
        last = self.controller().rollouts.get("live").rollout
        assert last.state == self.expected.state
        assert [past.id for past in self.controller().rollouts.history("live")][-1] == last.id
        self.at_rest = self.expected.position()[0]
        self.expected = None

    @invariant()
    def the_alias_is_where_the_model_says(self) -> None:
        if not self.versions:
            return
        alias = self.writer().reader.get_alias("live").alias
        shadow = None if alias.shadow is None else alias.shadow.version
        position = (alias.version, dict(alias.routing_config.additional_version_weights), shadow)
        assert position == ((self.at_rest, {}, None) if self.expected is None else self.expected.position())
        if self.expected is not None:
            document = self.controller().rollouts.get("live").rollout
            found = (document.state, document.held_for, document.stage)
            assert found == (self.expected.state, self.expected.held_for, self.expected.stage)

    @invariant()
    def the_history_has_no_gap(self) -> None:
        if not self.versions:
            return
        revision = self.writer().reader.get_alias("live").alias.revision
        numbers = self.writer().reader.list_revisions("live")
        # The newest entry may be missing after a kill; the next update writes it.
        assert numbers in (list(range(1, revision + 1)), list(range(1, revision)))

    @invariant()
    def no_key_goes_from_the_new_version_to_the_old_one(self) -> None:
        if self.expected is None:
            return
        alias = self.writer().reader.get_alias("live").alias
        for key in KEYS:
            version = resolve_version(alias, key)
            assert self.seen.get((alias.rollout, key), version) == version or version == self.expected.candidate
            self.seen[alias.rollout, key] = version


def _die() -> None:
    raise CutOffError


TestRollouts = pytest.mark.fault(20)(pytest.mark.fault(28)(RolloutMachine.TestCase))
TestRollouts.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
