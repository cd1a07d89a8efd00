"""Imports a file of outcomes: usable rows are kept in the bucket, and a rejects file says why the others are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batch_scoring.results import REJECTS_HEADER, rejections_as_csv
from batch_scoring.row_rules import Rejection
from model_artifact.schema import LOAN_ID, TARGET
from model_monitor.joined.maturity import Loans, day_of, loan_numbers
from model_monitor.joined.outcome_file import OutcomeFile
from model_monitor.joined.outcome_store import OutcomeStore
from model_watch.loan_hash import LoanHasher
from peerloan.errors import CommandError
from peerloan.files import write_whole, writing
from peerloan.outcomes.outcome_tables import OutcomeTable, read_outcomes

CONTRADICTION = "contradiction"
UNKNOWN_LOAN = "unknown_loan"
_CONTRADICTS = "Another row says the opposite of this loan and day. Neither is imported."
_UNKNOWN = "The prediction log has no prediction of this loan. The outcome is imported."


@dataclass(frozen=True)
class Import:
    """What was imported.

    Attributes
    ----------
    digest : str
        Of the content, which is its name in the bucket.
    is_new : bool
        Whether it wasn't there before.
    as_of, first, last : str
        The day whose knowledge it is, and the first and last day that it tells of.
    late, on_time : int
        Outcomes; a row that occurs twice counts once.
    rejected : int
        Rows that can't be used.
    contradictions : int
        Those of them that say the opposite of another one.
    unknown_loans : int or None
        Loans that the log doesn't have; None if it wasn't asked.
    """

    digest: str
    is_new: bool
    as_of: str
    first: str
    last: str
    late: int
    on_time: int
    rejected: int
    contradictions: int
    unknown_loans: int | None

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return vars(self)


# Gets loans and the first and the last day of their outcomes; says which of them the log has.
FindLoans = Callable[[Loans, date, date], NDArray[np.bool_]]


def import_outcomes(
    source: Path, as_of: date, rejects: Path, hasher: LoanHasher, store: OutcomeStore, find_loans: FindLoans | None
) -> Import:
    """Import a file. Whoever is cut off imports again: the same outcomes are the same object.

    Parameters
    ----------
    source : Path
        CSV or Parquet.
    as_of : date
        The day whose knowledge it is.
    rejects : Path
        The rejects file. It exists afterwards only if there is something to reject.
    hasher : LoanHasher
        With the function's key.
    store : OutcomeStore
        Where the outcomes go.
    find_loans : callable or None
        Looks loans up in the log; None leaves that out.

    Raises
    ------
    UsageError
        If the file isn't one of outcomes.
    CommandError
        If no row can be used.
    """
    table = read_outcomes(source, as_of, hasher)
    contradicts = contradictions(table)
    unknown = np.zeros(len(table), dtype=np.bool_) if find_loans is None else _unknown(table, ~contradicts, find_loans)
    rejections = [
        *table.rejections,
        *(Rejection(line, TARGET, CONTRADICTION, _CONTRADICTS) for line in table.lines[contradicts].tolist()),
        *(Rejection(line, LOAN_ID, UNKNOWN_LOAN, _UNKNOWN) for line in table.lines[unknown].tolist()),
    ]
    _write_rejects(rejects, sorted(rejections, key=lambda rejection: rejection.line))
    if contradicts.all():
        raise CommandError(f"No row of {source} can be imported. {_where(rejects, rejections)}")
    usable = ~contradicts
    outcomes = OutcomeFile.of(as_of, table.loans[usable], table.observed_on[usable], table.is_late[usable])
    try:
        digest, is_new = store.keep(outcomes)
    except ValueError as error:
        raise CommandError(f"{source} has too many outcomes for one import: {error}. Split the file.") from error
    span = outcomes.span
    return Import(
        digest=digest,
        is_new=is_new,
        as_of=span.as_of,
        first=span.first,
        last=span.last,
        late=outcomes.late,
        on_time=outcomes.on_time,
        rejected=len(table.rejections) + int(contradicts.sum()),
        contradictions=int(contradicts.sum()),
        unknown_loans=None if find_loans is None else len(np.unique(table.loans[unknown])),
    )


def contradictions(table: OutcomeTable) -> NDArray[np.bool_]:
    """Say of each row whether another one says the opposite of the same loan and day."""
    _, loans = np.unique(table.loans, return_inverse=True)
    # Days have numbers below 2 to the power of 16.
    _, groups = np.unique((loans.astype(np.int64) << 16) | table.observed_on, return_inverse=True)
    rows = np.bincount(groups)
    late = np.bincount(groups, weights=table.is_late)
    return np.asarray(((late > 0) & (late < rows))[groups], dtype=np.bool_)


def _unknown(table: OutcomeTable, is_usable: NDArray[np.bool_], find_loans: FindLoans) -> NDArray[np.bool_]:
    """Say of each usable row whether the log lacks its loan."""
    unknown = np.zeros(len(table), dtype=np.bool_)
    if is_usable.any():
        days = table.observed_on[is_usable]
        loans = loan_numbers(table.loans[is_usable].tobytes())
        unknown[is_usable] = ~find_loans(loans, day_of(int(days.min())), day_of(int(days.max())))
    return unknown


def _write_rejects(path: Path, rejections: list[Rejection]) -> None:
    if rejections:
        write_whole(path, REJECTS_HEADER + rejections_as_csv(rejections))
    else:
        with writing(path):
            path.unlink(missing_ok=True)


def _where(rejects: Path, rejections: list[Rejection]) -> str:
    return f"The reasons are in {rejects}." if rejections else "It has no rows."
