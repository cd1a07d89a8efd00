"""The document of a rollout in the bucket: what was planned, where it stands, why, and what happened so far.

An alias has one such document, ``<model>/rollouts/<alias>.json``. When the rollout has ended it is copied to
``<model>/rollouts/<alias>/<id>.json``, and the next rollout may replace it. ``update_id`` is unique to one write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from model_registry import documents
from model_registry.documents import Positive
from model_registry.errors import RegistryError
from model_rollout.plan import InvalidPlanError, Plan, Stage

ROLLOUT_FORMAT = 1
# Holds that come and go with the evidence could make a document grow without end.
_MAX_EVENTS = 200

# What the alias's history keeps of each judgement.
TOLD_OF_A_GUARD = ("guard", "verdict", "n", "estimate")

State = Literal["running", "held", "promoted", "rolled_back", "aborted", "superseded"]
# Who or what may end a hold: the evidence by itself, or a person only.
HeldFor = Literal["evidence", "person"]


class InvalidRolloutError(RegistryError):
    """A rollout's document that can't be read, or whose format is newer than this code."""


@dataclass(frozen=True)
class Event:
    """One thing that happened: ``stage`` is the number of the stage under way, 0 before the first."""

    at: str
    by: str
    what: str
    stage: int
    reason: str


@dataclass(frozen=True)
class Rollout:
    """A rollout of version ``candidate`` on an alias whose version in charge is ``main``.

    Attributes
    ----------
    id : str
        Unique; the alias's ``rollout``, by which keys are split and log lines are found.
    shadow_share, shadow_budget_ms : float
        The share of the requests that the candidate scores without answering, and the time that a version served from
        its pickle gets for it.
    guards : mapping
        The settings that judge it, as they were when it began.
    expect : mapping, optional
        The announced window: how far the candidate is meant to differ.
    state, why : str
        ``running``, ``held``, or how it ended; and the reason, for people.
    held_for : str, optional
        Whether the evidence can end the hold, or a person only.
    stage : int
        The number of the stage under way, from 1; 0 before the first.
    alias_revision : int
        The alias's revision that this rollout wrote last, or began on. Another one is somebody else's.
    judgements : tuple of mappings
        The guards' last verdicts; ``judged_at`` is when, ``seen_until`` the time of the newest log line among them.
    waived : tuple of str
        Guards that hold, which a person has overruled.
    weights : mapping of int to float
        The candidate's weight at each of the alias's revisions that this rollout wrote.
    """

    id: str
    model: str
    alias: str
    main: Positive
    candidate: Positive
    owner: str
    reason: str
    plan: Plan
    shadow_share: float
    shadow_budget_ms: float | None
    guards: Mapping[str, Any]
    expect: Mapping[str, Any] | None
    began_at: str
    state: State
    why: str
    held_for: HeldFor | None
    stage: int
    stage_began_at: str
    alias_revision: Positive
    judgements: tuple[Mapping[str, Any], ...]
    judged_at: str | None
    seen_until: str | None
    waived: tuple[str, ...]
    weights: Mapping[int, float]
    events: tuple[Event, ...]
    update_id: str
    format: Positive = ROLLOUT_FORMAT

    def __post_init__(self) -> None:
        if not 0 <= self.stage <= len(self.plan.stages):
            raise ValueError(f"'stage' is {self.stage}, the plan has stages 1 to {len(self.plan.stages)}")
        for name in ("began_at", "stage_began_at"):
            if datetime.fromisoformat(getattr(self, name)).tzinfo is None:
                raise ValueError(f"{name!r} has no time zone")
        for judgement in self.judgements:
            if missing := set(TOLD_OF_A_GUARD) - set(judgement):
                raise ValueError(f"a member of 'judgements' has no {min(missing)!r}")

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state not in ("running", "held")

    @property
    def current_stage(self) -> Stage | None:
        """The stage under way, None before the first."""
        return self.plan.stages[self.stage - 1] if self.stage else None

    @property
    def candidate_share(self) -> float:
        """The share of the requests that the candidate answers."""
        if self.is_over:
            return float(self.state == "promoted")
        return self.current_stage.weight if self.current_stage else 0.0

    @property
    def stage_began(self) -> datetime:
        """When the stage under way began, or began again."""
        return datetime.fromisoformat(self.stage_began_at)

    @property
    def last_event_at(self) -> datetime:
        """When something happened last: the end, if it has ended."""
        return datetime.fromisoformat(self.events[-1].at if self.events else self.began_at)

    def with_event(self, what: str, *, at: datetime, by: str, reason: str, **changes: Any) -> Rollout:
        """Return the document with changed members, and with the event that changed them."""
        changed = replace(self, **changes)
        event = Event(at.isoformat(), by, what, changed.stage, reason)
        return replace(changed, events=(*self.events, event)[-_MAX_EVENTS:])

    def to_document(self) -> dict[str, Any]:
        """Return the document as plain values."""
        document = asdict(self)
        return {"format": document.pop("format"), **document}

    def to_json(self) -> bytes:
        """Return the document as it is stored."""
        return documents.dump_object(self.to_document())

    @classmethod
    def from_json(cls, body: bytes) -> Rollout:
        """Read a stored document.

        Raises ``InvalidRolloutError`` if it isn't a JSON object, a member is missing or wrong, or its format is newer
        than this code.
        """
        try:
            return documents.read_formatted(cls, body, ROLLOUT_FORMAT)
        except (ValueError, OverflowError, RecursionError, InvalidPlanError) as error:
            raise InvalidRolloutError(f"It isn't a rollout's document that this code reads: {error}.") from error
