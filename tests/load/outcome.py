"""What a run of the benchmark found, as ratios, as lines and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from elasticity import Burst
from fresh_start import FreshStart
from rounds import Figures, Table

# What checking a token may add to an answer.
TOKEN_LIMIT_MS = 0.2
Measure = Callable[[Figures], float]


@dataclass(frozen=True)
class Outcome:
    """Everything that was measured.

    Parameters
    ----------
    machine : mapping
        Facts about the machine and the versions, as text.
    table : mapping
        Figures by server and clients.
    bursts : mapping
        Calls of one second each, at once: ``snapstart``, ``plain``, ``sam``, and of
        invocations ``invoke``, ``invoke-snapstart``, ``ministack``.
    first_answers_ms : list of float
        Of fork-started environments.
    memory_mb : mapping
        What one environment, worker or container takes.
    left_out : list of str
        What was not measured, and why.
    fresh : mapping
        How soon there is a fresh emulator: ``emulator``, ``ministack``.
    callers_ms : mapping
        The p50 of an empty function's answers by how callers are checked: ``open``, ``token``, ``signature``.
    """

    machine: dict[str, str]
    table: Table
    bursts: dict[str, Burst] = field(default_factory=dict)
    first_answers_ms: list[float] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    callers_ms: dict[str, float] = field(default_factory=dict)
    fresh: dict[str, FreshStart] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return everything, ratios included."""
        return {
            "machine": self.machine,
            "figures": [
                {"server": name, "clients": clients, **asdict(figures)}
                for (name, clients), figures in self.table.items()
            ],
            "bursts": {name: asdict(burst) for name, burst in self.bursts.items()},
            "first_answers_ms": self.first_answers_ms,
            "memory_mb": self.memory_mb,
            "ratios": dict(ratios(self)),
            "callers_ms": self.callers_ms,
            "fresh": {name: asdict(figures) for name, figures in self.fresh.items()},
            "left_out": self.left_out,
        }


def ratios(outcome: Outcome) -> Iterator[tuple[str, float]]:
    """Yield each ratio by its name; more is better for the emulator."""
    pairs = (
        ("vs-sam", "emulator", "sam"),
        ("vs-fastapi", "emulator", "fastapi"),
        ("empty-vs-sam", "emulator-empty", "sam-empty"),
        ("empty-vs-echo", "emulator-empty", "echo"),
        ("vs-ministack", "emulator-invoke", "ministack"),
    )
    for name, ours, theirs in pairs:
        for clients in (1, 8, 32):
            if (ours, clients) in outcome.table and (theirs, clients) in outcome.table:
                our, their = outcome.table[ours, clients], outcome.table[theirs, clients]
                yield f"{name}-rps-{clients}", our.per_second / their.per_second
                yield f"{name}-p50-{clients}", their.p50_ms / our.p50_ms
                yield f"{name}-p99-{clients}", their.p99_ms / our.p99_ms
    for name in ("token", "signature"):
        if name in outcome.callers_ms:
            yield f"{name}-vs-open-p50", outcome.callers_ms["open"] / outcome.callers_ms[name]
    if "token" in outcome.callers_ms:
        added_ms = outcome.callers_ms["token"] - outcome.callers_ms["open"]
        # Below a hundredth of the limit the machine's noise is all that is measured.
        yield "token-within-its-limit", TOKEN_LIMIT_MS / max(added_ms, TOKEN_LIMIT_MS / 100)
    bursts = outcome.bursts
    if "snapstart" in bursts and "sam" in bursts:
        yield (
            f"vs-sam-{bursts['sam'].calls}-one-second-calls",
            bursts["sam"].all_answered_s / bursts["snapstart"].all_answered_s,
        )
    yield from _ministack_ratios(outcome)
    if "snapstart" in bursts and "plain" in bursts:
        with_snapshot, without = bursts["snapstart"].all_began_s, bursts["plain"].all_began_s
        if with_snapshot is not None and without is not None:
            yield f"snapstart-vs-plain-to-{bursts['plain'].calls}-environments", without / with_snapshot


def _ministack_ratios(outcome: Outcome) -> Iterator[tuple[str, float]]:
    bursts, fresh = outcome.bursts, outcome.fresh
    for name, kind in (("invoke", ""), ("invoke-snapstart", "snapstart-")):
        if name in bursts and "ministack" in bursts:
            ours, theirs = bursts[name].all_began_s, bursts["ministack"].all_began_s
            if ours is not None and theirs is not None:
                yield f"{kind}vs-ministack-to-{bursts[name].calls}-environments", theirs / ours
    if "ministack" in fresh:
        yield "vs-ministack-start", fresh["ministack"].start_ms / fresh["emulator"].start_ms


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the ratios as lines for programs."""
    for name, ratio in ratios(outcome):
        yield f"bench: {name} ratio={ratio:.2f}"
