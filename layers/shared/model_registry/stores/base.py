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
    """A bucket. What a store raises besides the errors named here is ``StoreUnavailableError``."""

    def get(self, key: str) -> StoredObject:
        """Return an object; ``ObjectNotFoundError`` if there is none."""
        ...

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Return an object, or None if it still has this entity tag; ``ObjectNotFoundError`` if there is none."""
        ...

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """Write an object durably and return its entity tag.

        With ``if_absent`` only if there is none, with ``if_match`` only if it still has that entity tag; else
        ``PreconditionFailedError``, and nothing is written.
        """
        ...

    def list_keys(self, prefix: str) -> list[str]:
        """Return all keys that begin with ``prefix``, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        ...
