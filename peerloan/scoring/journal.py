"""Keeps the progress of scoring a file on disk beside its output, so that an interrupted run can resume.

Invariant: the outputs are on the disk up to the lengths in the journal before the journal is written. To resume, cut
both outputs to these lengths, and read the input from ``source_read`` on. A run resumes only if the input's size, the
sha256 of its part that was read, and the scorer are the same; otherwise it begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from model_registry import documents
from peerloan.files import write_whole

# 2: `NA` and its like are missing values. 3: warnings are counted.
JOURNAL_FORMAT = 3


@dataclass(frozen=True)
class Journal:
    """A position in the input up to which all rows are scored and written.

    Attributes
    ----------
    format : int
        The journal's format number.
    model : str
        The scorer's identity: the version's name, number, form, sha256 and threshold, or the API's address; and
        whether warnings are written.
    source_size, source_read : int
        The input's size in bytes, and how many of them are done.
    source_sha256 : str
        The sha256 of the bytes that are done.
    lines : int
        The number of lines that are done.
    written, rejects_written : int
        The lengths of the two outputs in bytes.
    rows, rejected : int
        The numbers of scored and of rejected rows.
    warned : int
        The number of scored rows with a warning.
    warnings : mapping of str to int
        The number of scored rows with each warning, such as ``purpose:unseen_category``.
    is_complete : bool
        Whether only the renaming is left to do.
    """

    format: int
    model: str
    source_size: int
    source_read: int
    source_sha256: str
    lines: int = 1
    written: int = 0
    rejects_written: int = 0
    rows: int = 0
    rejected: int = 0
    warned: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)
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
