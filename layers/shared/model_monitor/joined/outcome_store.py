"""Keeps imports of outcomes in the bucket, each under the digest of its content.

An import is one object, written once and never changed, so whoever is cut off imports again, and nothing counts twice.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

from model_monitor.joined.outcome_file import MOST_OUTCOMES_BYTES, OutcomeFile, digest_of
from model_registry import names
from model_registry.errors import PreconditionFailedError, RegistryError
from model_registry.stores.base import ObjectStore


class InvalidOutcomesError(RegistryError):
    """An import of outcomes in the bucket is damaged."""

    def __init__(self, key: str, fault: str) -> None:
        super().__init__(
            f"The outcomes {key!r} can't be used: {fault}. Delete the object and import their file again: peerloan "
            "outcomes import."
        )
        self.key = key


class OutcomeStore:
    """The outcomes of one model."""

    def __init__(self, store: ObjectStore, model: str) -> None:
        self._store = store
        self._model = names.check_model_name(model)

    def list_digests(self) -> list[str]:
        """Return the digests of all imports, in order. Other objects below their prefix are left out."""
        digests = map(names.parse_outcomes_key, self._store.list_keys(names.outcomes_prefix(self._model)))
        return [digest for digest in digests if digest is not None]

    def keep(self, outcomes: OutcomeFile) -> tuple[str, bool]:
        """Write an import; return its digest, and whether it is new.

        Raises
        ------
        ValueError
            If it has more than ``MOST_OUTCOMES_BYTES``.
        """
        content = outcomes.to_bytes()
        if len(content) > MOST_OUTCOMES_BYTES:
            raise ValueError(f"the outcomes have {len(content):,} bytes, more than {MOST_OUTCOMES_BYTES:,}")
        digest = digest_of(content)
        try:
            # Without the time of packing, the same outcomes are the same object, too.
            self._store.put(self._key(digest), gzip.compress(content, mtime=0), if_absent=True)
        except PreconditionFailedError:
            return digest, False
        return digest, True

    def get(self, digest: str) -> OutcomeFile:
        """Return an import.

        Raises
        ------
        ObjectNotFoundError
            If there is none of this digest.
        InvalidOutcomesError
            If it is damaged.
        """
        key = self._key(digest)
        packed = self._store.get(key, limit_bytes=MOST_OUTCOMES_BYTES).body
        try:
            content = _unpack(packed)
            if digest_of(content) != digest:
                raise ValueError("its content isn't what its name says")
            return OutcomeFile.from_bytes(content)
        except (ValueError, zlib.error) as error:
            raise InvalidOutcomesError(key, str(error)) from error

    def get_all(self) -> Iterator[tuple[str, OutcomeFile]]:
        """Yield all imports by digest, one at a time."""
        for digest in self.list_digests():
            yield digest, self.get(digest)

    def delete(self, digest: str) -> None:
        """Remove an import."""
        self._store.delete(self._key(digest))

    def _key(self, digest: str) -> str:
        return names.outcomes_key(self._model, digest)


def _unpack(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    content = unpacker.decompress(packed, MOST_OUTCOMES_BYTES + 1)
    if len(content) > MOST_OUTCOMES_BYTES:
        raise ValueError(f"it has more than {MOST_OUTCOMES_BYTES:,} bytes")
    if not unpacker.eof:
        raise ValueError("it breaks off")
    return content
