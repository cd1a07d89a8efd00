"""The predictions of a day in arrays: what joining them with outcomes needs of each record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_monitor.joined.maturity import Loans, are_hashes, loan_numbers
from model_watch.counts import Ints
from model_watch.folding.day_lines import NewLines
from model_watch.folding.single_record_lines import Columns, SingleRecord
from model_watch.loan_hash import HASH_LENGTH
from model_watch.prediction_log import LogLine

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
# Stands where there is no hash.
_BLANK: Final = b"A" * HASH_LENGTH
# The places of the time's digits in 2026-03-12T07:15:23.042, and how many milliseconds a one in each is.
_DIGITS: Final = [11, 12, 14, 15, 17, 18, 20, 21, 22]
_WORTH: Final = np.array([36_000_000, 3_600_000, 600_000, 60_000, 10_000, 1_000, 100, 10, 1])


@dataclass(frozen=True)
class Predictions:
    """Records that were answered, with one entry a record in each array.

    Attributes
    ----------
    times : ndarray of shape (n,)
        When each was answered, in milliseconds since 1970.
    versions : ndarray of shape (n,)
        The version that answered.
    loans : ndarray of shape (n,)
        The loan's 64 bits; anything where ``has_hash`` is false.
    has_hash : ndarray of shape (n,)
        Whether the log has a hash of the loan's id.
    late_probabilities, is_flagged : ndarray of shape (n,)
    shadow_versions : ndarray of shape (n,)
        The shadow version that scored the record too, 0 for none.
    shadow_probabilities, is_shadow_flagged : ndarray of shape (n,)
        Anything where there is no shadow version.
    """

    times: Ints
    versions: Ints
    loans: Loans
    has_hash: NDArray[np.bool_]
    late_probabilities: NDArray[np.float64]
    is_flagged: NDArray[np.bool_]
    shadow_versions: Ints
    shadow_probabilities: NDArray[np.float64]
    is_shadow_flagged: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.times)

    def select(self, places: NDArray[Any]) -> Predictions:
        """Return some of the records, by a mask or by their places."""
        return Predictions(*(getattr(self, member.name)[places] for member in fields(self)))

    @classmethod
    def joined(cls, parts: Iterable[Predictions]) -> Predictions:
        """Return the records of all parts."""
        columns = zip(*([getattr(part, member.name) for member in fields(cls)] for part in parts), strict=True)
        return cls(*map(np.concatenate, columns))


def predictions_of(new: NewLines) -> list[Predictions]:
    """Return the records of the lines that are answers, in one or more parts."""
    answers = [
        line
        for line in new.lines
        if isinstance(line, LogLine) and line.status == 200 and line.version is not None and line.loans
    ]
    parts = [_of_line(line) for line in answers]
    return parts + [_of_records(new.day, version, records) for version, records in new.records.items() if records]


def _of_line(line: LogLine) -> Predictions:
    n_records = len(line.loans)
    shadow = line.shadow if line.shadow is not None and line.shadow.outcome == "scored" else None
    loans, has_hash = _hashes([loan.encode("utf-8", "surrogatepass") if loan else b"" for loan in line.loans])
    return Predictions(
        times=np.full(n_records, (line.time - _EPOCH) // _MILLISECOND, dtype=np.int64),
        versions=np.full(n_records, line.version, dtype=np.int64),
        loans=loans,
        has_hash=has_hash,
        late_probabilities=np.array(line.late_probabilities, dtype=np.float64),
        is_flagged=np.array(line.is_late, dtype=np.bool_),
        shadow_versions=np.full(n_records, shadow.version if shadow else 0, dtype=np.int64),
        shadow_probabilities=np.array(shadow.late_probabilities if shadow else np.zeros(n_records), dtype=np.float64),
        is_shadow_flagged=np.array(shadow.is_late if shadow else np.zeros(n_records), dtype=np.bool_),
    )


def _of_records(day: date, version: int, records: Sequence[SingleRecord]) -> Predictions:
    columns = Columns.of(records)
    loans, has_hash = _hashes(columns.loan)
    scored = [bool(probability) for probability in columns.shadow_probability]
    shadows = zip(columns.shadow, scored, strict=True)
    return Predictions(
        times=_times(day, columns.time),
        versions=np.full(len(records), version, dtype=np.int64),
        loans=loans,
        has_hash=has_hash,
        late_probabilities=np.array(list(map(float, columns.late_probability))),
        is_flagged=np.array(columns.is_late) == b"1",
        shadow_versions=np.array([int(shadow) if is_scored else 0 for shadow, is_scored in shadows], dtype=np.int64),
        shadow_probabilities=np.array([float(text or 0) for text in columns.shadow_probability]),
        is_shadow_flagged=np.array(columns.shadow_is_late) == b"1",
    )


def _hashes(texts: Sequence[bytes]) -> tuple[Loans, NDArray[np.bool_]]:
    joined = b"".join(texts)
    if len(joined) == HASH_LENGTH * len(texts) and are_hashes(texts):
        return loan_numbers(joined), np.ones(len(texts), dtype=np.bool_)
    has_hash = [are_hashes([text]) for text in texts]
    loans = loan_numbers(b"".join(text if is_hash else _BLANK for text, is_hash in zip(texts, has_hash, strict=True)))
    return loans, np.array(has_hash, dtype=np.bool_)


def _times(day: date, texts: Sequence[bytes]) -> Ints:
    midnight = (datetime.combine(day, time(), UTC) - _EPOCH) // _MILLISECOND
    digits = np.frombuffer(b"".join(texts), dtype=np.uint8).reshape(len(texts), -1)[:, _DIGITS] - ord("0")
    return np.asarray(midnight + digits @ _WORTH, dtype=np.int64)
