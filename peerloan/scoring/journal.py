"""How far the scoring of a file has come, on disk beside its output, so that a run that was cut off can go on.

Invariant: what the journal counts as written is on the disk before the journal says so. To go on, cut both
outputs to the lengths that it names, and read the input from where it says. A run goes on only if the input's size, the
sha256 of what was read of it, and the scorer are the same; otherwise it begins anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from peerloan.files import write_whole

# 2: `NA` and its like are missing values.
JOURNAL_FORMAT = 2


@dataclass(frozen=True)
class Journal:
    """A point in a file up to which all is done.

    Attributes
    ----------
    format : int
        The journal's.
    model : str
        What identifies the scorer: the version's name, number, form, sha256 and threshold, or the API's address.
    source_size, source_read : int
        Bytes of the input, and how many of them are done.
    source_sha256 : str
        Of the bytes that are done.
    lines : int
        Lines that are done.
    written, rejects_written : int
        Lengths of the two outputs.
    rows, rejected : int
        Rows scored, and rows not.
    is_complete : bool
        Whether only the renaming is left to do.
    """

    format: int
    model: str
    source_size: int
    source_read: int
    source_sha256: str
    lines: int
    written: int
    rejects_written: int
    rows: int
    rejected: int
    is_complete: bool


def find_journal(path: Path) -> Journal | None:
    """Return the journal if there is one that can be read."""
    try:
        document = json.loads(path.read_bytes())
        journal = Journal(**document)
    except (OSError, ValueError, TypeError):
        return None
    kinds = {"str": str, "int": int, "bool": bool}
    is_sound = all(type(getattr(journal, field.name)) is kinds[str(field.type)] for field in fields(Journal))
    return journal if is_sound and journal.format == JOURNAL_FORMAT else None


def write_journal(path: Path, journal: Journal) -> None:
    """Replace the journal."""
    write_whole(path, json.dumps(asdict(journal)).encode())
