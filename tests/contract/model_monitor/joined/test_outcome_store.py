"""Imports of outcomes in every store: the same rows are one object, which is written once and checked when read."""

from __future__ import annotations

import gzip
from datetime import date

import numpy as np
import pytest

from model_monitor.joined import outcome_store
from model_monitor.joined.maturity import day_number, loan_numbers
from model_monitor.joined.outcome_file import OutcomeFile, OutcomeSpan, digest_of
from model_monitor.joined.outcome_store import InvalidOutcomesError, OutcomeStore
from model_registry import names
from model_registry.errors import ObjectNotFoundError
from model_registry.stores.base import ObjectStore
from model_watch.loan_hash import LoanHasher

MODEL = "late-payer"
AS_OF = date(2026, 7, 15)
JUNE, JULY = date(2026, 6, 30), date(2026, 7, 1)
HASHER = LoanHasher("k" * 40)


def outcomes(rows, as_of: date = AS_OF) -> OutcomeFile:
    loans, days, is_late = zip(*rows, strict=True)
    hashes = np.array([HASHER.hash(loan) for loan in loans], dtype="S16")
    return OutcomeFile.of(as_of, hashes, np.array([day_number(day) for day in days]), np.array(is_late))


ROWS = [("LN-1", JUNE, True), ("LN-2", JUNE, False), ("LN-3", JULY, False), ("LN-4", JUNE, False)]


def test_an_import_is_read_as_it_was_kept(store: ObjectStore) -> None:
    kept = outcomes(ROWS)

    digest, is_new = OutcomeStore(store, MODEL).keep(kept)

    assert is_new
    read = OutcomeStore(store, MODEL).get(digest)
    assert (read, read.late, read.on_time, read.span) == (
        kept,
        1,
        3,
        OutcomeSpan("2026-07-15", "2026-06-30", "2026-07-01"),
    )
    statements = read.statements()
    told = {
        (int(loan), int(day), bool(late))
        for loan, day, late in zip(statements.loans, statements.observed_on, statements.is_late, strict=True)
    }
    assert told == {
        (int(loan_numbers(HASHER.hash(loan).encode())[0]), day_number(day), late) for loan, day, late in ROWS
    }
    assert set(statements.as_of.tolist()) == {day_number(AS_OF)}


def test_the_same_outcomes_are_one_object(store: ObjectStore) -> None:
    outcome_store = OutcomeStore(store, MODEL)

    first, second = outcome_store.keep(outcomes(ROWS)), outcome_store.keep(outcomes([*reversed(ROWS), ROWS[0]]))

    assert (first[0], second) == (second[0], (first[0], False))
    other = outcome_store.keep(outcomes(ROWS, as_of=JULY))[0]
    assert outcome_store.list_digests() == sorted([first[0], other])


def test_only_imports_are_listed(store: ObjectStore) -> None:
    digest, _ = OutcomeStore(store, MODEL).keep(outcomes(ROWS))
    store.put(f"{names.outcomes_prefix(MODEL)}notes.txt", b"")
    store.put(f"{names.outcomes_prefix(MODEL)}{digest}.json", b"")

    assert OutcomeStore(store, MODEL).list_digests() == [digest]
    assert OutcomeStore(store, "other").list_digests() == []


def test_a_loan_can_be_left_out(store: ObjectStore) -> None:
    whole = outcomes(ROWS)

    assert whole.without(HASHER.hash("LN-3")) == outcomes([row for row in ROWS if row[0] != "LN-3"])
    assert whole.without(HASHER.hash("LN-9")) == whole
    assert outcomes(ROWS[:1]).without(HASHER.hash("LN-1")) is None


def test_an_import_can_be_deleted(store: ObjectStore) -> None:
    digest, _ = OutcomeStore(store, MODEL).keep(outcomes(ROWS))

    OutcomeStore(store, MODEL).delete(digest)

    assert OutcomeStore(store, MODEL).list_digests() == []
    with pytest.raises(ObjectNotFoundError):
        OutcomeStore(store, MODEL).get(digest)


GOOD = outcomes(ROWS).to_bytes()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (gzip.compress(GOOD)[:-9], "breaks off"),
        (gzip.compress(GOOD + b" "), "isn't what its name says"),
        (GOOD, "incorrect header"),
        (b"", "breaks off"),
    ],
)
def test_a_damaged_import_is_refused_with_what_to_do(store: ObjectStore, content: bytes, fault: str) -> None:
    digest = digest_of(GOOD)
    store.put(names.outcomes_key(MODEL, digest), content)

    with pytest.raises(InvalidOutcomesError, match=rf"(?s){digest}.*{fault}.*import their file again"):
        OutcomeStore(store, MODEL).get(digest)


@pytest.mark.parametrize(
    ("was", "is_now", "fault"),
    [
        (b'"format":1', b'"format":2', "update this software"),
        (b'"2026-06-30"', b'"2026-06-31"', "day is out of range|day 31 must be|invalid"),
        (b'"2026-07-15"', b'"1926-07-15"', "isn't from 1970"),
        (b'"days"', b'"nights"', "days"),
    ],
)
def test_an_import_that_says_something_impossible_is_refused(
    store: ObjectStore, was: bytes, is_now: bytes, fault: str
) -> None:
    content = GOOD.replace(was, is_now)
    store.put(names.outcomes_key(MODEL, digest_of(content)), gzip.compress(content))

    with pytest.raises(InvalidOutcomesError, match=fault):
        OutcomeStore(store, MODEL).get(digest_of(content))


def test_no_more_is_unpacked_than_an_import_may_have(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    digest, _ = OutcomeStore(store, MODEL).keep(outcomes(ROWS))
    monkeypatch.setattr(outcome_store, "MOST_OUTCOMES_BYTES", len(GOOD) - 1)

    with pytest.raises(InvalidOutcomesError, match="has more than"):
        OutcomeStore(store, MODEL).get(digest)
    with pytest.raises(ValueError, match="bytes, more than"):
        OutcomeStore(store, MODEL).keep(outcomes(ROWS[:-1] + ROWS))
