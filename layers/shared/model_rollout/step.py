"""Decides what a rollout does next. Pure: a document, verdicts, the alias and the time in; what to write out.

What a person asks for (hold, resume, promote, abort) is decided here too, from the same facts. ``moves`` says how an
alias and a document are moved together. The document must be level with the alias (``moves.catch_up``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from model_registry.alias import Alias
from model_registry.errors import RegistryError
from model_rollout.document import HeldFor, Rollout
from model_rollout.guard_settings import SAMPLE_RATIO
from model_rollout.moves import CONTROLLER, Move, StepResult

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
    if document.is_over:
        return StepResult(document)
    document = _with_judgements(document, judgements, now, seen_until)
    move = Move(document, alias, now)
    if document.stage == 0 and document.held_for != "person":
        return move.to_stage(1, "it begins")
    failed = [judgement for judgement in judgements if judgement.verdict == "fail"]
    deciding = [judgement for judgement in failed if judgement.guard not in HOLDING_GUARDS]
    if deciding:
        return move.to_end("rolled_back", _say(deciding))
    if document.held_for == "person":
        return StepResult(document)
    doubtful = [judgement for judgement in failed if judgement.guard not in document.waived]
    if doubtful:
        return StepResult(held(document, "person", _say(doubtful), now))
    return _at_the_end(move, judgements, seen_until)


def held(document: Rollout, held_for: HeldFor, why: str, now: datetime) -> Rollout:
    """Return the document of a rollout that the controller holds. Missing evidence doesn't replace a person's hold."""
    if document.is_over or (document.held_for == "person" and held_for == "evidence"):
        return document
    if document.held_for == held_for and (held_for == "evidence" or document.why == why):
        # What is still so is no event, but its figures may be new.
        return replace(document, why=why)
    return document.with_event("held", at=now, by=CONTROLLER, reason=why, state="held", held_for=held_for, why=why)


def hold(document: Rollout, alias: Alias, now: datetime, *, by: str, reason: str) -> StepResult:
    """Keep the weights as they are until a person goes on; a guard that fails still rolls back."""
    _require_under_way(document)
    return Move(document, alias, now, by=by, reason=reason).to_hold(f"{by}: {reason or 'no reason given'}")


def resume(document: Rollout, alias: Alias, now: datetime, *, by: str, reason: str) -> StepResult:  # noqa: ARG001
    """Go on after a hold: the stage gets its whole time again. A guard that holds is overruled with a reason alone."""
    _require_under_way(document)
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
    document: Rollout, alias: Alias, now: datetime, *, by: str, reason: str, seen_stage: int, next_only: bool = False
) -> StepResult:
    """Go on without waiting for evidence: to the bake with all requests, or from the bake to the end.

    A guard that fails later still rolls back.

    Parameters
    ----------
    seen_stage : int
        The number of the stage that the person saw under way.
    next_only : bool
        Whether to go to the next stage alone.

    Raises
    ------
    RolloutStateError
        Without a reason, or if the rollout is at another stage by now: a promotion out of a canary must not end a bake.
    """
    _require_under_way(document)
    if not reason:
        raise RolloutStateError("Promoting before the evidence is in needs a reason: --reason TEXT.")
    if document.stage != seen_stage:
        raise RolloutStateError(
            f"The rollout has moved from stage {seen_stage} to stage {document.stage} meanwhile ({document.why}), so "
            f"nothing was promoted. Look at it again: peerloan rollout status {document.alias}."
        )
    last = document.plan.stages[-1]
    number = document.stage + 1
    if not next_only and document.stage < len(document.plan.stages):
        # Without a bake the candidate is in charge at once.
        number = len(document.plan.stages) + (last.kind != "bake")
    return Move(document, alias, now, by=by, reason=reason).to_stage(number, f"promoted by {by}: {reason}")


def abort(document: Rollout, alias: Alias, now: datetime, *, by: str, reason: str) -> StepResult:
    """End the rollout: all requests go back to the main version."""
    _require_under_way(document)
    why = f"aborted by {by}: {reason or 'no reason given'}"
    return Move(document, alias, now, by=by, reason=reason).to_end("aborted", why)


def _require_under_way(document: Rollout) -> None:
    if document.is_over:
        raise RolloutStateError(f"The rollout has ended: {document.state} ({document.why}). Start another one.")


def _at_the_end(move: Move, judgements: Sequence[Judgement], seen_until: datetime | None) -> StepResult:
    """Go on, wait or hold, where no guard has failed."""
    document, stage = move.document, move.document.current_stage
    assert stage is not None
    began, length = document.stage_began, timedelta(seconds=stage.seconds)
    is_complete = seen_until is not None and seen_until >= began + length
    # Log lines arrive late, so a stage whose end isn't in the log yet is given half its length more.
    if move.now < began + length or (not is_complete and move.now < began + length * 1.5):
        return StepResult(_let_go(document, move.now))
    missing = [judgement for judgement in judgements if judgement.verdict == "inconclusive"]
    why = ""
    if not is_complete:
        why = f"No data: {_newest(seen_until)}."
    elif not judgements:
        why = "No guard was asked."
    elif missing:
        why = f"Too little evidence to tell: {', '.join(judgement.guard for judgement in missing)}."
    if why:
        return StepResult(held(document, "evidence", why, move.now))
    passed = f"{len(judgements)} guards passed stage {document.stage}"
    return move.to_stage(document.stage + 1, passed)


def _newest(seen_until: datetime | None) -> str:
    return (
        "there are no log lines"
        if seen_until is None
        else f"the newest log line is of {seen_until:%X}, before the stage's end"
    )


def _let_go(document: Rollout, now: datetime) -> Rollout:
    """Return the document of a stage under way: a hold since its evidence couldn't be read ends."""
    if document.state == "running":
        return document
    why = "the evidence can be read again"
    return document.with_event("resumed", at=now, by=CONTROLLER, reason=why, state="running", held_for=None, why=why)


def _with_judgements(
    document: Rollout, judgements: Sequence[Judgement], now: datetime, seen_until: datetime | None
) -> Rollout:
    return replace(
        document,
        judgements=tuple(judgement.to_document() for judgement in judgements),
        judged_at=now.isoformat(),
        seen_until=None if seen_until is None else seen_until.isoformat(),
    )


def _say(judgements: Sequence[Judgement]) -> str:
    return " ".join(judgement.sentence for judgement in judgements)
