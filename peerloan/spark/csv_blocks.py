"""Scores CSV files on Spark's workers: each block of a file as ``peerloan score`` scores a file. No PySpark.

Spark divides a file into blocks of whole lines, and hands them over in batches of lines with their file and block. A
block is read like a file, from its first line to its last. A cell with a line break may cross batches; where it crosses
two blocks, the first one's task fails, since nobody can tell where the second one's first row begins.

What each line brings with it, the JVM writes and this process reads: so it is as little as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, pairwise
from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute

from batch_scoring.csv_header import Header
from batch_scoring.csv_rows import Step, read_step
from batch_scoring.errors import UnusableFileError
from batch_scoring.results import result_columns, scored_lines
from batch_scoring.row_rules import Rejection
from batch_scoring.scores import VersionScorer
from peerloan.spark.pinned_version import PinnedVersion
from peerloan.spark.reports import Report

# What workers get: lines without their line feed, and where they are from.
LINE, FILE, BLOCK_START, IS_LAST = "line", "file", "block_start", "is_last"
# So many characters of output are handed over at once.
_TEXT_LENGTH = 1 << 20


@dataclass(frozen=True)
class CsvJob:
    """What the workers of a job know: the version, and the header that all files must have, as bytes and as columns.

    ``first_file`` is where the header is from.
    """

    version: PinnedVersion
    first_file: str
    header_line: bytes
    header: Header
    has_warnings: bool

    @property
    def added(self) -> tuple[str, ...]:
        """The columns that scoring adds."""
        return result_columns(has_warnings=self.has_warnings)


@dataclass(frozen=True)
class Block:
    """A part of a file: its first byte, and whether the file goes on after it."""

    file: str
    start: int
    is_last: bool


class _BlockLines:
    """The lines of a block, as its batches come; a ``LineSource``."""

    def __init__(self, block: Block, parts: Iterator[bytes]) -> None:
        self._block = block
        self._parts = parts
        self._part = b""
        self._place = 0

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, or fewer, up to the end of a batch."""
        if self._place == len(self._part):
            self._part, self._place = next(self._parts, b""), 0
        return self._take(self._place + size)

    def read_line(self) -> bytes:
        """Return the rest of a line, or the next line: a row has begun that isn't complete."""
        if self._place == len(self._part):
            self._part, self._place = next(self._parts, b""), 0
        if not self._part and not self._block.is_last:
            raise UnusableFileError(
                f"{self._block.file} is divided inside a quoted cell, after the block that begins at byte "
                f"{self._block.start:,}. If a quotation mark is left open there, mend the row. If cells have line "
                "breaks, let Spark divide no file (--conf spark.sql.files.maxPartitionBytes=100g), or score Parquet."
            )
        # Each batch ends with a line.
        return self._take(self._part.find(b"\n", self._place) + 1)

    def _take(self, end: int) -> bytes:
        piece = self._part[self._place : end]
        self._place += len(piece)
        return piece


def score_blocks(job: CsvJob, report: Callable[[Report], object], batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches of ``text``: each text is many lines of the output. At the end, ``report`` what became of the rows.

    A task writes one file, so its first text begins with the header.
    """
    scorer = job.version.load()
    done = Report()
    text = ",".join([job.header.text, *job.added]) + job.header.ending
    for block, step in _steps(job, scorer.step_bytes, done, batches):
        rows = iter(step.rows)
        for scores in scorer.score(step.columns) if step.rows else ():
            text += scored_lines(rows, scores, job.header.ending, has_warnings=job.has_warnings)
        done.rows += len(step.rows)
        done.rejected += step.rejected
        done.reject(((block.file, block.start), fault) for fault in step.rejections)
        if done.rows and len(text) >= _TEXT_LENGTH:
            yield _text_batch(text)
            text = ""
    if done.rows and text:
        yield _text_batch(text)
    report(done)


def reject_blocks(job: CsvJob, first_lines: Mapping[tuple[str, int], int], batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches of ``file`` and the columns of the rejects file.

    ``first_lines`` is the number of each block's first line in its file.
    """
    for block, step in _steps(job, VersionScorer.step_bytes, Report(), batches):
        if step.rejections:
            first = first_lines[block.file, block.start]
            numbered = [replace(fault, line=first + fault.line) for fault in step.rejections]
            yield rejects_batch([block.file] * len(numbered), numbered)


def rejects_batch(files: Sequence[str], rejections: Iterable[Rejection]) -> Any:
    """Return a batch of the rejects output."""
    lines, columns, codes, details = zip(
        *((fault.line, fault.column, fault.code, fault.detail) for fault in rejections), strict=True
    )
    return _batch(file=files, line=lines, column=columns, code=codes, detail=details)


def _steps(job: CsvJob, step_bytes: int, report: Report, batches: Iterable[Any]) -> Iterator[tuple[Block, Step]]:
    """Yield the steps of each block, whose rejections count the block's lines from 0; ``report`` its lines."""
    parts = chain.from_iterable(map(_parts, batches))
    for block, group in groupby(parts, key=lambda part: part[0]):
        lines = _BlockLines(block, (raw for _, raw in group))
        line = 0
        if block.start == 0:
            _check_header(job, block.file, lines.read_line())
            line += 1
        while step := read_step(lines, job.header, line, step_bytes):
            line += step.n_lines
            yield block, step
        report.lines[block.file, block.start] = line


def _check_header(job: CsvJob, file: str, line: bytes) -> None:
    if line.rstrip(b"\n") != job.header_line.rstrip(b"\n"):
        raise UnusableFileError(
            f"{file} has another first line than {job.first_file}: all files of a job must have the same columns in "
            "the same order, and the same line endings. Score it by a job of its own."
        )


def _parts(batch: Any) -> Iterator[tuple[Block, bytes]]:
    """Yield the lines of a batch as they are in their file, block by block."""
    starts = batch.column(BLOCK_START).to_numpy(zero_copy_only=False)
    files = batch.column(FILE).dictionary_encode()
    codes = files.indices.to_numpy(zero_copy_only=False)
    cuts = [0, *(np.flatnonzero((np.diff(starts) != 0) | (np.diff(codes) != 0)) + 1).tolist(), len(batch)]
    for begin, end in pairwise(cuts):
        if begin == end:
            continue
        file, start, is_last = (batch.column(name)[begin].as_py() for name in (FILE, BLOCK_START, IS_LAST))
        yield Block(file, start, is_last), _text(batch.column(LINE).slice(begin, end - begin))


def _text(lines: Any) -> bytes:
    """Return the bytes of lines that follow each other, with their line feeds, without copying them one by one."""
    ended = compute.binary_join_element_wise(lines.cast(pyarrow.binary()), b"", b"\n")
    _, offsets, content = ended.buffers()
    places = np.frombuffer(offsets, np.int32)[ended.offset : ended.offset + len(ended) + 1]
    return bytes(memoryview(content)[places[0] : places[-1]])


def _text_batch(text: str) -> Any:
    # Spark's writer ends each text with a line feed.
    return _batch(text=[text.removesuffix("\n")])


def _batch(**columns: Any) -> Any:
    return pyarrow.RecordBatch.from_pydict(columns)
