"""Scores a CSV file in steps, in constant memory. An interrupted run resumes.

Both outputs are written under other names and renamed at the end. No byte of the output depends on where a step ends.
So a resumed run by a fixed version writes the same bytes as an uninterrupted one; the API may have changed its version
meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from batch_scoring.csv_header import Header, read_header
from batch_scoring.csv_run import CsvRun
from batch_scoring.scores import Scorer
from batch_scoring.source_file import SourceFile, opened
from peerloan.files import sync_file, sync_folder, writing
from peerloan.scoring.journal import JOURNAL_FORMAT, Journal, find_journal, write_journal
from peerloan.scoring.targets import Outcome, Targets, check_unchanged, locked, put_in_place

# After an interruption at most this much input is scored again (about a second).
CHECKPOINT_BYTES = 16 << 20


def score_csv(
    source: Path,
    targets: Targets,
    scorer: Scorer,
    *,
    on_progress: Callable[[int], None] = lambda _: None,
    step_bytes: int | None = None,
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
        How many bytes are read at once (by default as the scorer has it), and between two writes of the journal.

    Raises
    ------
    UnusableFileError
        If the header can't be used.
    CommandError
        If another run writes the outputs, or the file is changed meanwhile.
    FileWriteError
        If an output can't be written; the same command resumes later.
    NonFiniteOutputError
        If the model returns a value that isn't a probability.
    """
    with ExitStack() as stack:
        # ``SourceFile`` turns a failed read into another error, so an OSError here is about writing.
        stack.enter_context(writing(targets.scored))
        stack.enter_context(locked(targets))
        file = stack.enter_context(opened(source))
        before = source.stat()
        header = read_header(file, targets.columns)
        identity = f"{scorer.identity}, with warnings" if targets.has_warnings else scorer.identity
        start = _find_point(targets, file, identity) or _first_point(identity, file, header)
        end = start
        if not start.is_complete:
            scored = stack.enter_context(_open_at(targets.part(targets.scored), start.written))
            rejects = stack.enter_context(_open_at(targets.part(targets.rejects), start.rejects_written))
            run = CsvRun(file, header, scorer, scored, rejects, targets.has_warnings)
            record = partial(_record, file, scored, rejects, targets.journal)
            end = _score_rest(run, targets.journal, start, record, on_progress, step_bytes, checkpoint_bytes)
            check_unchanged(source, before)
            record(replace(end, is_complete=True))
        put_in_place(targets, rejected=end.rejected)
    return Outcome(end.rows, end.rejected, start.source_read if start.written else 0, end.warned, end.warnings)


def _score_rest(
    run: CsvRun,
    journal: Path,
    progress: Journal,
    record: Callable[[Journal], Journal],
    on_progress: Callable[[int], None],
    step_bytes: int | None,
    checkpoint_bytes: int,
) -> Journal:
    """Score the rest of the file, and return how far it came."""
    if not progress.written:
        # An older journal doesn't describe the files that are written now.
        journal.unlink(missing_ok=True)
        sync_folder(journal.parent)
        run.write_headers()
    end, recorded = progress, progress.source_read
    for end in run.steps(progress, step_bytes):
        if end.source_read - recorded >= checkpoint_bytes:
            record(end)
            recorded = end.source_read
        on_progress(end.source_read)
    return end


def _record(file: SourceFile, scored: BinaryIO, rejects: BinaryIO, journal: Path, progress: Journal) -> Journal:
    for output in (scored, rejects):
        sync_file(output)
    progress = replace(progress, source_sha256=file.sha256(), written=scored.tell(), rejects_written=rejects.tell())
    write_journal(journal, progress)
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
