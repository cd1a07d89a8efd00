"""The document of a retraining in the bucket: what it makes, and which of its stages are done.

It is written when a retraining begins and after each stage, by compare-and-swap. Whoever is killed runs the command
again: what is in the document isn't done twice. ``update_id`` is unique to one write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from model_registry import documents, names
from model_registry.documents import MAX_DOCUMENT_BYTES, Positive
from model_registry.errors import ObjectNotFoundError, PreconditionFailedError, RegistryError
from model_registry.stores.base import ObjectStore

RETRAINING_FORMAT: Final = 1
Kind = Literal["recalibrate", "refit"]
# In the order in which they are done; the last one only where a rollout is asked for.
StageName = Literal["trained", "published", "compared", "rollout"]


class InvalidRetrainingError(RegistryError):
    """A retraining's document that can't be read, or whose format is newer than this code."""


class RetrainingBusyError(RegistryError):
    """Another process has gone on with the same retraining meanwhile."""

    def __init__(self, retraining: str) -> None:
        super().__init__(
            f"Another process goes on with retraining {retraining!r}. Wait until it ends, and run this again: what is "
            "done isn't done twice."
        )
        self.retraining = retraining


@dataclass(frozen=True)
class Request:
    """What a retraining is asked for.

    Attributes
    ----------
    kind : str
        ``recalibrate`` sets intercept and slope on outcomes; ``refit`` trains anew.
    recipe : mapping or None
        What to train, as a manifest's ``data.recipe`` has it; None to recalibrate.
    data, digests : tuple of str
        The paths of the loans to train on, and the SHA-256 of each file.
    require : str
        The rule for the candidate's ROC-AUC: ``no-worse-than`` or ``better-than`` the version in charge.
    """

    kind: Kind
    recipe: Mapping[str, Any] | None
    data: tuple[str, ...]
    digests: tuple[str, ...]
    require: str

    @property
    def digest(self) -> str:
        """Identify what is asked for; the same loans elsewhere are the same request."""
        asked = {**asdict(self), "data": None}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Stage:
    """A stage that is done: when and by whom, a sentence about it, and its facts."""

    name: StageName
    at: str
    by: str
    told: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Retraining:
    """A retraining of the version ``main``, which was in charge of an alias when it began.

    ``refused`` says which rule the candidate failed the last time; None if it passed, or wasn't judged yet.
    """

    id: str
    model: str
    alias: str
    main: Positive
    request: Request
    owner: str
    began_at: str
    stages: tuple[Stage, ...]
    refused: str | None
    update_id: str
    format: Positive = RETRAINING_FORMAT

    def find_stage(self, name: StageName) -> Stage | None:
        """Return a stage that is done, None before that."""
        return next((stage for stage in self.stages if stage.name == name), None)

    @property
    def version(self) -> int | None:
        """The version that was published, None before that."""
        published = self.find_stage("published")
        return None if published is None else int(published.facts["version"])

    def with_stage(self, stage: Stage) -> Retraining:
        """Return it with one more stage done."""
        return replace(self, stages=(*self.stages, stage), refused=None)

    def to_document(self) -> dict[str, Any]:
        """Return the document as plain values."""
        document = asdict(self)
        return {"format": document.pop("format"), **document}

    @classmethod
    def from_json(cls, body: bytes) -> Retraining:
        """Read a stored document; raise ``InvalidRetrainingError`` for what isn't one that this code reads."""
        try:
            retraining = documents.read_formatted(cls, body, RETRAINING_FORMAT)
            if retraining.find_stage("published") and not isinstance(retraining.version, int):
                raise ValueError("'version' isn't a whole number")
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise InvalidRetrainingError(f"It isn't a retraining's document that this code reads: {error}.") from error
        return retraining


@dataclass(frozen=True)
class RetrainingSnapshot:
    """A retraining as it was read, and its entity tag, on which a later write is conditional."""

    retraining: Retraining
    etag: str


class RetrainingStore:
    """The retrainings of one model. ``new_id`` returns a new unique string, which identifies a write."""

    def __init__(self, store: ObjectStore, model: str, *, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id
        self.model = names.check_model_name(model)

    def find(self, retraining: str) -> RetrainingSnapshot | None:
        """Return a retraining, None if there is none of this id."""
        key = names.retraining_key(self.model, retraining)
        try:
            stored = self._store.get(key, limit_bytes=MAX_DOCUMENT_BYTES)
        except ObjectNotFoundError:
            return None
        try:
            document = Retraining.from_json(stored.body)
            if (document.model, document.id) != (self.model, retraining):
                raise InvalidRetrainingError(f"It is of retraining {document.id!r} of model {document.model!r}.")
        except InvalidRetrainingError as error:
            raise InvalidRetrainingError(
                f"{key!r} can't be used: {error} Restore an earlier version of this object, or begin anew: --id NEW."
            ) from error
        return RetrainingSnapshot(document, stored.etag)

    def list_ids(self) -> list[str]:
        """Return the ids of all retrainings."""
        prefix = names.retrainings_prefix(self.model)
        return [key.removeprefix(prefix).removesuffix(".json") for key in self._store.list_keys(prefix)]

    def get_all(self) -> list[Retraining]:
        """Return all retrainings."""
        snapshots = map(self.find, self.list_ids())
        return [snapshot.retraining for snapshot in snapshots if snapshot]

    def begin(self, retraining: Retraining) -> RetrainingSnapshot:
        """Write a new retraining; raise ``RetrainingBusyError`` if somebody has begun it meanwhile."""
        return self._put(retraining, None)

    def write(self, retraining: Retraining, etag: str) -> RetrainingSnapshot:
        """Replace a document that still has this entity tag; raise ``RetrainingBusyError`` if it has another one."""
        return self._put(retraining, etag)

    def _put(self, retraining: Retraining, etag: str | None) -> RetrainingSnapshot:
        unique = replace(retraining, update_id=self._new_id())
        key = names.retraining_key(self.model, unique.id)
        body = documents.dump_object(unique.to_document())
        try:
            return RetrainingSnapshot(unique, self._store.put(key, body, if_absent=etag is None, if_match=etag))
        except PreconditionFailedError:
            raise RetrainingBusyError(unique.id) from None
