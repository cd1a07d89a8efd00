"""Scores a CSV file step by step: the one loop behind ``peerloan score`` and behind files that arrive in a bucket.

It writes to two outputs, and says after each step how far it came; whoever runs it keeps that in a journal of its own.
No byte of the outputs depends on where a step ends, so a run that goes on from there writes the bytes of one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from batch_scoring.csv_header import Header
from batch_scoring.csv_rows import Step, read_step
from batch_scoring.results import REJECTS_HEADER, WarningCounts, rejections_as_csv, result_columns, scored_lines
from batch_scoring.scores import Scorer
from batch_scoring.source_file import SourceFile


class Output(Protocol):
    """Takes bytes, in order."""

    def write(self, content: bytes, /) -> object:
        """Add bytes at the end."""
        ...


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A position in the input up to which all rows are scored and written.

    Attributes
    ----------
    source_read : int
        How many of the input's bytes are done.
    lines : int
        The number of lines that are done.
    rows, rejected : int
        The numbers of scored and of rejected rows.
    warned : int
        The number of scored rows with a warning.
    warnings : mapping of str to int
        The number of scored rows with each warning, such as ``purpose:unseen_category``.
    """

    source_read: int
    lines: int = 1
    rows: int = 0
    rejected: int = 0
    warned: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)


ProgressT = TypeVar("ProgressT", bound=Progress)


@dataclass(frozen=True)
class CsvRun:
    """An open file, whoever scores it, and the outputs for scored rows and for rejects."""

    file: SourceFile
    header: Header
    scorer: Scorer
    scored: Output
    rejects: Output
    has_warnings: bool = False

    def write_headers(self) -> None:
        """Write the first line of both outputs."""
        names = [self.header.text, *result_columns(has_warnings=self.has_warnings)]
        self.scored.write((",".join(names) + self.header.ending).encode())
        self.rejects.write(REJECTS_HEADER)

    def steps(self, progress: ProgressT, step_bytes: int | None = None) -> Iterator[ProgressT]:
        """Score the rest of the file, which is open at ``progress``, and yield the progress after each step.

        A step is ``step_bytes`` of the file, by default the scorer's. Raises ``NonFiniteOutputError`` if the model
        returns a value that isn't a probability.
        """
        counts = WarningCounts(progress.warned, progress.warnings)
        while step := read_step(self.file, self.header, progress.lines + 1, step_bytes or self.scorer.step_bytes):
            self._write(step, counts)
            progress = replace(
                progress,
                source_read=self.file.position,
                lines=progress.lines + step.n_lines,
                rows=progress.rows + len(step.rows),
                rejected=progress.rejected + step.rejected,
                warned=counts.warned,
                warnings=dict(counts.by_warning),
            )
            yield progress

    def _write(self, step: Step, counts: WarningCounts) -> None:
        ending = self.header.ending
        rows = iter(step.rows if ending != "\r" else [row.replace("\n", "\r") for row in step.rows])
        for scores in self.scorer.score(step.columns) if step.rows else ():
            counts.add(scores)
            text = scored_lines(rows, scores, ending, has_warnings=self.has_warnings)
            self.scored.write(text.encode("utf-8"))
        if step.rejections:
            self.rejects.write(rejections_as_csv(step.rejections))
