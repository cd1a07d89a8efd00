"""Drives rollouts: reads document, alias and evidence, decides by ``step``, and writes the alias, then the document.

It keeps nothing that a rollout needs, so it may be killed anywhere and any number may run at once. Each write is
conditional on what was read; whoever loses reads again. The requests don't depend on it: if no controller runs, the
alias stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from model_registry.alias import Alias, AliasConflictError
from model_registry.alias_writer import AliasWriter
from model_registry.errors import (
    AccessDeniedError,
    ArtifactMismatchError,
    InvalidManifestError,
    ObjectTooLargeError,
    PreconditionFailedError,
    RegistryError,
    VersionDamagedError,
    VersionNotFoundError,
)
from model_rollout.document import Rollout
from model_rollout.moves import AliasUpdate, StepResult, catch_up
from model_rollout.rollout_store import RolloutSnapshot, RolloutStore
from model_rollout.step import Judgement, held, step

_ATTEMPTS = 10
# A version that can't be put before more requests as it is; trying again doesn't help.
_UNUSABLE = (
    AccessDeniedError,
    ArtifactMismatchError,
    InvalidManifestError,
    ObjectTooLargeError,
    VersionDamagedError,
    VersionNotFoundError,
)


class RolloutBusyError(RegistryError):
    """Others changed the rollout again and again while this change was tried."""

    def __init__(self, alias: str) -> None:
        super().__init__(
            f"The rollout on alias {alias!r} was changed by others {_ATTEMPTS} times meanwhile. Try again."
        )
        self.alias = alias


class RolloutRefusedError(RegistryError):
    """A rollout that can't begin as things are."""


@dataclass(frozen=True)
class Evidence:
    """The verdicts of a stage's guards, and the time of the newest log line (None without one)."""

    judgements: Sequence[Judgement]
    seen_until: datetime | None


class EvidenceSource(Protocol):
    """Judges a rollout's stage from the log."""

    def judge(self, rollout: Rollout, now: datetime) -> Evidence:
        """Return the evidence up to now."""


# What a person or the controller decides, from the document and the alias, which are level with each other.
Request = Callable[[Rollout, Alias, datetime], StepResult]


class Controller:
    """Drives the rollouts of one model; ``clock`` returns now, with a time zone."""

    def __init__(
        self, rollouts: RolloutStore, aliases: AliasWriter, evidence: EvidenceSource, *, clock: Callable[[], datetime]
    ) -> None:
        self.rollouts = rollouts
        self._aliases = aliases
        self._evidence = evidence
        self._clock = clock

    def start(self, rollout: Rollout) -> Rollout:
        """Begin a rollout, and enter its first stage.

        Raises
        ------
        RolloutUnderWayError
            If the alias has one.
        RolloutRefusedError
            If the alias isn't at the rollout's main version alone.
        VersionNotFoundError, VersionDamagedError, ArtifactMismatchError
            If the candidate can't be rolled out.
        """
        last = self.rollouts.find(rollout.alias)
        # If somebody has moved the alias, that has ended the last rollout, which no controller may have noticed yet.
        if last is None or self.change(rollout.alias, _leave).is_over:
            self._require_ready(rollout)
        self.rollouts.begin(rollout)
        return self.change(rollout.alias, lambda document, alias, now: step(document, (), alias, now))

    def advance(self, alias: str) -> Rollout | None:
        """Take a rollout's next step, if it is due; return where it stands, None if the alias never had one."""
        last = self.rollouts.find(alias)
        if last is None:
            return None
        if last.rollout.is_over:
            # A controller may have been killed before it made the copy.
            self.rollouts.keep(last.rollout)
            return last.rollout
        return self.change(alias, self._next_step)

    def change(self, alias: str, request: Request) -> Rollout:
        """Decide and write a change; if somebody else was faster, decide anew on what they left.

        Raises
        ------
        RolloutNotFoundError
            If the alias never had a rollout.
        RolloutStateError
            If the request doesn't fit the state.
        """
        for _ in range(_ATTEMPTS):
            # The document before the alias: so the alias is never older than the document.
            snapshot = self.rollouts.get(alias)
            current = self._aliases.reader.get_alias(alias).alias
            now = self._clock()
            try:
                # Written before the next move: so the alias is never more than one move ahead of the document.
                snapshot = self._write_document(snapshot, catch_up(snapshot.rollout, current, now))
                return self._write(snapshot, request(snapshot.rollout, current, now))
            except (AliasConflictError, PreconditionFailedError):
                continue
        raise RolloutBusyError(alias)

    def _next_step(self, document: Rollout, alias: Alias, now: datetime) -> StepResult:
        if document.is_over or document.stage == 0:
            return step(document, (), alias, now)
        try:
            evidence = self._evidence.judge(document, now)
        except RegistryError as error:
            return StepResult(held(document, "evidence", f"The evidence can't be read: {error}", now))
        return step(document, evidence.judgements, alias, now, evidence.seen_until)

    def _write(self, snapshot: RolloutSnapshot, result: StepResult) -> Rollout:
        alias = result.document.alias
        if result.alias_update:
            try:
                self._assign(alias, result.alias_update)
            except _UNUSABLE as error:
                why = str(error)
                return self.change(alias, lambda document, _, now: StepResult(held(document, "person", why, now)))
        try:
            return self._write_document(snapshot, result.document).rollout
        except PreconditionFailedError:
            if not result.alias_update:
                raise
            # The change itself is done: decided anew, a promotion would be made twice.
            return self.change(alias, _leave)

    def _write_document(self, snapshot: RolloutSnapshot, document: Rollout) -> RolloutSnapshot:
        return snapshot if document == snapshot.rollout else self.rollouts.write(document, snapshot.etag)

    def _assign(self, alias: str, update: AliasUpdate) -> None:
        self._aliases.assign(
            alias,
            update.version,
            routing_config=update.routing_config,
            expected_revision=update.expected_revision,
            reason=update.reason,
            shadow=update.shadow,
            rollout=update.rollout,
            evidence=update.evidence,
        )

    def _require_ready(self, rollout: Rollout) -> None:
        reader = self._aliases.reader
        alias = reader.get_alias(rollout.alias).alias
        if alias.revision != rollout.alias_revision:
            raise RolloutRefusedError(
                f"{alias.updated_by} moved alias {alias.alias!r} to revision {alias.revision} "
                f"({alias.reason or 'no reason given'}), and this rollout was planned on revision "
                f"{rollout.alias_revision}. Start it again, to see the plan from there."
            )
        require_room(alias, rollout.candidate)
        manifest = reader.get_manifest(rollout.candidate)
        reader.get_artifact(manifest)


def require_room(alias: Alias, candidate: int) -> None:
    """Raise ``RolloutRefusedError`` unless an alias is at one version alone, which isn't the candidate."""
    if alias.versions_in_use != (alias.version,):
        versions = ", ".join(map(str, alias.versions_in_use))
        raise RolloutRefusedError(
            f"Alias {alias.alias!r} uses versions {versions}; a rollout begins from one version alone. End the "
            f"canary or the shadow first: peerloan alias set {alias.alias} --version {alias.version}."
        )
    if candidate == alias.version:
        raise RolloutRefusedError(
            f"Version {candidate} is in charge of alias {alias.alias!r} already. Name another version: --to VERSION."
        )


def _leave(document: Rollout, alias: Alias, now: datetime) -> StepResult:  # noqa: ARG001
    """Change nothing but what the document lacks of the alias's last move."""
    return StepResult(document)


def new_rollout_id(alias: str, candidate: int, now: datetime, unique: str) -> str:
    """Return a name for a rollout that says what and when; ``unique`` tells two of one second apart."""
    return f"{alias[:100]}-to-{candidate}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{unique[:6]}"
