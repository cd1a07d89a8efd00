"""Removes one loan from the prediction log and from the imports of outcomes, by the hash of its id.

An object of the log is rewritten under its own key, also if no line is left: whoever counts objects sees none missing.
An import is written under its new digest before the old one is deleted. So whoever is cut off runs it again, and
nothing else is lost. Tallies hold counts alone, and stay.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from model_monitor.joined.outcome_store import InvalidOutcomesError, OutcomeStore
from model_registry.errors import ObjectNotFoundError, ObjectTooLargeError
from model_registry.stores.base import ObjectStore
from model_watch.log_objects import LOG_PREFIX, MOST_OBJECT_BYTES
from peerloan.logged.line_purge import purge_lines

# Objects that are read at once, and that are handed out at once. A read from afar waits most of its time.
_THREADS: Final = 16
_BATCH: Final = 512
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True)
class Purged:
    """What was removed in one run, and what couldn't be looked through.

    Attributes
    ----------
    objects, lines, records : int
        Objects of the log that were rewritten; their lines that named the loan; its records in these lines.
    imports, outcomes : int
        Imports that were written anew or deleted; the loan's outcomes in them.
    unreadable : tuple of str
        The keys of objects that can't be read.
    """

    objects: int = 0
    lines: int = 0
    records: int = 0
    imports: int = 0
    outcomes: int = 0
    unreadable: tuple[str, ...] = ()

    def __add__(self, other: Purged) -> Purged:
        return Purged(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**asdict(self), "unreadable": list(self.unreadable)}


def purge_loan(
    log_store: ObjectStore,
    outcomes: OutcomeStore,
    loan: str,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Purged:
    """Remove the loan of a hash.

    Parameters
    ----------
    log_store : ObjectStore
        The bucket of the prediction log. Every object of the log is read.
    outcomes : OutcomeStore
        The imports of outcomes.
    loan : str
        The hash of the loan's id.
    on_progress : callable
        Gets how many of how many objects of the log were looked through.

    Raises
    ------
    PreconditionFailedError
        If somebody else rewrote an object meanwhile.
    StoreUnavailableError
        If a bucket doesn't answer. What was removed before stays removed.
    """
    purged = _purge_outcomes(outcomes, loan)
    keys = log_store.list_keys(LOG_PREFIX)
    with ThreadPoolExecutor(_THREADS) as threads:
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            purged = sum(threads.map(lambda key: _purge_object(log_store, key, loan), batch), purged)
            on_progress(start + len(batch), len(keys))
    return purged


def _purge_outcomes(outcomes: OutcomeStore, loan: str) -> Purged:
    purged = Purged()
    for digest in outcomes.list_digests():
        try:
            outcome_file = outcomes.get(digest)
        except InvalidOutcomesError as error:
            purged = replace(purged, unreadable=(*purged.unreadable, error.key))
            continue
        rest = outcome_file.without(loan)
        if rest != outcome_file:
            if rest is not None:
                outcomes.keep(rest)
            outcomes.delete(digest)
            left = 0 if rest is None else rest.late + rest.on_time
            purged += Purged(imports=1, outcomes=outcome_file.late + outcome_file.on_time - left)
    return purged


def _purge_object(log_store: ObjectStore, key: str, loan: str) -> Purged:
    try:
        stored = log_store.get(key, limit_bytes=MOST_OBJECT_BYTES)
        text = gzip.decompress(stored.body) if stored.body.startswith(_GZIP) else stored.body
    except ObjectNotFoundError:
        return Purged()  # The bucket's lifecycle has removed it.
    except (ObjectTooLargeError, EOFError, OSError, zlib.error):
        return Purged(unreadable=(key,))
    if loan.encode("ascii") not in text:
        return Purged()
    rest = purge_lines(text, loan)
    body = gzip.compress(rest.text, mtime=0) if stored.body.startswith(_GZIP) else rest.text
    log_store.put(key, body, if_match=stored.etag)
    return Purged(objects=1, lines=rest.lines, records=rest.records)
