"""Makes rollouts, verdicts and aliases for tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model_registry.alias import Alias, RoutingConfig
from model_rollout.document import Rollout
from model_rollout.moves import AliasUpdate
from model_rollout.plan import Plan, read_steps

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Shadow 60 s, 10 % for 30 s, 50 % for 30 s, bake 60 s.
PLAN = read_steps("10,50", every_s=30, shadow_s=60, bake_s=60)


@dataclass(frozen=True)
class Verdict:
    """A guard's verdict."""

    guard: str
    verdict: Any
    n: int = 100
    estimate: float | None = 0.0

    @property
    def sentence(self) -> str:
        return f"{self.guard}: {self.verdict}."

    def to_document(self) -> dict[str, Any]:
        return asdict(self)


def verdicts(**guards: str) -> tuple[Verdict, ...]:
    """Return verdicts: ``verdicts(flips="pass")``."""
    return tuple(Verdict(guard, verdict) for guard, verdict in guards.items())


PASSED = verdicts(failed_answers="pass", flips="pass")


def at(seconds: float) -> datetime:
    """Return a moment, in seconds after the rollout's start."""
    return START + timedelta(seconds=seconds)


def make_rollout(plan: Plan = PLAN, **changes: Any) -> Rollout:
    """Return a rollout of version 2 in place of version 1 that has just been started."""
    members: dict[str, Any] = {
        "id": "live-2-test",
        "model": "late-payer",
        "alias": "live",
        "main": 1,
        "candidate": 2,
        "owner": "alice",
        "reason": "",
        "plan": plan,
        "shadow_share": 1.0,
        "shadow_budget_ms": None,
        "guards": {},
        "expect": None,
        "began_at": START.isoformat(),
        "state": "running",
        "why": "started",
        "held_for": None,
        "stage": 0,
        "stage_began_at": START.isoformat(),
        "alias_revision": 1,
        "judgements": (),
        "judged_at": None,
        "seen_until": None,
        "waived": (),
        "weights": {},
        "events": (),
        "update_id": "first",
    }
    return Rollout(**{**members, **changes})


def make_alias(version: int = 1, revision: int = 1, **changes: Any) -> Alias:
    """Return an alias that points at one version."""
    members: dict[str, Any] = {
        "alias": "live",
        "revision": revision,
        "version": version,
        "routing_config": RoutingConfig(),
        "rollout": f"live-{revision}",
        "updated_at": START.isoformat(),
        "updated_by": "bob",
        "reason": "by hand",
        "update_id": f"update-{revision}",
    }
    return Alias(**{**members, **changes})


def moved(alias: Alias, update: AliasUpdate, now: datetime) -> Alias:
    """Return the alias after an update, as ``AliasWriter.assign`` would write it."""
    assert update.expected_revision == alias.revision
    return make_alias(
        update.version,
        alias.revision + 1,
        routing_config=update.routing_config,
        rollout=update.rollout,
        shadow=update.shadow,
        evidence=update.evidence,
        updated_by="controller",
        updated_at=now.isoformat(),
        reason=update.reason,
    ).as_stored()
