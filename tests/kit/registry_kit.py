"""Makes registry writers for tests, with a counting clock, an inspector that accepts all, and a store that fails."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model_artifact.opening.signature import Signer, Trust
from model_registry.candidate import Candidate, Inspection, Inspector
from model_registry.errors import InvalidManifestError
from model_registry.manifest import FieldSchema, Manifest, Threshold
from model_registry.stores.base import MAX_OBJECT_BYTES, ObjectStore, StoredObject
from model_registry.writer import RegistryWriter

SCHEMA = (
    FieldSchema("dti", "number", "percentage points", False, 0.0, 1000.0, 0.0, 40.0, None, "debt to income"),
    FieldSchema("grade", "category", None, False, None, None, None, None, ("A", "B"), "the lender's grade"),
)


class CutOffError(BaseException):
    """Stands for the death of the process. Not an Exception, so that no ``except Exception`` handles it."""


class CutOffStore:
    """A store that calls ``die`` at its n-th write: before the write takes effect, or after that (``effective``)."""

    def __init__(self, store: ObjectStore, die_at: int, *, die: Callable[[], None], effective: bool) -> None:
        self._store = store
        self._left = die_at
        self._die = die
        self._effective = effective

    def get(self, key: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject:
        return self._store.get(key, limit_bytes=limit_bytes)

    def get_if_changed(self, key: str, etag: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject | None:
        return self._store.get_if_changed(key, etag, limit_bytes=limit_bytes)

    def list_keys(self, prefix: str) -> list[str]:
        return self._store.list_keys(prefix)

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        if self._left == 1 and not self._effective:
            self._die()
        etag = self._store.put(key, body, if_absent=if_absent, if_match=if_match)
        self._count()
        return etag

    def delete(self, key: str) -> None:
        if self._left == 1 and not self._effective:
            self._die()
        self._store.delete(key)
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._die()


# Signs what tests publish, in every process with the same key; functions under test trust it.
PUBLISHER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
TRUST = Trust.parse(PUBLISHER.public_key)


def signed(document: dict[str, Any]) -> bytes:
    """Return an edited manifest as its publisher would have signed it; one that can't be read stays unsigned."""
    body = json.dumps(document).encode()
    try:
        return PUBLISHER.sign(Manifest.from_json(body)).to_json()
    except InvalidManifestError:
        return body


def believe(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
    """Accept any pickle without looking at it, for tests of the registry's own rules."""
    environment = {"python": "3.13.0", "scikit-learn": "1.9.1"}
    return Inspection(environment, (0, 1), (0.25,) * len(probe_records), serving_form=b"form of " + pickle)


def make_writer(store: ObjectStore, who: str = "tester", inspect: Inspector = believe) -> RegistryWriter:
    """Return a writer whose clock advances by a second at each call."""
    seconds = itertools.count()
    numbers = itertools.count(1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return RegistryWriter(
        store,
        clock=lambda: start + timedelta(seconds=next(seconds)),
        who=who,
        new_id=lambda: f"{who}-{next(numbers)}",
        inspect=inspect,
        sign=PUBLISHER.sign,
    )


def make_candidate(pickle: bytes = b"pickle 1", threshold: float = 0.05) -> Candidate:
    """Return a candidate whose pickle is just bytes."""
    return Candidate(
        pickle=pickle,
        input_schema=SCHEMA,
        threshold=Threshold(threshold, "for a test"),
        metrics={"roc_auc": 0.7},
        data={"name": "test"},
        probe_records=({"dti": 1.0, "grade": "A"},),
        git_commit=None,
        description="a test model",
    )


def publish_two(store: ObjectStore) -> None:
    writer = make_writer(store)
    writer.publish(make_candidate(b"pickle 1"))
    writer.publish(make_candidate(b"pickle 2"))
