"""What the tasks of a scoring job report to its driver: their counts, and the rejected rows while these are few.

The report of a task reaches the driver once, when the task has succeeded: Spark drops those of tasks that fail, are
killed or were run twice. So one pass over the input gives the scored rows, the figures and the rejects. No PySpark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from batch_scoring.row_rules import Rejection

# More rejections than this aren't kept in the driver's memory (some megabytes); then the input is read once more.
MOST_REJECTIONS = 20_000

# A file, and the byte where a block of it begins; 0 for Parquet, whose rows have numbers in their file.
BlockKey = tuple[str, int]


@dataclass
class Report:
    """Counts of some tasks, and their rejections.

    Attributes
    ----------
    rows, rejected : int
        The numbers of scored and of rejected rows.
    lines : dict
        The number of lines in each block of a CSV file.
    rejections : list of (BlockKey, Rejection), or None
        The lines are counted in the block, from 0; the rows of Parquet in the file, from 1. None if there are more than
        ``MOST_REJECTIONS``.
    """

    rows: int = 0
    rejected: int = 0
    lines: dict[BlockKey, int] = field(default_factory=dict)
    rejections: list[tuple[BlockKey, Rejection]] | None = field(default_factory=list)

    def add(self, more: Report) -> None:
        """Add the counts and the rejections of other tasks."""
        self.rows += more.rows
        self.rejected += more.rejected
        self.lines |= more.lines
        self.reject(more.rejections)

    def reject(self, rejections: Iterable[tuple[BlockKey, Rejection]] | None) -> None:
        """Add rejections; None stands for too many."""
        if self.rejections is None:
            return
        self.rejections.extend(rejections or ())
        if rejections is None or len(self.rejections) > MOST_REJECTIONS:
            self.rejections = None

    def first_lines(self) -> dict[BlockKey, int]:
        """Return the number of each block's first line in its file."""
        numbers: dict[BlockKey, int] = {}
        file, number = None, 1
        for block, count in sorted(self.lines.items()):
            number = number if block[0] == file else 1
            file = block[0]
            numbers[block] = number
            number += count
        return numbers

    def numbered_rejections(self) -> Iterator[tuple[str, Rejection]]:
        """Yield each rejection's file, and the rejection with its line in the file, in order."""
        first_lines = self.first_lines()
        for block, fault in sorted(self.rejections or (), key=lambda placed: (placed[0], placed[1].line)):
            yield block[0], replace(fault, line=fault.line + first_lines.get(block, 0))


class ReportSum:
    """Says how Spark's accumulators add reports up; PySpark calls this an ``AccumulatorParam``."""

    def zero(self, value: Report) -> Report:  # noqa: ARG002
        """Return the report of no task."""
        return Report()

    def addInPlace(self, value: Report, more: Report) -> Report:  # noqa: N802 - PySpark's name
        """Add a report to another one, and return the sum."""
        value.add(more)
        return value
