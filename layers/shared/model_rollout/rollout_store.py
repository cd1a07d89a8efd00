"""Keeps rollouts' documents in the bucket: one under way for each alias, and a copy of each that has ended.

Every change is a compare-and-swap on the entity tag. A rollout that has ended is copied before another one may take its
place; a copy that a killed controller left out is made then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from model_registry import names
from model_registry.documents import MAX_DOCUMENT_BYTES
from model_registry.errors import ObjectNotFoundError, PreconditionFailedError, RegistryError
from model_registry.stores.base import ObjectStore
from model_rollout.document import InvalidRolloutError, Rollout


class RolloutNotFoundError(RegistryError):
    """The alias never had a rollout."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"Alias {alias!r} has no rollout. Start one: peerloan rollout start {alias} --to VERSION.")
        self.alias = alias


class RolloutUnderWayError(RegistryError):
    """An alias has one rollout at a time; ``rollout`` is the one under way."""

    def __init__(self, rollout: Rollout) -> None:
        super().__init__(
            f"A rollout of version {rollout.candidate} on alias {rollout.alias!r} is under way ({rollout.state}): "
            f"{rollout.owner} started it at {rollout.began_at[:19]}. Wait for its end (peerloan rollout watch "
            f"{rollout.alias}), or end it: peerloan rollout abort {rollout.alias}."
        )
        self.rollout = rollout


@dataclass(frozen=True)
class RolloutSnapshot:
    """A rollout as it was read, and its entity tag, on which a later write is conditional."""

    rollout: Rollout
    etag: str


class RolloutStore:
    """The rollouts of one model. ``new_id`` returns a new unique string, which identifies a write."""

    def __init__(self, store: ObjectStore, model: str, *, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id
        self.model = names.check_model_name(model)

    def find(self, alias: str) -> RolloutSnapshot | None:
        """Return the rollout that is under way on an alias or was the last, None if it never had one."""
        key = names.rollout_key(self.model, alias)
        try:
            stored = self._store.get(key, limit_bytes=MAX_DOCUMENT_BYTES)
        except ObjectNotFoundError:
            return None
        return RolloutSnapshot(self._read(key, alias, stored.body), stored.etag)

    def get(self, alias: str) -> RolloutSnapshot:
        """Return the rollout that is under way on an alias or was the last; raise ``RolloutNotFoundError``."""
        snapshot = self.find(alias)
        if snapshot is None:
            raise RolloutNotFoundError(alias)
        return snapshot

    def begin(self, rollout: Rollout) -> RolloutSnapshot:
        """Write a new rollout; raise ``RolloutUnderWayError`` if the alias has one."""
        last = self.find(rollout.alias)
        if last and not last.rollout.is_over:
            raise RolloutUnderWayError(last.rollout)
        if last:
            self.keep(last.rollout)
        try:
            return self._put(rollout, last.etag if last else None)
        except PreconditionFailedError:
            raise RolloutUnderWayError(self.get(rollout.alias).rollout) from None

    def write(self, rollout: Rollout, etag: str) -> RolloutSnapshot:
        """Replace a document that still has this entity tag; ``PreconditionFailedError`` if it has another one."""
        snapshot = self._put(rollout, etag)
        if rollout.is_over:
            self.keep(snapshot.rollout)
        return snapshot

    def keep(self, rollout: Rollout) -> None:
        """Copy a rollout that has ended, unless that was done before."""
        key = names.past_rollout_key(self.model, rollout.alias, rollout.id)
        try:
            self._store.put(key, rollout.to_json(), if_absent=True)
        except PreconditionFailedError:
            return

    def history(self, alias: str) -> list[Rollout]:
        """Return all rollouts of an alias, the oldest first; the last one may be under way."""
        keys = self._store.list_keys(names.past_rollouts_prefix(self.model, alias))
        past = [self._read(key, alias, self._store.get(key, limit_bytes=MAX_DOCUMENT_BYTES).body) for key in keys]
        last = self.find(alias)
        if last and last.rollout.id not in {rollout.id for rollout in past}:
            past.append(last.rollout)
        return sorted(past, key=lambda rollout: rollout.began_at)

    def list_aliases(self) -> list[str]:
        """Return the names of the aliases that have had a rollout."""
        prefix = names.rollouts_prefix(self.model)
        keys = (key.removeprefix(prefix) for key in self._store.list_keys(prefix))
        return [key.removesuffix(".json") for key in keys if "/" not in key]

    def _put(self, rollout: Rollout, etag: str | None) -> RolloutSnapshot:
        # No two writes have the same bytes, so a writer can tell its own document from another's.
        unique = replace(rollout, update_id=self._new_id())
        key = names.rollout_key(self.model, rollout.alias)
        return RolloutSnapshot(unique, self._store.put(key, unique.to_json(), if_absent=etag is None, if_match=etag))

    def _read(self, key: str, alias: str, body: bytes) -> Rollout:
        try:
            rollout = Rollout.from_json(body)
            if (rollout.model, rollout.alias) != (self.model, alias):
                raise InvalidRolloutError(f"It is of alias {rollout.alias!r} of model {rollout.model!r}.")
        except InvalidRolloutError as error:
            raise InvalidRolloutError(
                f"{key!r} can't be used: {error} If it is damaged, restore an earlier version of this object, or "
                "delete it; the alias stays where it is."
            ) from error
        return rollout
