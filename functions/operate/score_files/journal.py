"""The progress of scoring a file, kept in the bucket so that the next call resumes.

Invariant: the parts that the journal lists are in the bucket before it is written, and they end with the row that ends
at ``source_read``. Rows that don't fill a part yet are in the journal itself.

It is changed by compare-and-swap. A run that takes a file over writes the journal first; whoever had the file then
fails at its next write, and stops. It may have one part under way: so the next run leaves that part's number out.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from batch_scoring.csv_run import Progress
from model_registry import documents
from model_registry.errors import ObjectNotFoundError, PreconditionFailedError
from model_registry.stores.base import ObjectStore
from score_files.errors import JournalChangedError

JOURNAL_FORMAT = 1
# Two tails, each somewhat larger than a part, in JSON.
_LIMIT_BYTES = 64 << 20


@dataclass(frozen=True)
class Part:
    """A part of a multipart upload."""

    number: int
    etag: str


@dataclass(frozen=True)
class Upload:
    """A multipart upload: its id (None before it has begun), its parts, the next one's number, and the text behind."""

    id: str | None = None
    parts: tuple[Part, ...] = ()
    next_number: int = 1
    tail: str = ""

    def taken_over(self) -> Upload:
        """Return the upload for another run, whose parts get other numbers than one that is still under way."""
        return replace(self, next_number=self.next_number + 1)


@dataclass(frozen=True, kw_only=True)
class Journal(Progress):
    """How far a file is scored.

    Attributes
    ----------
    format : int
        The journal's format number.
    etag, sequencer : str
        The object that is scored: another one under the same name is scored anew.
    version : int
        The model's version, which stays the same until the file is done.
    model : str
        The scorer's identity: the version's form, sha256 and threshold.
    model_sha256 : str
        The sha256 of the file that the version is served from.
    request_id : str
        The event that is at work. Lambda's retries have the same.
    run : int
        Which of the event's calls this is, from 1 on.
    resumed : int
        How often the file was taken up again.
    seconds : float
        How long all calls worked, up to this record.
    scored, rejects : Upload
        What is written.
    state : str
        ``scoring``; ``written``, when only the uploads' ends and the summary are left; ``done``.
    """

    format: int
    etag: str
    sequencer: str
    version: int
    model: str
    model_sha256: str
    request_id: str
    run: int = 1
    resumed: int = 0
    seconds: float = 0.0
    scored: Upload = field(default_factory=Upload)
    rejects: Upload = field(default_factory=Upload)
    state: Literal["scoring", "written", "done"] = "scoring"


class JournalObject:
    """The journal of one file, as this run knows it."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self._etag: str | None = None

    def read(self) -> Journal | None:
        """Return the journal; None if there is none that this code can read."""
        try:
            stored = self._store.get(self._key, limit_bytes=_LIMIT_BYTES)
        except ObjectNotFoundError:
            return None
        self._etag = stored.etag
        try:
            return documents.read_formatted(Journal, stored.body, JOURNAL_FORMAT, limit_bytes=_LIMIT_BYTES)
        except ValueError:
            return None

    def write(self, journal: Journal) -> None:
        """Replace the journal; raise ``JournalChangedError`` if another run has written it since."""
        body = json.dumps(asdict(journal)).encode()
        try:
            self._etag = self._store.put(self._key, body, if_absent=self._etag is None, if_match=self._etag)
        except PreconditionFailedError:
            raise JournalChangedError("Another run has taken this file over.") from None
