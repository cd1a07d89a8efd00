"""Scores CSV files on Spark's workers: each block of a file as ``peerloan score`` scores a file. No PySpark.

Spark divides a file into blocks of whole lines, and hands them over in batches of lines with their file and block. A
block is read like a file, from its first line to its last. A cell with a line break may cross batches; where it crosses
two blocks, the first one's task fails, since nobody can tell where the second one's first row begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, pairwise
from typing import Any

import numpy as np
import pyarrow

from batch_scoring.csv_header import Header
from batch_scoring.csv_rows import Step, read_step
from batch_scoring.errors import UnusableFileError
from batch_scoring.results import result_columns, scored_lines
from batch_scoring.row_rules import Rejection
from peerloan.spark.pinned_version import PinnedVersion
from peerloan.spark.reports import Report

# What workers get: lines with their ending, and where they are from.
LINE, FILE, BLOCK_START, BLOCK_END, FILE_SIZE = "line", "file", "block_start", "block_end", "file_size"


@dataclass(frozen=True)
class CsvJob:
    """What the workers of a job know: the version, and the header that all files must have, as bytes and as columns."""

    version: PinnedVersion
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
        self._waiting = b""

    def read(self, size: int) -> bytes:  # noqa: ARG002
        """Return the lines of the next batch, all of them."""
        part, self._waiting = self._waiting, b""
        return part or next(self._parts, b"")

    def read_line(self) -> bytes:
        """Return the next line: a row has begun that isn't complete."""
        self._waiting = self._waiting or next(self._parts, b"")
        if not self._waiting and not self._block.is_last:
            raise UnusableFileError(
                f"{self._block.file} is divided inside a quoted cell, after the block that begins at byte "
                f"{self._block.start:,}. If a quotation mark is left open there, mend the row. If cells have line "
                "breaks, let Spark divide no file (--conf spark.sql.files.maxPartitionBytes=100g), or score Parquet."
            )
        line, ending, self._waiting = self._waiting.partition(b"\n")
        return line + ending


def score_blocks(job: CsvJob, report: Callable[[Report], object], batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches of ``text``: each text is many lines of the output. At the end, ``report`` what became of the rows.

    A task writes one file, so its first text begins with the header.
    """
    scorer = job.version.load()
    done = Report()
    text = ",".join([job.header.text, *job.added]) + job.header.ending
    for block, step in _steps(job, done, batches):
        rows = iter(step.rows)
        for scores in scorer.score(step.columns) if step.rows else ():
            text += scored_lines(rows, scores, job.header.ending, has_warnings=job.has_warnings)
        done.rows += len(step.rows)
        done.rejected += step.rejected
        done.reject(((block.file, block.start), fault) for fault in step.rejections)
        if step.rows:
            # Spark's writer ends each text with a line feed.
            yield _batch(text=[text.removesuffix("\n")])
            text = ""
    report(done)


def reject_blocks(job: CsvJob, first_lines: Mapping[tuple[str, int], int], batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches of ``file`` and the columns of the rejects file.

    ``first_lines`` is the number of each block's first line in its file.
    """
    for block, step in _steps(job, Report(), batches):
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


def _steps(job: CsvJob, report: Report, batches: Iterable[Any]) -> Iterator[tuple[Block, Step]]:
    """Yield the steps of each block, whose rejections count the block's lines from 0; ``report`` its lines."""
    parts = chain.from_iterable(map(_parts, batches))
    for block, group in groupby(parts, key=lambda part: part[0]):
        lines = _BlockLines(block, (raw for _, raw in group))
        line = 0
        if block.start == 0:
            _check_header(job, block.file, lines.read_line())
            line += 1
        while step := read_step(lines, job.header, line, 0):
            line += step.n_lines
            yield block, step
        report.lines[block.file, block.start] = line


def _check_header(job: CsvJob, file: str, line: bytes) -> None:
    if line.rstrip(b"\n") != job.header_line.rstrip(b"\n"):
        raise UnusableFileError(
            f"{file} has another first line than the file that was looked at first: all files of a job must have the "
            "same columns in the same order, and the same line endings. Score it by a job of its own."
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
        file, start, until, size = (
            batch.column(name)[begin].as_py() for name in (FILE, BLOCK_START, BLOCK_END, FILE_SIZE)
        )
        yield Block(file, start, until >= size), _text(batch.column(LINE).slice(begin, end - begin))


def _text(lines: Any) -> bytes:
    """Return the bytes of binary values that follow each other, without copying them one by one."""
    _, offsets, content = lines.buffers()
    kind = np.int64 if pyarrow.types.is_large_binary(lines.type) else np.int32
    places = np.frombuffer(offsets, kind)[lines.offset : lines.offset + len(lines) + 1]
    return bytes(memoryview(content)[places[0] : places[-1]])


def _batch(**columns: Any) -> Any:
    return pyarrow.RecordBatch.from_pydict(columns)
