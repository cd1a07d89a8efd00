"""A bucket in memory, for tests and benchmarks."""

from __future__ import annotations

import hashlib
import threading

from model_registry.errors import ObjectNotFoundError, ObjectTooLargeError, PreconditionFailedError
from model_registry.stores.base import MAX_OBJECT_BYTES, StoredObject


class InMemoryStore:
    """An ``ObjectStore`` that forgets when the process ends. Safe to use from several threads."""

    def __init__(self) -> None:
        self._objects: dict[str, StoredObject] = {}
        self._lock = threading.Lock()

    def get(self, key: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject:
        """See ``ObjectStore``."""
        with self._lock:
            if key not in self._objects:
                raise ObjectNotFoundError(key)
            stored = self._objects[key]
        if len(stored.body) > limit_bytes:
            raise ObjectTooLargeError(key, len(stored.body), limit_bytes)
        return stored

    def get_if_changed(self, key: str, etag: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject | None:
        """See ``ObjectStore``."""
        stored = self.get(key, limit_bytes=limit_bytes)
        return None if stored.etag == etag else stored

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """See ``ObjectStore``."""
        stored = StoredObject(body=bytes(body), etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        with self._lock:
            current = self._objects.get(key)
            if (if_absent and current is not None) or (
                if_match is not None and (current is None or current.etag != if_match)
            ):
                raise PreconditionFailedError(key)
            self._objects[key] = stored
        return stored.etag

    def list_keys(self, prefix: str) -> list[str]:
        """See ``ObjectStore``."""
        with self._lock:
            return sorted(key for key in self._objects if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        with self._lock:
            self._objects.pop(key, None)
