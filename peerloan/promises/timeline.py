"""The alias over the time of a recorded run: what it said, and when it can have said so.

An update takes effect at some instant between its request and its acknowledgement. So around each change two states
hold for a while, and a request is judged by all states that it can have seen.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model_registry.alias import Alias
from model_registry.routing import routing_point
from peerloan.load import Answer


@dataclass(frozen=True)
class AliasChange:
    """A revision of the alias.

    Attributes
    ----------
    revision : int
        Its number.
    requested, acknowledged : float
        When the update was sent and when it was acknowledged, in the clock of the answers (seconds, monotonic). Both
        are ``-inf`` for the state at the start; ``acknowledged`` is ``inf`` where the writer never heard.
    version : int
        The main version.
    additional : mapping of int to float
        The share of a further version; empty for none.
    split : str
        The name that routing keys are hashed with (the alias's ``rollout``).
    rollout : str
        The rollout that this change is part of, over all its stops and restarts. Its keys keep their version.
    """

    revision: int
    requested: float
    acknowledged: float
    version: int
    additional: Mapping[int, float]
    split: str
    rollout: str

    @classmethod
    def of(cls, alias: Alias, requested: float, acknowledged: float, rollout: str | None = None) -> AliasChange:
        """Return the change that wrote this revision; its rollout is the alias's own unless it is named."""
        weights = dict(alias.routing_config.additional_version_weights)
        name = alias.rollout if rollout is None else rollout
        return cls(alias.revision, requested, acknowledged, alias.version, weights, alias.rollout, name)

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that it names, the main one first."""
        return (self.version, *self.additional)

    def share_of(self, version: int) -> float:
        """Return the share of requests that it gives to a version."""
        if version == self.version:
            return 1 - sum(self.additional.values())
        return self.additional.get(version, 0.0)

    def version_of(self, key: str) -> int:
        """Return the version that a routing key belongs to."""
        for additional, weight in self.additional.items():
            if routing_point(self.split, key) < weight:
                return additional
        return self.version


@dataclass(frozen=True)
class Timeline:
    """All changes of a run in order of their revisions, the state at its start first, and the function's alias TTL."""

    changes: Sequence[AliasChange]
    ttl_s: float

    def states_of(self, answer: Answer) -> Sequence[AliasChange]:
        """Return the states that a request can have seen: those between its start less the TTL, and its end."""
        first = bisect_left(self.ends, answer.sent - self.ttl_s)
        last = bisect_right(self._starts, answer.answered)
        return self.changes[first:last]

    @cached_property
    def ends(self) -> Sequence[float]:
        """Until when each state can have held: until any later change was acknowledged."""
        ends: list[float] = []
        earliest = math.inf
        for change in reversed(self.changes):
            ends.append(earliest)
            earliest = min(earliest, change.acknowledged)
        return ends[::-1]

    @cached_property
    def new_versions(self) -> Mapping[str, int]:
        """The version that each rollout brings: the additional one of its first state with two versions."""
        brought: dict[str, int] = {}
        for change in self.changes:
            for additional in change.additional:
                brought.setdefault(change.rollout, additional)
        return brought

    @cached_property
    def _starts(self) -> Sequence[float]:
        return [change.requested for change in self.changes]
