"""What is said of a file: ``batch/out/<name>.summary.json``, which is written last."""

from __future__ import annotations

import json
from typing import Any

from model_registry import documents
from model_registry.errors import ObjectNotFoundError, PreconditionFailedError
from model_registry.stores.base import ObjectStore
from score_files.arrivals import Arrival, is_newer
from score_files.errors import SupersededError
from score_files.journal import Journal

SCORED = "scored"
REFUSED = "refused"
UNFINISHED = "unfinished"


def summary_of(arrival: Arrival, journal: Journal | None, model: str, state: str, reason: str | None) -> dict[str, Any]:
    """Return a summary.

    Parameters
    ----------
    arrival : Arrival
        The file.
    journal : Journal or None
        How far it was scored; None if it wasn't begun.
    model : str
        The model's name.
    state : str
        ``SCORED``, ``REFUSED`` (the file or the version can't be used) or ``UNFINISHED`` (the time didn't suffice).
    reason : str or None
        Why it isn't scored.
    """
    is_scored = state == SCORED
    summary: dict[str, Any] = {
        "format": 1, "source": arrival.key, "source_etag": arrival.etag, "sequencer": arrival.sequencer,
        "state": state, "reason": reason,
        "scored": arrival.scored_key if is_scored else None,
        "rejects": arrival.rejects_key if is_scored and journal and journal.rejected else None,
    }  # fmt: skip
    if journal is None:
        return summary
    figures = {
        "rows": journal.rows, "rejected": journal.rejected, "warned": journal.warned,
        "warnings": dict(sorted(journal.warnings.items())),
        "model": model, "version": journal.version, "model_sha256": journal.model_sha256,
        "seconds": round(journal.seconds, 3), "resumed": journal.resumed,
    }  # fmt: skip
    return summary | figures


def write_summary(store: ObjectStore, arrival: Arrival, summary: dict[str, Any]) -> None:
    """Replace the summary, unless it is of an object that was written later: then raise ``SupersededError``."""
    body = json.dumps(summary, indent=2, ensure_ascii=False).encode() + b"\n"
    while True:
        etag = None
        try:
            stored = store.get(arrival.summary_key)
            etag = stored.etag
            if is_newer(str(documents.parse_object(stored.body).get("sequencer", "")), arrival.sequencer):
                raise SupersededError("A later object of this name has its summary already.")
        except (ObjectNotFoundError, ValueError):
            pass
        try:
            store.put(arrival.summary_key, body, if_absent=etag is None, if_match=etag)
        except PreconditionFailedError:
            continue
        return
