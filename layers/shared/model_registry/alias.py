"""The alias document in the bucket: where an alias points, in Lambda's own terms and by Lambda's rules.

An alias has at most two versions: ``routing_config.additional_version_weights`` gives a share of the requests to one
further version, and ``version`` gets the rest. ``rollout`` names the split that requests are hashed with, so that a key
keeps its version while the weight rises. ``shadow`` names a version that is scored beside the one that answers, and
whose scores are logged only. ``evidence`` is why the alias was moved, as JSON. ``update_id`` is unique to one update,
so that a writer can tell its own document from another's.

An alias without shadow and evidence is written as format 1, which earlier releases read too; any other as format 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from model_registry import documents
from model_registry.documents import Positive
from model_registry.errors import InvalidAliasError, RegistryError

# The newest format. Format 2 has the members ``shadow`` and ``evidence``.
ALIAS_FORMAT = 2


@dataclass(frozen=True)
class RoutingConfig:
    """The share of requests, 0.0 to 1.0, that a further version gets; empty for none."""

    additional_version_weights: Mapping[int, float] = field(default_factory=dict)

    def check(self, version: int) -> None:
        """Raise ``InvalidAliasError`` unless an alias whose main version is ``version`` may have these weights."""
        if len(self.additional_version_weights) > 1:
            raise InvalidAliasError("An alias routes to at most one additional version.")
        for additional, weight in self.additional_version_weights.items():
            _check_other_version("additional version", additional, version)
            _check_share("weight", weight)


@dataclass(frozen=True)
class Shadow:
    """A version that is scored after the answer is made up, for a ``share`` of the requests, 0.0 to 1.0.

    Its scores are logged beside the answer's and change nothing. With ``budget_ms`` a version that is served from its
    pickle is scored too, within that many milliseconds a request; without it, versions served from arrays only.

    During a canary the shadow may be the additional version: then it is scored for the requests that the main version
    answers.
    """

    version: Positive
    share: float = 1.0
    budget_ms: float | None = None

    def check(self, version: int) -> None:
        """Raise ``InvalidAliasError`` unless an alias whose main version is ``version`` may have this shadow."""
        _check_other_version("shadow", self.version, version)
        _check_share("shadow's share", self.share)
        if self.budget_ms is not None and not (_is_number(self.budget_ms) and self.budget_ms > 0):
            raise InvalidAliasError(f"The shadow's budget {self.budget_ms!r} isn't a number of milliseconds above 0.")


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
    shadow: Shadow | None = None
    evidence: Mapping[str, Any] | None = None

    @property
    def format(self) -> int:
        """The document's format: the oldest one that has all its members."""
        return 1 if self.shadow is None and self.evidence is None else ALIAS_FORMAT

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that may answer requests: the main one first."""
        return (self.version, *self.routing_config.additional_version_weights)

    @property
    def versions_in_use(self) -> tuple[int, ...]:
        """The versions that may answer requests, and the shadow's."""
        shadow = () if self.shadow is None else (self.shadow.version,)
        return tuple(dict.fromkeys((*self.versions, *shadow)))

    def to_document(self) -> dict[str, Any]:
        """Return the document as plain values."""
        document = {"format": self.format, **asdict(self)}
        weights = document["routing_config"]["additional_version_weights"]
        document["routing_config"]["additional_version_weights"] = {str(key): value for key, value in weights.items()}
        for name in ("shadow", "evidence"):
            if document[name] is None:
                del document[name]
        return document

    def to_json(self) -> bytes:
        """Return the document as it is stored."""
        return documents.dump_object(self.to_document())

    @classmethod
    def from_json(cls, body: bytes) -> Alias:
        """Read a stored document.

        Raises ``InvalidAliasError`` if it isn't a JSON object, a field is missing or wrong, a weight or the shadow
        breaks the rules, or its format is newer than this code.
        """
        try:
            alias = documents.read_formatted(cls, body, ALIAS_FORMAT)
        except (ValueError, OverflowError, RecursionError) as error:
            raise InvalidAliasError(f"This alias document can't be used: {error}.") from error
        alias.routing_config.check(alias.version)
        if alias.shadow is not None:
            alias.shadow.check(alias.version)
        return alias

    def as_stored(self) -> Alias:
        """Return the alias as readers will see it: one that they would refuse raises ``InvalidAliasError``."""
        try:
            return self.from_json(self.to_json())
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidAliasError(f"This alias can't be written as JSON: {error}.") from error


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


def _check_other_version(role: str, version: Any, main: int) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidAliasError(f"{version!r} isn't a version number.")
    if version == main:
        raise InvalidAliasError(f"The {role} is the alias's own version, {main}.")


def _check_share(name: str, share: Any) -> None:
    if not _is_number(share):
        raise InvalidAliasError(f"The {name} {share!r} isn't a number.")
    if not 0 <= share <= 1:
        raise InvalidAliasError(f"The {name} {share} isn't between 0.0 and 1.0.")


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
