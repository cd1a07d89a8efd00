"""The part of S3 that the registry needs: strong reads, conditional writes, listing. Nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """An object's bytes, and the entity tag that names exactly these bytes under this key."""

    body: bytes = field(repr=False)
    etag: str


class ObjectStore(Protocol):
    """A bucket. For any failure but those named here a store raises ``StoreUnavailableError``."""

    def get(self, key: str) -> StoredObject:
        """Return an object; ``ObjectNotFoundError`` if it doesn't exist."""
        ...

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Return an object, or None if it still has this entity tag; ``ObjectNotFoundError`` if it doesn't exist."""
        ...

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """Write an object durably and return its entity tag.

        With ``if_absent`` it must not exist yet; with ``if_match`` it must still have that entity tag. Otherwise
        ``PreconditionFailedError`` is raised, and nothing is written.
        """
        ...

    def list_keys(self, prefix: str) -> list[str]:
        """Return all keys that begin with ``prefix``, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; no error if it doesn't exist."""
        ...
