"""Decides what a rollout does next. Pure: a document, verdicts, the alias and the time in; what to write out.

The alias is written first and the document after it. So the alias's ``evidence`` says which stage it was moved for, and
a controller that finds an alias ahead of the document knows that this step is done and only writes the document.
Whatever a person asks for (hold, resume, promote, abort) is decided here by the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from model_registry.alias import Alias, RoutingConfig, Shadow
from model_registry.errors import RegistryError
from model_rollout.document import HeldFor, Rollout, State
from model_rollout.guard_settings import SAMPLE_RATIO

CONTROLLER = "controller"
# Guards whose failure doubts the figures and says nothing of the candidate: a person looks, nothing is taken back.
HOLDING_GUARDS = frozenset({SAMPLE_RATIO})


class Judgement(Protocol):
    """A guard's verdict: these members, and others that are kept in the document."""

    @property
    def guard(self) -> str:
        """The guard's name."""

    @property
    def verdict(self) -> Literal["pass", "fail", "inconclusive"]:
        """What it found."""

    @property
    def sentence(self) -> str:
        """What it found, for people."""

    def to_document(self) -> dict[str, Any]:
        """Return all members as plain values."""


class RolloutStateError(RegistryError):
    """What was asked for doesn't fit the rollout's state."""


@dataclass(frozen=True)
class AliasUpdate:
    """The arguments of ``AliasWriter.assign``. Revision ``expected_revision`` is what the step was decided on."""

    version: int
    routing_config: RoutingConfig
    shadow: Shadow | None
    rollout: str
    evidence: Mapping[str, Any]
    expected_revision: int
    reason: str


@dataclass(frozen=True)
class StepResult:
    """What to write: the alias first, if it moves, then the document."""

    document: Rollout
    alias_update: AliasUpdate | None = None


@dataclass(frozen=True)
class _Move:
    """A move of the alias that is about to be decided, and who decides it."""

    document: Rollout
    alias: Alias
    now: datetime
    by: str = CONTROLLER
    reason: str = ""

    def to_stage(self, number: int, why: str) -> StepResult:
        """Enter a stage; after the last one the candidate is in charge."""
        if number > len(self.document.plan.stages):
            return self.to_end("promoted", why)
        return self._result(number, "running", why)

    def to_end(self, state: State, why: str) -> StepResult:
        """End the rollout: all requests to the candidate if it is promoted, else to the main version."""
        return self._result(self.document.stage, state, why)

    def _result(self, stage: int, state: State, why: str) -> StepResult:
        document = self.document
        version, weights, shadow = _target(document, stage, state)
        what = f"stage {stage}" if state == "running" else state
        changed = document.with_event(
            what,
            at=self.now,
            by=self.by,
            reason=self.reason or why,
            stage=stage,
            state=state,
            why=why,
            held_for=None,
            stage_began_at=self.now.isoformat(),
        )
        if (version, weights, shadow) == _position(self.alias):
            return StepResult(changed)
        update = AliasUpdate(
            version=version,
            routing_config=RoutingConfig(weights),
            shadow=shadow,
            rollout=document.id,
            evidence=_evidence(changed),
            expected_revision=self.alias.revision,
            reason=f"rollout of version {document.candidate}: {what}: {self.reason or why}",
        )
        return StepResult(_at_revision(changed, self.alias.revision + 1, weights), update)


def step(
    document: Rollout,
    judgements: Sequence[Judgement],
    alias: Alias,
    now: datetime,
    seen_until: datetime | None = None,
) -> StepResult:
    """Return what a rollout does next.

    Parameters
    ----------
    document : Rollout
        Where it stands.
    judgements : sequence of Judgement
        The verdicts of the guards that the stage asks, from the log so far.
    alias : Alias
        Where the alias points, read after the document.
    now : datetime
        With a time zone.
    seen_until : datetime, optional
        The time of the newest log line among the evidence; None if there is none.

    Returns
    -------
    StepResult
        The document as it was if there is nothing to do.
    """
    document = catch_up(document, alias, now)
    if document.is_over:
        return StepResult(document)
    document = _with_judgements(document, judgements, now, seen_until)
    move = _Move(document, alias, now)
    if document.stage == 0:
        return move.to_stage(1, "it begins")
    failed = [judgement for judgement in judgements if judgement.verdict == "fail"]
    deciding = [judgement for judgement in failed if judgement.guard not in HOLDING_GUARDS]
    if deciding:
        return move.to_end("rolled_back", _say(deciding))
    doubtful = [judgement for judgement in failed if judgement.guard not in document.waived]
    if doubtful:
        return StepResult(_held(document, "person", _say(doubtful), now))
    if document.held_for == "person":
        return StepResult(document)
    return _at_the_end(move, judgements, seen_until)


def catch_up(document: Rollout, alias: Alias, now: datetime) -> Rollout:
    """Return the document as the alias says it should be.

    It is behind the alias if a controller ended after it had moved the alias. Somebody else's update of the alias ends
    the rollout as ``superseded``.
    """
    if document.is_over or alias.revision == document.alias_revision:
        return document
    evidence = alias.evidence or {}
    if evidence.get("rollout") != document.id or alias.revision < document.alias_revision:
        why = (
            f"{alias.updated_by} moved the alias to revision {alias.revision} ({alias.reason or 'no reason given'}) "
            "while the rollout was under way"
        )
        return document.with_event(
            "superseded", at=now, by=alias.updated_by, reason=why, state="superseded", why=why, held_for=None
        )
    why = str(evidence["why"])
    completed = document.with_event(
        str(evidence["what"]),
        at=now,
        by=CONTROLLER,
        reason=why,
        stage=int(evidence["stage"]),
        state=evidence["state"],
        why=why,
        held_for=None,
        stage_began_at=alias.updated_at,
    )
    return _at_revision(completed, alias.revision, alias.routing_config.additional_version_weights)


def hold(document: Rollout, alias: Alias, now: datetime, *, by: str, reason: str) -> StepResult:
    """Keep the weights as they are until a person goes on; a guard that fails still rolls back."""
    document = _under_way(document, alias, now)
    return StepResult(_held(document, "person", f"{by}: {reason or 'no reason given'}", now, by=by))


def resume(document: Rollout, alias: Alias, now: datetime, *, by: str, reason: str) -> StepResult:
    """Go on after a hold: the stage gets its whole time again. A guard that holds is overruled with a reason alone."""
    document = _under_way(document, alias, now)
    if document.state != "held":
        raise RolloutStateError("The rollout isn't held; there is nothing to resume.")
    failed = {judgement["guard"] for judgement in document.judgements if judgement["verdict"] == "fail"}
    overruled = sorted(failed & HOLDING_GUARDS - set(document.waived))
    if overruled and not reason:
        raise RolloutStateError(
            f"The rollout is held by {', '.join(overruled)}: {document.why} To go on all the same, say why: --reason."
        )
    resumed = document.with_event(
        "resumed",
        at=now,
        by=by,
        reason=reason,
        state="running",
        why=reason or f"resumed by {by}",
        held_for=None,
        stage_began_at=now.isoformat(),
        waived=(*document.waived, *overruled),
    )
    return StepResult(resumed)


def promote(
    document: Rollout, alias: Alias, now: datetime, *, by: str, reason: str, next_only: bool = False
) -> StepResult:
    """Go on without waiting for evidence: to the bake with all requests, or from the bake to the end.

    With ``next_only`` to the next stage alone. A guard that fails later still rolls back. Raises
    ``RolloutStateError`` without a reason.
    """
    document = _under_way(document, alias, now)
    if not reason:
        raise RolloutStateError("Promoting before the evidence is in needs a reason: --reason TEXT.")
    last = document.plan.stages[-1]
    number = document.stage + 1
    if not next_only and document.stage < len(document.plan.stages):
        # Without a bake the candidate is in charge at once.
        number = len(document.plan.stages) + (last.kind != "bake")
    return _Move(document, alias, now, by=by, reason=reason).to_stage(number, f"promoted by {by}: {reason}")


def abort(document: Rollout, alias: Alias, now: datetime, *, by: str, reason: str) -> StepResult:
    """End the rollout: all requests go back to the main version."""
    document = _under_way(document, alias, now)
    why = f"aborted by {by}: {reason or 'no reason given'}"
    return _Move(document, alias, now, by=by, reason=reason).to_end("aborted", why)


def _under_way(document: Rollout, alias: Alias, now: datetime) -> Rollout:
    document = catch_up(document, alias, now)
    if document.is_over:
        raise RolloutStateError(f"The rollout has ended: {document.state} ({document.why}). Start another one.")
    return document


def _at_the_end(move: _Move, judgements: Sequence[Judgement], seen_until: datetime | None) -> StepResult:
    """Go on, wait or hold, where no guard has failed."""
    document, stage = move.document, move.document.current_stage
    assert stage is not None
    began, length = document.stage_began, timedelta(seconds=stage.seconds)
    is_complete = seen_until is not None and seen_until >= began + length
    # Log lines arrive late, so a stage whose end isn't in the log yet is given half its length more.
    if move.now < began + length or (not is_complete and move.now < began + length * 1.5):
        return StepResult(document)
    missing = [judgement for judgement in judgements if judgement.verdict == "inconclusive"]
    why = ""
    if seen_until is None or seen_until < began + length / 2:
        why = f"No data: {_newest(seen_until)}."
    elif not judgements:
        why = "No guard was asked."
    elif missing:
        why = f"Too little evidence to tell: {', '.join(judgement.guard for judgement in missing)}."
    if why:
        return StepResult(_held(document, "evidence", why, move.now))
    passed = f"{len(judgements)} guards passed stage {document.stage}"
    return move.to_stage(document.stage + 1, passed)


def _newest(seen_until: datetime | None) -> str:
    return "there are no log lines" if seen_until is None else f"the newest log line is of {seen_until:%X}"


def _held(document: Rollout, held_for: HeldFor, why: str, now: datetime, *, by: str = CONTROLLER) -> Rollout:
    if document.state == "held" and document.held_for == held_for:
        # Evidence that is still missing is no event, but its figures may be new.
        return replace(document, why=why) if by == CONTROLLER else document
    return document.with_event("held", at=now, by=by, reason=why, state="held", held_for=held_for, why=why)


def _with_judgements(
    document: Rollout, judgements: Sequence[Judgement], now: datetime, seen_until: datetime | None
) -> Rollout:
    return replace(
        document,
        judgements=tuple(judgement.to_document() for judgement in judgements),
        judged_at=now.isoformat(),
        seen_until=None if seen_until is None else seen_until.isoformat(),
    )


def _target(document: Rollout, stage: int, state: State) -> tuple[int, dict[int, float], Shadow | None]:
    """Return where the alias points in a stage, or at the end: version, weights and shadow."""
    if state == "promoted":
        return document.candidate, {}, None
    if state != "running":
        return document.main, {}, None
    current = document.plan.stages[stage - 1]
    weights = {document.candidate: current.weight} if current.weight else {}
    if current.kind == "bake" or not document.shadow_share:
        return document.main, weights, None
    return document.main, weights, Shadow(document.candidate, document.shadow_share, document.shadow_budget_ms)


def _at_revision(document: Rollout, revision: int, weights: Mapping[int, float]) -> Rollout:
    """Return the document after the alias has moved: log lines name the revision, guards want its weight."""
    weight = weights.get(document.candidate, 0.0)
    return replace(document, alias_revision=revision, weights={**document.weights, revision: weight})


def _position(alias: Alias) -> tuple[int, dict[int, float], Shadow | None]:
    return alias.version, dict(alias.routing_config.additional_version_weights), alias.shadow


def _evidence(document: Rollout) -> dict[str, Any]:
    """Return what the alias says of its move: enough to complete the document, and for the alias's history."""
    return {
        "rollout": document.id,
        "stage": document.stage,
        "state": document.state,
        "what": document.events[-1].what,
        "why": document.why,
        "guards": [
            {name: judgement[name] for name in ("guard", "verdict", "n", "estimate")}
            for judgement in document.judgements
        ],
    }


def _say(judgements: Sequence[Judgement]) -> str:
    return " ".join(judgement.sentence for judgement in judgements)
