"""The rule that says what became of a prediction, from statements about its loan. Pure, and in arrays throughout.

Let W be the outcome window in days. A prediction of day d is mature from day d + W on, and nothing is known of it
before: not even "late", or else early figures would hold late loans only. A mature prediction is::

    late       if a statement says that the loan was late on a day from d to d + W
    on time    if none does, and the first statement of d + W to d + 2 W says that it wasn't late
    late       if that first statement says that it was, and not since when
    unknown    otherwise: never "good"

A statement of the day of its own knowledge (``observed_on`` is ``as_of``) doesn't say since when. A file without
``observed_on`` is made of these. If late loans counted up to d + W only, and the others up to d + 2 W, a file that
comes after the window would show loans on time alone.

``vintage.as_of`` leaves out the outcomes of a day of which too few are known yet.

Of the statements about a loan on one day, those with the latest ``as_of`` count: later knowledge wins. Two that have
the same ``as_of`` and contradict each other don't count at all.

A loan is the first 64 of the 96 bits of its hash: among ten million loans two have the same bits once in 370,000 times.
Days are numbered from 1970-01-01 on. One integer holds a loan's place among all loans, a day and more::

    bits 33 to 62   17 to 32      1 to 16   0
         loan       observed_on   as_of     is_late
"""

from __future__ import annotations

import string
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from model_watch.loan_hash import DIGEST_BYTES, HASH_LENGTH

Loans = NDArray[np.uint64]
Days = NDArray[np.int64]

_N = TypeVar("_N", np.uint64, np.int64)

# What is known of a mature prediction.
UNKNOWN: Final = -1
ON_TIME: Final = 0
LATE: Final = 1

_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY_BITS: Final = 16
_DAY_MASK: Final = (1 << _DAY_BITS) - 1
# Of a loan's place and a day alone: the windows of the last days end beyond the days that have a number.
_SPACE_BITS: Final = 32
_HASH_CHARACTERS: Final = (string.ascii_letters + string.digits + "-_").encode("ascii")
FIRST_DATE: Final = date(1970, 1, 1)
LAST_DATE: Final = date.fromordinal(_EPOCH + (1 << _DAY_BITS) - 1)


def day_number(day: date) -> int:
    """Return the number of a day from ``FIRST_DATE`` to ``LAST_DATE``; raise ``ValueError`` for another one."""
    if not FIRST_DATE <= day <= LAST_DATE:
        raise ValueError(f"the date {day} isn't from {FIRST_DATE} to {LAST_DATE}")
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date:
    """Return the day with a number."""
    return date.fromordinal(_EPOCH + number)


def is_mature(day: date, today: date, window_days: int) -> bool:
    """Say whether the outcome window of a prediction of ``day`` has passed by ``today``."""
    return (today - day).days >= window_days


def are_hashes(texts: Sequence[bytes]) -> bool:
    """Say whether each text has the form of a loan's hash."""
    return all(len(text) == HASH_LENGTH for text in texts) and not b"".join(texts).translate(None, _HASH_CHARACTERS)


def loan_numbers(hashes: bytes) -> Loans:
    """Return the 64 bits of each loan's hash; the hashes stand one after the other, 16 characters each.

    Raises ``ValueError`` if they aren't such hashes.
    """
    if len(hashes) % HASH_LENGTH:
        raise ValueError(f"the hashes of loans have {len(hashes):,} characters, not {HASH_LENGTH} each")
    if hashes.translate(None, _HASH_CHARACTERS):
        raise ValueError("the hashes of loans aren't URL-safe base64")
    rows = np.frombuffer(urlsafe_b64decode(hashes), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
    return np.ascontiguousarray(rows[:, :8]).view("<u8").ravel().astype(np.uint64, copy=False)


@dataclass(frozen=True)
class Statements:
    """What was stated about loans. Each array has one entry a statement; days are numbers (``day_number``)."""

    loans: Loans
    observed_on: Days
    as_of: Days
    is_late: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.loans)

    def between(self, first: int, last: int) -> Statements:
        """Return the statements that were observed on the days with these numbers, and between them."""
        places = np.flatnonzero((self.observed_on >= first) & (self.observed_on <= last))
        return Statements(self.loans[places], self.observed_on[places], self.as_of[places], self.is_late[places])

    @classmethod
    def joined(cls, parts: list[Statements]) -> Statements:
        """Return the statements of all parts."""
        return cls(
            np.concatenate([np.empty(0, np.uint64), *(part.loans for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.observed_on for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.as_of for part in parts)]),
            np.concatenate([np.empty(0, np.bool_), *(part.is_late for part in parts)]),
        )


class KnownOutcomes:
    """Answers what became of predictions, from all ``statements`` about their loans."""

    def __init__(self, statements: Statements) -> None:
        self._loans = _distinct(statements.loans.copy())
        packed = self._loans.searchsorted(statements.loans).astype(np.int64, copy=False)
        for values in (statements.observed_on, statements.as_of):
            packed <<= _DAY_BITS
            packed |= values
        packed <<= 1
        packed |= statements.is_late
        packed = _distinct(packed)
        told = packed >> 1
        contradicts_next = told[1:] == told[:-1]
        is_clear = np.ones(len(packed), dtype=np.bool_)
        is_clear[1:] &= ~contradicts_next
        is_clear[:-1] &= ~contradicts_next
        packed = packed[is_clear]
        on_day = packed >> (_DAY_BITS + 1)
        # They are in order of ``as_of``, so the last of a loan and a day is the one that counts.
        is_last = np.append(on_day[1:] != on_day[:-1], True)[: len(on_day)]
        is_late = (packed[is_last] & 1).astype(np.bool_)
        as_of = (packed[is_last] >> 1) & _DAY_MASK
        on_day = on_day[is_last]
        observed_on = on_day & _DAY_MASK
        on_day = ((on_day >> _DAY_BITS) << _SPACE_BITS) | observed_on
        self._late, self._not_late = on_day[is_late], on_day[~is_late]
        self._late_by_then = on_day[is_late & (observed_on == as_of)]

    def of(self, loans: Loans, days: Days, window_days: int) -> NDArray[np.int8]:
        """Return what each prediction would be if it were mature.

        Parameters
        ----------
        loans : ndarray of shape (n,)
            The loans' 64 bits.
        days : ndarray of shape (n,)
            The numbers of the predictions' days.
        window_days : int
            The outcome window, at least 1.

        Returns
        -------
        ndarray of shape (n,)
            ``LATE``, ``ON_TIME`` or ``UNKNOWN``.
        """
        outcomes = np.full(len(loans), UNKNOWN, dtype=np.int8)
        if not len(self._loans):
            return outcomes
        places = np.minimum(self._loans.searchsorted(loans), len(self._loans) - 1)
        stated = np.flatnonzero(self._loans[places] == loans)
        begin = (places[stated].astype(np.int64) << _SPACE_BITS) + days[stated]
        end = begin + window_days
        not_late, late_by_then = _first_from(self._not_late, end), _first_from(self._late_by_then, end)
        outcomes[stated[np.minimum(not_late, late_by_then) <= end + window_days]] = ON_TIME
        outcomes[stated[(late_by_then <= end + window_days) & (late_by_then < not_late)]] = LATE
        outcomes[stated[_first_from(self._late, begin) <= end]] = LATE
        return outcomes

    def has(self, loans: Loans) -> NDArray[np.bool_]:
        """Say of each loan whether there is a statement about it."""
        return np.isin(loans, self._loans)


def _distinct(numbers: NDArray[_N]) -> NDArray[_N]:
    """Sort numbers in place, and return each once. ``np.unique`` hashes them first, in many times the memory."""
    numbers.sort()
    is_first = np.ones(len(numbers), dtype=np.bool_)
    np.not_equal(numbers[1:], numbers[:-1], out=is_first[1:])
    return numbers[is_first]


def _first_from(values: Days, lows: Days) -> Days:
    """Return for each limit the first value at or above it, a number beyond all days if there is none.

    The values are in order.
    """
    return np.append(values, np.iinfo(np.int64).max)[values.searchsorted(lows)]
