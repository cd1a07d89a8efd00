"""What a run of the benchmark found, as ratios, as lines and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from elasticity import Burst
from rounds import Figures, Table

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
        Calls of one second each, at once: ``snapstart``, ``plain``, ``sam``.
    first_answers_ms : list of float
        Of fork-started environments.
    memory_mb : mapping
        What one environment, worker or container takes.
    left_out : list of str
        What was not measured, and why.
    """

    machine: dict[str, str]
    table: Table
    bursts: dict[str, Burst] = field(default_factory=dict)
    first_answers_ms: list[float] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

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
            "left_out": self.left_out,
        }


def ratios(outcome: Outcome) -> Iterator[tuple[str, float]]:
    """Yield each ratio by its name; more is better for the emulator."""
    pairs = (
        ("vs-sam", "emulator", "sam"),
        ("vs-fastapi", "emulator", "fastapi"),
        ("empty-vs-sam", "emulator-empty", "sam-empty"),
        ("empty-vs-echo", "emulator-empty", "echo"),
    )
    for name, ours, theirs in pairs:
        for clients in (1, 8, 32):
            if (ours, clients) in outcome.table and (theirs, clients) in outcome.table:
                our, their = outcome.table[ours, clients], outcome.table[theirs, clients]
                yield f"{name}-rps-{clients}", our.per_second / their.per_second
                yield f"{name}-p50-{clients}", their.p50_ms / our.p50_ms
                yield f"{name}-p99-{clients}", their.p99_ms / our.p99_ms
    bursts = outcome.bursts
    if "snapstart" in bursts and "sam" in bursts:
        yield (
            f"vs-sam-{bursts['sam'].calls}-one-second-calls",
            bursts["sam"].all_answered_s / bursts["snapstart"].all_answered_s,
        )
    if "snapstart" in bursts and "plain" in bursts:
        with_snapshot, without = bursts["snapstart"].all_began_s, bursts["plain"].all_began_s
        if with_snapshot is not None and without is not None:
            yield f"snapstart-vs-plain-to-{bursts['plain'].calls}-environments", without / with_snapshot


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the ratios as lines for programs."""
    for name, ratio in ratios(outcome):
        yield f"bench: {name} ratio={ratio:.2f}"
