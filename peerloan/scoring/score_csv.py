"""Scoring a CSV file: step by step, in memory that does not grow with it, and so that it can be cut off anywhere.

Both outputs are written under other names and renamed when all is done. Running again after a cut gives the bytes that
one run would have given: steps may end elsewhere, but no byte of the output depends on where a step ends.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from peerloan.scoring.csv_rows import Header, Step, read_header, read_step
from peerloan.scoring.journal import JOURNAL_FORMAT, Journal, find_journal, write_journal
from peerloan.scoring.results import (
    REJECTS_HEADER,
    RESULT_COLUMNS,
    Outcome,
    Targets,
    put_in_place,
    rejections_as_csv,
    sync_folder,
)
from peerloan.scoring.versions import TableModel

STEP_BYTES = 1 << 20
# A cut costs at most the work on so many bytes of input again: about a second's.
CHECKPOINT_BYTES = 16 << 20
_HASH_BYTES = 1 << 20


def score_csv(
    source: Path,
    targets: Targets,
    model: TableModel,
    *,
    on_progress: Callable[[int], None] = lambda _: None,
    step_bytes: int = STEP_BYTES,
    checkpoint_bytes: int = CHECKPOINT_BYTES,
) -> Outcome:
    """Score a file, or go on with it.

    Parameters
    ----------
    source : Path
        CSV in UTF-8 with a header.
    targets : Targets
        Where to.
    model : TableModel
        What scores.
    on_progress : callable
        Told how many bytes of the file are done.
    step_bytes, checkpoint_bytes : int
        How much is read at once, and between two entries in the journal.

    Raises
    ------
    UsageError
        If the header does not do.
    NonFiniteOutputError
        If the model gives something that is no probability.
    """
    with ExitStack() as stack:
        file = stack.enter_context(source.open("rb"))
        header = read_header(file)
        at = _find_point(targets, file, model)
        resumed_at = at.source_read if at else 0
        if at is None or not at.is_complete:
            scored = stack.enter_context(_open_at(targets.part(targets.scored), at.written if at else 0))
            rejects = stack.enter_context(_open_at(targets.part(targets.rejects), at.rejects_written if at else 0))
            run = _Run(file, header, scored, rejects, model, targets.journal)
            at = run.score(at, on_progress, step_bytes, checkpoint_bytes)
    put_in_place(targets, rejected=at.rejected)
    return Outcome(at.rows, at.rejected, resumed_at)


class _Run:
    """The open files of a run, and the sha256 of what it has read."""

    def __init__(
        self, file: BinaryIO, header: Header, scored: BinaryIO, rejects: BinaryIO, model: TableModel, journal: Path
    ) -> None:
        self._file, self._header, self._scored, self._rejects = file, header, scored, rejects
        self._model = model
        self._journal = journal
        self._size = os.fstat(file.fileno()).st_size
        self._sha256 = hashlib.sha256()
        version = f",{model.version}{header.ending}"
        self._tails = (f",0{version}", f",1{version}")

    def score(
        self, at: Journal | None, on_progress: Callable[[int], None], step_bytes: int, checkpoint_bytes: int
    ) -> Journal:
        """Score what is left, and return the journal of the end."""
        if at is None:
            # What an older journal says of these files ends here.
            self._journal.unlink(missing_ok=True)
            sync_folder(self._journal.parent)
            self._scored.write((",".join([self._header.text, *RESULT_COLUMNS]) + self._header.ending).encode())
            self._rejects.write(REJECTS_HEADER)
        read, lines = (at.source_read, at.lines) if at else (self._header.size_bytes, 1)
        rows, rejected = (at.rows, at.rejected) if at else (0, 0)
        self._hash_up_to(read)
        noted = read
        while step := read_step(self._file, self._header, lines + 1, step_bytes):
            self._write(step)
            self._sha256.update(step.raw)
            read, lines = read + len(step.raw), lines + step.n_lines
            rows, rejected = rows + len(step.rows), rejected + step.rejected
            if read - noted >= checkpoint_bytes:
                self._note(read, lines, rows, rejected)
                noted = read
            on_progress(read)
        return self._note(read, lines, rows, rejected, is_complete=True)

    def _hash_up_to(self, end: int) -> None:
        self._file.seek(0)
        for piece in _pieces(self._file, end):
            self._sha256.update(piece)

    def _write(self, step: Step) -> None:
        if step.rows:
            probabilities = self._model.late_probabilities(step.columns).tolist()
            tails, threshold = self._tails, self._model.threshold
            text = "".join(
                [f"{row},{p!r}{tails[p >= threshold]}" for row, p in zip(step.rows, probabilities, strict=True)]
            )
            self._scored.write(text.encode("utf-8"))
        if step.rejections:
            self._rejects.write(rejections_as_csv(step.rejections))

    def _note(self, read: int, lines: int, rows: int, rejected: int, *, is_complete: bool = False) -> Journal:
        for output in (self._scored, self._rejects):
            output.flush()
            os.fsync(output.fileno())
        journal = Journal(
            format=JOURNAL_FORMAT,
            model=self._model.identity,
            source_size=self._size,
            source_read=read,
            source_sha256=self._sha256.hexdigest(),
            lines=lines,
            written=self._scored.tell(),
            rejects_written=self._rejects.tell(),
            rows=rows,
            rejected=rejected,
            is_complete=is_complete,
        )
        write_journal(self._journal, journal)
        return journal


def _find_point(targets: Targets, file: BinaryIO, model: TableModel) -> Journal | None:
    """Return where an earlier run came to, if this one would have done the same up to there."""
    journal = find_journal(targets.journal)
    if journal is None or journal.model != model.identity or journal.source_size != os.fstat(file.fileno()).st_size:
        return None
    if not (_has(targets, targets.scored, journal.written, journal) and _has_rejects(targets, journal)):
        return None
    sha256 = hashlib.sha256()
    file.seek(0)
    for piece in _pieces(file, journal.source_read):
        sha256.update(piece)
    return journal if sha256.hexdigest() == journal.source_sha256 else None


def _has_rejects(targets: Targets, journal: Journal) -> bool:
    # Without a rejected row there is nothing to rename at the end.
    is_nothing = journal.is_complete and not journal.rejected
    return is_nothing or _has(targets, targets.rejects, journal.rejects_written, journal)


def _has(targets: Targets, path: Path, size: int, journal: Journal) -> bool:
    """Say whether an output has what the journal says: under its first name, or under its own if that was under way."""
    try:
        return targets.part(path).stat().st_size >= size
    except FileNotFoundError:
        return journal.is_complete and path.exists() and path.stat().st_size == size


def _open_at(path: Path, size: int) -> BinaryIO:
    file = path.open("r+b" if path.exists() else "w+b")
    file.truncate(size)
    file.seek(size)
    return file


def _pieces(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Yield the bytes from where the file is, up to ``end`` of them."""
    while end > 0 and (piece := file.read(min(end, _HASH_BYTES))):
        end -= len(piece)
        yield piece
