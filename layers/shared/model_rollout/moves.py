"""Moves of an alias in a rollout: where it points in each stage, and how a document follows an alias that was moved.

The alias is written first and the document after it. So the alias's ``evidence`` says which stage it was moved for, and
a controller that finds an alias ahead of the document knows that this step is done and only writes the document.

Each move, and each hold by a person, is a new revision of the alias. So of a hold and a step that were decided at the
same time one wins, and the other is decided anew: no step that was decided before a hold is made after it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from model_registry.alias import Alias, RoutingConfig, Shadow
from model_rollout.document import TOLD_OF_A_GUARD, HeldFor, Rollout, State

CONTROLLER = "controller"


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
class Move:
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
        return self._result(f"stage {number}", why, stage=number, state="running", stage_began_at=self.now.isoformat())

    def to_end(self, state: State, why: str) -> StepResult:
        """End the rollout: all requests to the candidate if it is promoted, else to the main version."""
        return self._result(state, why, state=state, stage_began_at=self.now.isoformat())

    def to_hold(self, why: str) -> StepResult:
        """Keep the traffic as it is until a person goes on."""
        return self._result("held", why, state="held", held_for="person")

    def _result(self, what: str, why: str, *, held_for: HeldFor | None = None, **changes: Any) -> StepResult:
        reason = self.reason or (why if self.by == CONTROLLER else "no reason given")
        changed = self.document.with_event(
            what, at=self.now, by=self.by, reason=reason, why=why, held_for=held_for, **changes
        )
        version, weights, shadow = _target(changed)
        update = AliasUpdate(
            version=version,
            routing_config=RoutingConfig(weights),
            shadow=shadow,
            rollout=changed.id,
            evidence=_evidence(changed),
            expected_revision=self.alias.revision,
            reason=f"rollout of version {changed.candidate}: {what}: {reason}",
        )
        return StepResult(_at_revision(changed, self.alias.revision + 1, weights), update)


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
    why, state = str(evidence["why"]), evidence["state"]
    completed = document.with_event(
        str(evidence["what"]),
        at=now,
        by=str(evidence["by"]),
        reason=why,
        stage=int(evidence["stage"]),
        state=state,
        why=why,
        held_for="person" if state == "held" else None,
        stage_began_at=document.stage_began_at if state == "held" else alias.updated_at,
    )
    return _at_revision(completed, alias.revision, alias.routing_config.additional_version_weights)


def _target(document: Rollout) -> tuple[int, dict[int, float], Shadow | None]:
    """Return where the alias points: version, weights and shadow."""
    if document.state == "promoted":
        return document.candidate, {}, None
    stage = document.current_stage
    if document.is_over or stage is None:
        return document.main, {}, None
    weights = {document.candidate: stage.weight} if stage.weight else {}
    if stage.kind == "bake" or not document.shadow_share:
        return document.main, weights, None
    return document.main, weights, Shadow(document.candidate, document.shadow_share, document.shadow_budget_ms)


def _at_revision(document: Rollout, revision: int, weights: Mapping[int, float]) -> Rollout:
    """Return the document after the alias has moved: log lines name the revision, guards want its weight."""
    weight = weights.get(document.candidate, 0.0)
    return replace(document, alias_revision=revision, weights={**document.weights, revision: weight})


def _evidence(document: Rollout) -> dict[str, Any]:
    """Return what the alias says of its move: enough to complete the document, and for the alias's history."""
    return {
        "rollout": document.id,
        "stage": document.stage,
        "state": document.state,
        "what": document.events[-1].what,
        "by": document.events[-1].by,
        "why": document.why,
        "guards": [{name: judgement[name] for name in TOLD_OF_A_GUARD} for judgement in document.judgements],
    }
