"""The rule of outcomes: edge by edge, and equal to a loop over predictions and statements."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_monitor.joined.maturity import (
    LAST_DATE,
    LATE,
    ON_TIME,
    UNKNOWN,
    KnownOutcomes,
    Statements,
    day_number,
    is_mature,
    loan_numbers,
)
from model_watch.loan_hash import LoanHasher

WINDOW = 5
DAY = 100


def statements_of(rows) -> Statements:
    loans, observed_on, as_of, is_late = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Statements(
        np.array(loans, np.uint64), np.array(observed_on, np.int64), np.array(as_of, np.int64), np.array(is_late, bool)
    )


def outcomes(rows, predictions, window=WINDOW) -> list[int]:
    loans, days = zip(*predictions, strict=True)
    known = KnownOutcomes(statements_of(rows))
    return known.of(np.array(loans, np.uint64), np.array(days, np.int64), window).tolist()


def by_loop(rows, loan, day, window=WINDOW) -> int:
    by_knowledge = defaultdict(set)
    for stated_loan, observed_on, as_of, is_late in rows:
        by_knowledge[stated_loan, observed_on, as_of].add(is_late)
    latest = {}
    for (stated_loan, observed_on, as_of), said in sorted(by_knowledge.items()):
        if len(said) == 1 and stated_loan == loan:
            latest[observed_on] = (next(iter(said)), observed_on == as_of)
    if any(is_late and day <= observed_on <= day + window for observed_on, (is_late, _) in latest.items()):
        return LATE
    for observed_on, (is_late, is_by_then) in sorted(latest.items()):
        if day + window <= observed_on <= day + 2 * window and (is_by_then or not is_late):
            return LATE if is_late else ON_TIME
    return UNKNOWN


LOANS = st.integers(0, 4) | st.sampled_from([2**63, 2**64 - 1])
LAST = day_number(LAST_DATE)
DAYS = st.integers(95, 125) | st.integers(LAST - 12, LAST)
# Many statements are of the day of their knowledge.
ROWS = st.lists(
    st.tuples(LOANS, DAYS, st.integers(0, 2), st.booleans()).map(
        lambda row: (row[0], row[1], min(row[1] + row[2], LAST), row[3])
    ),
    max_size=30,
)


@given(ROWS, st.lists(st.tuples(LOANS, DAYS), min_size=1, max_size=10), st.randoms())
def test_the_rule_equals_a_loop_over_predictions_and_statements(rows, predictions, random):
    expected = [by_loop(rows, loan, day) for loan, day in predictions]

    assert outcomes(rows, predictions) == expected
    shuffled = rows * 2
    random.shuffle(shuffled)
    assert outcomes(shuffled, predictions) == expected


@pytest.mark.parametrize(
    ("observed_on", "is_late", "outcome"),
    [
        (DAY - 1, True, UNKNOWN),
        (DAY, True, LATE),
        (DAY + WINDOW, True, LATE),
        (DAY + WINDOW + 1, True, LATE),
        (DAY + 2 * WINDOW, True, LATE),
        (DAY + 2 * WINDOW + 1, True, UNKNOWN),
        (DAY + WINDOW - 1, False, UNKNOWN),
        (DAY + WINDOW, False, ON_TIME),
        (DAY + 2 * WINDOW, False, ON_TIME),
        (DAY + 2 * WINDOW + 1, False, UNKNOWN),
    ],
)
def test_a_statement_counts_from_the_first_to_the_last_day_of_its_span(observed_on, is_late, outcome):
    assert outcomes([(1, observed_on, observed_on, is_late)], [(1, DAY)]) == [outcome]


def test_late_since_a_day_after_the_window_is_not_late_in_it():
    since, by_then = (1, DAY + WINDOW + 1, 200, True), (1, DAY + WINDOW + 2, DAY + WINDOW + 2, True)

    assert outcomes([since], [(1, DAY)]) == [UNKNOWN]
    assert outcomes([by_then, (1, DAY + WINDOW + 1, DAY + WINDOW + 1, False)], [(1, DAY)]) == [ON_TIME]
    assert outcomes([by_then, (1, DAY + WINDOW + 3, DAY + WINDOW + 3, False)], [(1, DAY)]) == [LATE]


def test_late_within_the_window_outweighs_on_time_after_it():
    assert outcomes([(1, DAY + 1, 200, True), (1, DAY + WINDOW, 200, False)], [(1, DAY)]) == [LATE]


def test_later_knowledge_about_the_same_day_wins():
    earlier, later = (1, DAY + WINDOW, 200, True), (1, DAY + WINDOW, 201, False)

    assert outcomes([later, earlier], [(1, DAY)]) == [ON_TIME]


def test_contradictions_of_the_same_knowledge_do_not_count_and_earlier_knowledge_stays():
    contradiction = [(1, DAY + WINDOW, 201, True), (1, DAY + WINDOW, 201, False)]

    assert outcomes(contradiction, [(1, DAY)]) == [UNKNOWN]
    assert outcomes([*contradiction, (1, DAY + WINDOW, 200, False)], [(1, DAY)]) == [ON_TIME]


def test_a_prediction_is_mature_once_its_window_has_passed():
    day = date(2026, 1, 1)

    assert [is_mature(day, day + timedelta(days=days), WINDOW) for days in (0, WINDOW - 1, WINDOW)] == [
        False,
        False,
        True,
    ]


def test_a_loan_is_the_first_64_bits_of_its_hash():
    hashes = [LoanHasher("k" * 40).hash(f"LN-{number}") for number in range(1000)]

    numbers = loan_numbers("".join(hashes).encode())

    assert len(numbers) == len(set(numbers.tolist())) == 1000
    assert loan_numbers(hashes[7].encode()).tolist() == [numbers[7]]
    assert loan_numbers(b"AQAAAAAAAAD_____").tolist() == [1]


@pytest.mark.parametrize("hashes", [b"short", b"=" * 16, b"+" * 16, b"\xff" * 16])
def test_what_is_not_a_hash_is_refused(hashes):
    with pytest.raises(ValueError, match="hashes"):
        loan_numbers(hashes)


@pytest.mark.parametrize("day", [date(1969, 12, 31), LAST_DATE + timedelta(days=1)])
def test_days_that_have_no_number_are_refused(day):
    with pytest.raises(ValueError, match="isn't from 1970-01-01 to 2149"):
        day_number(day)


def test_days_are_numbered_one_after_the_other():
    numbers = [day_number(date(2026, 2, day)) for day in (26, 27, 28)] + [day_number(date(2026, 3, 1))]

    assert {later - earlier for earlier, later in pairwise(numbers)} == {1}
