"""What scoring adds to a file: its columns, the lines of a scored CSV file, and the rejects file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

from batch_scoring.errors import UnusableFileError
from batch_scoring.row_rules import Rejection
from model_artifact.loan_header import HeaderError, check_header
from model_artifact.schema import FIELD_NAMES, LOAN_ID

if TYPE_CHECKING:
    from batch_scoring.scores import Scores

RESULT_COLUMNS = ("late_probability", "predicted_is_late", "model_version")
WARNINGS_COLUMN = "warnings"
REJECTS_HEADER = b"line,column,code,detail\n"


def result_columns(*, has_warnings: bool) -> tuple[str, ...]:
    """Return the columns that scoring adds; the last one is there for those who ask for warnings."""
    return (*RESULT_COLUMNS, WARNINGS_COLUMN) if has_warnings else RESULT_COLUMNS


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
    UnusableFileError
        If ``check_header``, which also takes ``lines``, refuses the names, or scoring adds a column of the same name.
    """
    try:
        check_header(names, FIELD_NAMES, optional=[LOAN_ID], lines=lines)
    except HeaderError as error:
        message = f"The file can't be scored; {error}" if error.column else str(error)
        raise UnusableFileError(message) from error
    if existing := [name for name in added if name in names]:
        raise UnusableFileError(
            f"The file already has a column {', '.join(existing)}, as scored files do. Score the original file, or "
            "rename the column."
        )


def scored_lines(rows: Iterable[str], scores: Scores, ending: str, *, has_warnings: bool) -> str:
    """Return lines of the scored CSV file: each row's text unchanged, and its results.

    ``rows`` yields the rows' texts without line endings, and is read as far as there are scores.
    """
    endings = (f",{text}{ending}" for text in scores.warning_texts()) if has_warnings else repeat(ending)
    tails = (f",0,{scores.version}", f",1,{scores.version}")
    # The rows come last: zip reads one item beyond the end of what comes before the shortest.
    zipped = zip(scores.probabilities, scores.is_late, endings, rows, strict=False)
    return "".join([f"{row},{late!r}{tails[is_late]}{end}" for late, is_late, end, row in zipped])


def rejections_as_csv(rejections: Sequence[Rejection]) -> bytes:
    """Return lines of the rejects file."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows((rejection.line, rejection.column, rejection.code, rejection.detail) for rejection in rejections)
    return text.getvalue().encode()
