"""The alias document in the bucket: where an alias points, in Lambda's own terms and by Lambda's rules.

An alias has at most two versions: ``routing_config.additional_version_weights`` gives a share of the requests to one
further version, and ``version`` gets the rest. ``rollout`` names the split that requests are hashed with, so that a key
keeps its version while the weight rises. ``update_id`` is unique to one update, so that a writer can tell its own
document from another's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from model_registry import documents
from model_registry.documents import Positive
from model_registry.errors import InvalidAliasError, RegistryError

ALIAS_FORMAT = 1


@dataclass(frozen=True)
class RoutingConfig:
    """The share of requests, 0.0 to 1.0, that a further version gets; empty for none."""

    additional_version_weights: Mapping[int, float] = field(default_factory=dict)

    def check(self, version: int) -> None:
        """Raise ``InvalidAliasError`` unless an alias whose main version is ``version`` may have these weights."""
        if len(self.additional_version_weights) > 1:
            raise InvalidAliasError("An alias routes to at most one additional version.")
        for additional, weight in self.additional_version_weights.items():
            if isinstance(additional, bool) or not isinstance(additional, int) or additional < 1:
                raise InvalidAliasError(f"{additional!r} isn't a version number.")
            if additional == version:
                raise InvalidAliasError(f"The additional version is the alias's own version, {version}.")
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not math.isfinite(weight):
                raise InvalidAliasError(f"The weight {weight!r} isn't a number.")
            if not 0 <= weight <= 1:
                raise InvalidAliasError(f"The weight {weight} isn't between 0.0 and 1.0.")


@dataclass(frozen=True)
class Alias:
    """One revision of an alias."""

    alias: str
    revision: Positive
    version: Positive
    routing_config: RoutingConfig
    rollout: str
    updated_at: str
    updated_by: str
    reason: str
    update_id: str
    format: Positive = ALIAS_FORMAT

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that requests may get: the main one first."""
        return (self.version, *self.routing_config.additional_version_weights)

    def to_document(self) -> dict[str, Any]:
        """Return the document as plain values."""
        document = asdict(self)
        weights = document["routing_config"]["additional_version_weights"]
        document["routing_config"]["additional_version_weights"] = {str(key): value for key, value in weights.items()}
        return {"format": document.pop("format"), **document}

    def to_json(self) -> bytes:
        """Return the document as it is stored."""
        return documents.dump_object(self.to_document())

    @classmethod
    def from_json(cls, body: bytes) -> Alias:
        """Read a stored document.

        Raises ``InvalidAliasError`` if it isn't a JSON object, a field is missing or wrong, a weight isn't between 0
        and 1, or its format is newer than this code.
        """
        try:
            alias = documents.read_formatted(cls, body, ALIAS_FORMAT)
        except (ValueError, OverflowError, RecursionError) as error:
            raise InvalidAliasError(f"This alias document can't be used: {error}.") from error
        alias.routing_config.check(alias.version)
        return alias


class AliasConflictError(RegistryError):
    """Somebody else moved the alias first; ``winner`` is where it points now."""

    def __init__(self, alias: str, expected_revision: int, winner: Alias) -> None:
        super().__init__(
            f"Alias {alias!r} is at revision {winner.revision}, not {expected_revision}: {winner.updated_by} moved "
            f"it to version {winner.version} at {winner.updated_at} ({winner.reason or 'no reason given'}). "
            "Look at it again before you move it."
        )
        self.alias = alias
        self.expected_revision = expected_revision
        self.winner = winner


def next_rollout(current: Alias | None, alias: str, revision: int, versions: tuple[int, ...]) -> str:
    """Return the rollout's name for an update: kept while the same two versions share the traffic, else a new one.

    Keeping it is what lets a rising weight move keys in one direction only. The two must also keep their places: were
    the new version made the main one and the old one the additional, kept points would move keys back.
    """
    if current is not None and len(versions) > 1 and versions == current.versions:
        return current.rollout
    return f"{alias}-{revision}"
