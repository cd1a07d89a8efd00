"""Scores a CSV file in steps, in constant memory. An interrupted run resumes.

Both outputs are written under other names and renamed at the end. No byte of the output depends on where a step ends.
So a resumed run by a fixed version writes the same bytes as an uninterrupted one; the API may have changed its version
meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

from peerloan.files import sync_file, sync_folder, writing
from peerloan.scoring.csv_header import Header, read_header
from peerloan.scoring.csv_rows import Step, read_step
from peerloan.scoring.journal import JOURNAL_FORMAT, Journal, find_journal, write_journal
from peerloan.scoring.results import (
    REJECTS_HEADER,
    Outcome,
    Targets,
    WarningCounts,
    put_in_place,
    rejections_as_csv,
)
from peerloan.scoring.scorers import Scorer
from peerloan.scoring.source_file import SourceFile, opened

STEP_BYTES = 1 << 20
# After an interruption at most this much input is scored again (about a second).
CHECKPOINT_BYTES = 16 << 20


def score_csv(
    source: Path,
    targets: Targets,
    scorer: Scorer,
    *,
    on_progress: Callable[[int], None] = lambda _: None,
    step_bytes: int = STEP_BYTES,
    checkpoint_bytes: int = CHECKPOINT_BYTES,
) -> Outcome:
    """Score a file, or resume an interrupted run.

    Parameters
    ----------
    source : Path
        CSV in UTF-8 with a header.
    targets : Targets
        The outputs.
    scorer : Scorer
        A version or the API.
    on_progress : callable
        Gets the number of the file's bytes that are done.
    step_bytes, checkpoint_bytes : int
        How many bytes are read at once, and between two writes of the journal.

    Raises
    ------
    UsageError
        If the header can't be used.
    FileWriteError
        If an output can't be written; the same command resumes later.
    NonFiniteOutputError
        If the model returns a value that isn't a probability.
    """
    with ExitStack() as stack:
        # ``SourceFile`` turns a failed read into another error, so an OSError here is about writing.
        stack.enter_context(writing(targets.scored))
        file = stack.enter_context(opened(source))
        header = read_header(file, targets.columns)
        identity = f"{scorer.identity}, with warnings" if targets.has_warnings else scorer.identity
        start = _find_point(targets, file, identity) or _first_point(identity, file, header)
        end = start
        if not start.is_complete:
            scored = stack.enter_context(_open_at(targets.part(targets.scored), start.written))
            rejects = stack.enter_context(_open_at(targets.part(targets.rejects), start.rejects_written))
            run = _Run(file, header, scored, rejects, scorer, targets, WarningCounts(start.warned, start.warnings))
            end = run.score(start, on_progress, step_bytes, checkpoint_bytes)
        put_in_place(targets, rejected=end.rejected)
    return Outcome(end.rows, end.rejected, start.source_read if start.written else 0, end.warned, end.warnings)


class _Run:
    """The open files of a run."""

    def __init__(
        self,
        file: SourceFile,
        header: Header,
        scored: BinaryIO,
        rejects: BinaryIO,
        scorer: Scorer,
        targets: Targets,
        counts: WarningCounts,
    ) -> None:
        self._file, self._header, self._scored, self._rejects = file, header, scored, rejects
        self._scorer = scorer
        self._targets = targets
        self._counts = counts

    def score(
        self, progress: Journal, on_progress: Callable[[int], None], step_bytes: int, checkpoint_bytes: int
    ) -> Journal:
        """Score the rest of the file, and return the last journal."""
        if not progress.written:
            # An older journal doesn't describe the files that are written now.
            self._targets.journal.unlink(missing_ok=True)
            sync_folder(self._targets.journal.parent)
            self._scored.write((",".join([self._header.text, *self._targets.columns]) + self._header.ending).encode())
            self._rejects.write(REJECTS_HEADER)
        recorded = progress.source_read
        while step := read_step(self._file, self._header, progress.lines + 1, step_bytes):
            self._write(step)
            progress = replace(
                progress,
                source_read=self._file.position,
                lines=progress.lines + step.n_lines,
                rows=progress.rows + len(step.rows),
                rejected=progress.rejected + step.rejected,
                warned=self._counts.warned,
                warnings=dict(self._counts.by_warning),
            )
            if progress.source_read - recorded >= checkpoint_bytes:
                self._record(progress)
                recorded = progress.source_read
            on_progress(progress.source_read)
        return self._record(replace(progress, is_complete=True))

    def _write(self, step: Step) -> None:
        rows = iter(step.rows if self._header.ending != "\r" else [row.replace("\n", "\r") for row in step.rows])
        ending = self._header.ending
        for scores in self._scorer.score(step.columns) if step.rows else ():
            self._counts.add(scores)
            endings = (f",{text}{ending}" for text in scores.warning_texts()) if self._targets.has_warnings else None
            tails = (f",0,{scores.version}", f",1,{scores.version}")
            text = [
                f"{row},{probability!r}{tails[is_late]}{end}"
                for probability, is_late, end, row in zip(
                    scores.probabilities, scores.is_late, endings or repeat(ending), rows, strict=False
                )
            ]
            self._scored.write("".join(text).encode("utf-8"))
        if step.rejections:
            self._rejects.write(rejections_as_csv(step.rejections))

    def _record(self, progress: Journal) -> Journal:
        for output in (self._scored, self._rejects):
            sync_file(output)
        progress = replace(
            progress,
            source_sha256=self._file.sha256(),
            written=self._scored.tell(),
            rejects_written=self._rejects.tell(),
        )
        write_journal(self._targets.journal, progress)
        return progress


def _first_point(identity: str, file: SourceFile, header: Header) -> Journal:
    """Return where a new run begins: below the header, with nothing written."""
    file.rewind()
    file.skip_to(header.size_bytes)
    return Journal(
        format=JOURNAL_FORMAT,
        model=identity,
        source_size=file.size,
        source_read=file.position,
        source_sha256=file.sha256(),
    )


def _find_point(targets: Targets, file: SourceFile, identity: str) -> Journal | None:
    """Return where an earlier run stopped, or None unless this run would have written the same bytes up to there."""
    journal = find_journal(targets.journal)
    if journal is None or journal.model != identity or journal.source_size != file.size:
        return None
    if not (_has(targets, targets.scored, journal.written, journal) and _has_rejects(targets, journal)):
        return None
    file.rewind()
    return journal if file.skip_to(journal.source_read) == journal.source_sha256 else None


def _has_rejects(targets: Targets, journal: Journal) -> bool:
    # A complete run without rejected rows may have removed its rejects file already.
    has_no_file = journal.is_complete and not journal.rejected
    return has_no_file or _has(targets, targets.rejects, journal.rejects_written, journal)


def _has(targets: Targets, path: Path, size: int, journal: Journal) -> bool:
    """Return whether an output has the journal's length, under its temporary name or, once renamed, its final one."""
    try:
        return targets.part(path).stat().st_size >= size
    except FileNotFoundError:
        return journal.is_complete and path.exists() and path.stat().st_size == size


def _open_at(path: Path, size: int) -> BinaryIO:
    file = path.open("r+b" if path.exists() else "w+b")
    file.truncate(size)
    file.seek(size)
    return file
