"""Outcome tallies equal a count loan by loan, add in any order, and survive their document."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_monitor.joined.maturity import LATE, ON_TIME, UNKNOWN
from model_monitor.joined.outcome_tally import OutcomeTally, tally_outcomes
from model_monitor.joined.pair_tally import PairTally, tally_pairs
from model_watch.tally import SCORE_BINS, score_bin

SCORES = st.sampled_from([0.0, 1e-12, 0.02, 0.021, 0.5, 1.0])
LOANS = st.lists(
    st.tuples(SCORES, st.booleans(), SCORES, st.booleans(), st.sampled_from([LATE, ON_TIME, UNKNOWN])), max_size=12
)
LOAN = (0.02, True, 0.03, False, LATE)


def tally(loans) -> OutcomeTally:
    columns = zip(*loans, strict=True) if loans else [()] * 5
    late, flags, shadow_late, shadow_flags, outcomes = (np.array(column) for column in columns)
    late, shadow_late = late.astype(float), shadow_late.astype(float)
    flags, shadow_flags, outcomes = flags.astype(bool), shadow_flags.astype(bool), outcomes.astype(np.int8)
    pair = tally_pairs((late, shadow_late), (flags, shadow_flags), outcomes)
    return tally_outcomes(late, flags, outcomes, unhashed=2, pairs={4: pair})


def bin_of(late: float) -> int:
    return int(score_bin([late])[0])


def log_loss(late: float, is_late: bool) -> float:
    edge = 1 / (1 + math.exp(10))
    return -math.log(min(max(late if is_late else 1 - late, edge), 1 - edge))


@given(LOANS)
def test_a_tally_counts_what_a_loop_over_the_loans_counts(loans):
    counted = tally(loans)

    known = [loan for loan in loans if loan[4] != UNKNOWN]
    assert (counted.records, counted.mature, counted.unhashed) == (len(loans), len(loans), 2)
    assert (counted.known, counted.unknown) == (len(known), len(loans) - len(known))
    assert counted.n_late == sum(loan[4] == LATE for loan in known)
    for place in {bin_of(loan[0]) for loan in known}:
        here = [loan for loan in known if bin_of(loan[0]) == place]
        assert counted.on_time[place] == sum(loan[4] == ON_TIME for loan in here)
        assert counted.late[place] == sum(loan[4] == LATE for loan in here)
        assert counted.probability_sum[place] == sum(round(loan[0] * 1e9) for loan in here)
    for flag in (False, True):
        for is_late in (False, True):
            loans_there = sum((loan[1], loan[4] == LATE) == (flag, is_late) for loan in known)
            assert counted.decisions[int(flag), int(is_late)] == loans_there
    check_pair(counted.pairs[4], known)


def check_pair(pair: PairTally, known) -> None:
    cells = Counter((bin_of(loan[0]) * SCORE_BINS + bin_of(loan[2]), loan[4]) for loan in known)
    counted = {
        (cell, outcome): int(number)
        for cell, numbers in zip(pair.cells.tolist(), pair.counts, strict=True)
        for outcome, number in ((ON_TIME, numbers[0]), (LATE, numbers[1]))
        if number
    }
    assert counted == cells
    assert pair.loans == len(known)
    swaps = Counter((int(loan[1]), int(loan[3]), loan[4]) for loan in known)
    assert {place: int(pair.swaps[place]) for place in np.ndindex(2, 2, 2) if pair.swaps[place]} == swaps
    differences = [log_loss(loan[2], loan[4] == LATE) - log_loss(loan[0], loan[4] == LATE) for loan in known]
    assert pair.loss_difference * 1e-9 == pytest.approx(sum(differences), abs=1e-6)
    assert pair.squared_loss_difference * 1e-9 == pytest.approx(sum(d * d for d in differences), abs=1e-6)


@given(LOANS, LOANS, LOANS)
def test_tallies_add_in_any_order_and_grouping_to_the_tally_of_all_loans(first, second, third):
    one, two, three = tally(first), tally(second), tally(third)

    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + OutcomeTally() == one
    whole = (one + two + three).to_document()
    assert whole | {"unhashed": 2} == tally([*first, *second, *third]).to_document()


@given(LOANS)
def test_a_tally_is_the_same_after_its_document(loans):
    counted = tally(loans)

    assert OutcomeTally.from_document(json.loads(json.dumps(counted.to_document()))) == counted


def test_nothing_is_known_of_loans_whose_window_has_not_passed():
    assert tally([LOAN]).immature() == OutcomeTally(records=1, unhashed=2)


def test_a_damaged_document_is_refused_with_the_member_that_is_wrong():
    document = tally([LOAN]).to_document()

    for damage, message in [
        ({"records": -1}, "records"),
        ({"late": {"402": 1}}, "late"),
        ({"pairs": {"x": {}}}, "pairs"),
        ({"pairs": {"4": {"swaps": 1}}}, "late"),
    ]:
        with pytest.raises(ValueError, match=message):
            OutcomeTally.from_document(document | damage)
