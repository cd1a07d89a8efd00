"""Keeps the progress of scoring a file on disk beside its output, so that an interrupted run can resume.

Invariant: the outputs are on the disk up to the lengths in the journal before the journal is written. To resume, cut
both outputs to these lengths, and read the input from ``source_read`` on. A run resumes only if the input's size, the
sha256 of its part that was read, and the scorer are the same; otherwise it begins anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from batch_scoring.csv_run import Progress
from model_registry import documents
from peerloan.files import write_whole

# 2: `NA` and its like are missing values. 3: warnings are counted.
JOURNAL_FORMAT = 3


@dataclass(frozen=True, kw_only=True)
class Journal(Progress):
    """How far a run came, and what it wrote.

    Attributes
    ----------
    format : int
        The journal's format number.
    model : str
        The scorer's identity: the version's name, number, form, sha256 and threshold, or the API's address; and
        whether warnings are written.
    source_size : int
        The input's size in bytes.
    source_sha256 : str
        The sha256 of the bytes that are done.
    written, rejects_written : int
        The lengths of the two outputs in bytes.
    is_complete : bool
        Whether only the renaming is left to do.
    """

    format: int
    model: str
    source_size: int
    source_sha256: str
    written: int = 0
    rejects_written: int = 0
    is_complete: bool = False


def find_journal(path: Path) -> Journal | None:
    """Return the journal if there is one that can be read."""
    try:
        journal = documents.read(Journal, json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None
    return journal if journal.format == JOURNAL_FORMAT else None


def write_journal(path: Path, journal: Journal) -> None:
    """Replace the journal."""
    write_whole(path, json.dumps(asdict(journal)).encode())
