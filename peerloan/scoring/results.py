"""The outputs of scoring a file: their names, during the run and after it, and the format of the rejects file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from model_artifact.loan_header import HeaderError, check_header
from model_artifact.schema import FIELD_NAMES, LOAN_ID
from peerloan.errors import UsageError
from peerloan.files import sync_folder
from peerloan.scoring.row_rules import Rejection

if TYPE_CHECKING:
    from peerloan.scoring.scorers import Scores

RESULT_COLUMNS = ("late_probability", "predicted_is_late", "model_version")
WARNINGS_COLUMN = "warnings"
REJECTS_HEADER = b"line,column,code,detail\n"


_CSV = ".csv"
_PARQUET = (".parquet", ".pq")


def is_csv(source: Path) -> bool:
    """Return whether a file of loans is CSV, by its name; Parquet otherwise. Another name raises ``UsageError``."""
    suffix = source.suffix.lower()
    if suffix not in (_CSV, *_PARQUET):
        raise UsageError(f"{source} must end in .csv or .parquet.")
    return suffix == _CSV


@dataclass(frozen=True)
class Targets:
    """The two outputs: the scored rows, and the reasons why the others aren't scored.

    ``has_warnings`` says whether the scored rows get a column with their warnings.
    """

    scored: Path
    rejects: Path
    has_warnings: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that scoring adds."""
        return (*RESULT_COLUMNS, WARNINGS_COLUMN) if self.has_warnings else RESULT_COLUMNS

    @property
    def journal(self) -> Path:
        """The file that keeps a run's progress."""
        return self.scored.with_name(self.scored.name + ".journal")

    def part(self, path: Path) -> Path:
        """Return the name that an output has until it is complete."""
        return path.with_name(path.name + ".part")


@dataclass(frozen=True)
class Outcome:
    """The result of a run: the whole file's scored and rejected rows, and the byte of the input at which it resumed.

    ``warned`` rows have a value that the version wasn't trained on; ``warnings`` counts them by warning, such as
    ``purpose:unseen_category``.
    """

    rows: int
    rejected: int
    resumed_at: int
    warned: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)


class WarningCounts:
    """Counts the warnings of a run."""

    def __init__(self, warned: int = 0, by_warning: Mapping[str, int] | None = None) -> None:
        self.warned = warned
        self.by_warning = Counter(by_warning or {})

    def add(self, scores: Scores) -> None:
        """Count the warnings of some rows."""
        warned_rows = scores.warned_rows
        self.warned += len(set().union(*warned_rows.values()))
        self.by_warning.update({f"{column}:{code}": len(rows) for (column, code), rows in warned_rows.items() if rows})


def check_names(names: Sequence[str], added: Sequence[str], lines: Iterable[str] = ()) -> None:
    """Check a file's column names: the ten columns by the rules of training, and none that scoring ``added``.

    Raises
    ------
    UsageError
        If ``check_header``, which also takes ``lines``, refuses the names, or scoring adds a column of the same name.
    """
    try:
        check_header(names, FIELD_NAMES, optional=[LOAN_ID], lines=lines)
    except HeaderError as error:
        raise UsageError(f"The file can't be scored; {error}" if error.column else str(error)) from error
    if existing := [name for name in added if name in names]:
        raise UsageError(
            f"The file already has a column {', '.join(existing)}, as scored files do. Score the original file, or "
            "rename the column."
        )


def rejections_as_csv(rejections: Sequence[Rejection]) -> bytes:
    """Return lines of the rejects file."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows((rejection.line, rejection.column, rejection.code, rejection.detail) for rejection in rejections)
    return text.getvalue().encode()


def put_in_place(targets: Targets, *, rejected: int) -> None:
    """Give the complete outputs their names. After an interruption, calling it again does the rest.

    A rejects file exists only if a row was rejected; one of an earlier run is removed.
    """
    part = targets.part(targets.rejects)
    if rejected and part.exists():
        part.replace(targets.rejects)
    elif not rejected:
        part.unlink(missing_ok=True)
        targets.rejects.unlink(missing_ok=True)
    if targets.part(targets.scored).exists():
        targets.part(targets.scored).replace(targets.scored)
    sync_folder(targets.scored.parent)
    targets.journal.unlink(missing_ok=True)
