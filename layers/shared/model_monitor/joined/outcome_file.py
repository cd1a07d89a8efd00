"""One import of outcomes, as it is kept in the bucket: what was known of loans on one day. Pure.

::

    {"format": 1, "as_of": "2026-07-15",
     "days": [{"observed_on": "2026-06-30", "late": "<hash><hash>…", "on_time": "<hash>…"}, …]}

Hashes have 16 characters and stand in order, and so do days: the same outcomes have the same bytes, and one digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_monitor.joined.maturity import Days, Statements, day_number, day_of, loan_numbers
from model_registry import documents
from model_registry.documents import Positive
from model_watch.loan_hash import HASH_LENGTH

OUTCOMES_FORMAT: Final = 1
# About fifteen million outcomes.
MOST_OUTCOMES_BYTES: Final = 256 << 20

Hashes = NDArray[np.bytes_]


@dataclass(frozen=True)
class OutcomeSpan:
    """The day whose knowledge an import is, and the first and the last day that it tells of, as ISO dates."""

    as_of: str
    first: str
    last: str

    def __post_init__(self) -> None:
        for text in (self.as_of, self.first, self.last):
            date.fromisoformat(text)

    def tells_of(self, first: date, last: date, today: date) -> bool:
        """Say whether it was known by ``today``, and tells of a day from ``first`` to ``last``."""
        is_known = date.fromisoformat(self.as_of) <= today
        return is_known and date.fromisoformat(self.first) <= last and first <= date.fromisoformat(self.last)


@dataclass(frozen=True)
class DayOutcomes:
    """Loans that were late on a day, and loans that weren't: their hashes, one after the other."""

    observed_on: str
    late: str
    on_time: str

    def __post_init__(self) -> None:
        day_number(date.fromisoformat(self.observed_on))

    def statements(self, as_of: int) -> Statements:
        """Return the outcomes as statements that are known from the day ``as_of`` on."""
        late, on_time = (loan_numbers(hashes.encode("utf-8")) for hashes in (self.late, self.on_time))
        loans = np.concatenate([late, on_time])
        observed_on = np.full(len(loans), day_number(date.fromisoformat(self.observed_on)), dtype=np.int64)
        return Statements(loans, observed_on, np.full_like(observed_on, as_of), np.arange(len(loans)) < len(late))

    def without(self, loan: str) -> DayOutcomes:
        """Return the outcomes of all loans but the one with this hash."""
        late, on_time = (_join(hashes[hashes != loan.encode()]) for hashes in map(_split, (self.late, self.on_time)))
        return DayOutcomes(self.observed_on, late, on_time)


@dataclass(frozen=True)
class OutcomeFile:
    """One import: ``as_of`` is the day whose knowledge it is; ``days`` are in order, at least one."""

    as_of: str
    days: tuple[DayOutcomes, ...]
    format: Positive = OUTCOMES_FORMAT

    def __post_init__(self) -> None:
        day_number(date.fromisoformat(self.as_of))
        if not self.days:
            raise ValueError("'days' is empty")

    @classmethod
    def of(cls, as_of: date, loans: Hashes, observed_on: Days, is_late: NDArray[np.bool_]) -> OutcomeFile:
        """Return the outcomes of some rows, at least one; a row that occurs twice counts once.

        Parameters
        ----------
        as_of : date
            The day whose knowledge they are.
        loans : ndarray of shape (n,)
            The loans' hashes.
        observed_on : ndarray of shape (n,)
            The numbers of the days.
        is_late : ndarray of shape (n,)
        """
        days = []
        for number in np.unique(observed_on).tolist():
            on_day = observed_on == number
            late, on_time = (_join(np.unique(loans[on_day & status])) for status in (is_late, ~is_late))
            days.append(DayOutcomes(day_of(number).isoformat(), late, on_time))
        return cls(as_of.isoformat(), tuple(days))

    @classmethod
    def from_bytes(cls, content: bytes) -> OutcomeFile:
        """Read a document; raise ``ValueError``, which says what is wrong, if it isn't one or its format is newer."""
        return documents.read_formatted(cls, content, OUTCOMES_FORMAT, limit_bytes=MOST_OUTCOMES_BYTES)

    def to_bytes(self) -> bytes:
        """Return the document."""
        members = {"format": self.format, "as_of": self.as_of, "days": [asdict(day) for day in self.days]}
        return json.dumps(members, separators=(",", ":")).encode("ascii")

    @property
    def span(self) -> OutcomeSpan:
        """The days that it is of."""
        return OutcomeSpan(self.as_of, self.days[0].observed_on, self.days[-1].observed_on)

    @property
    def late(self) -> int:
        """The number of outcomes that are late."""
        return sum(len(day.late) for day in self.days) // HASH_LENGTH

    @property
    def on_time(self) -> int:
        """The number of outcomes that aren't late."""
        return sum(len(day.on_time) for day in self.days) // HASH_LENGTH

    def statements(self) -> Statements:
        """Return all outcomes as statements."""
        as_of = day_number(date.fromisoformat(self.as_of))
        return Statements.joined([day.statements(as_of) for day in self.days])

    def without(self, loan: str) -> OutcomeFile | None:
        """Return the import without the loan of this hash; None if no other loan is left."""
        days = tuple(day for day in (day.without(loan) for day in self.days) if day.late or day.on_time)
        return OutcomeFile(self.as_of, days) if days else None


def digest_of(content: bytes) -> str:
    """Return the SHA-256 digest under which a document is kept."""
    return hashlib.sha256(content).hexdigest()


def _join(hashes: Hashes) -> str:
    return b"".join(hashes.tolist()).decode("ascii")


def _split(text: str) -> Hashes:
    return np.frombuffer(text.encode("ascii"), dtype=f"S{HASH_LENGTH}")
