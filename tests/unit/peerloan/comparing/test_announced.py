"""The window that a plan announces: measured, and as a document."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_rollout.window import AnnouncedWindow
from model_watch.intervals import wilson
from peerloan.comparing.announced import announced_window

PROBABILITIES = st.floats(0, 1)
PAIRS = st.lists(st.tuples(PROBABILITIES, PROBABILITIES), min_size=2, max_size=50)


def window_of(pairs, main_threshold=0.5, candidate_threshold=0.5, level=0.99):
    main, candidate = zip(*pairs, strict=True)
    return announced_window(
        main, candidate, main_threshold=main_threshold, candidate_threshold=candidate_threshold, level=level
    )


def test_the_window_has_the_mean_difference_and_the_share_of_other_decisions() -> None:
    window = window_of([(0.1, 0.2), (0.4, 0.6), (0.6, 0.4), (0.9, 0.9)])
    assert window.loans == 4
    assert math.isclose(window.mean_difference, 0.025)
    assert window.low < 0.025 < window.high
    assert window.flip_share == 0.5


def test_the_window_has_the_value_that_one_loan_in_a_thousand_exceeds() -> None:
    window = window_of([(0.1, 0.1)] * 1997 + [(0.1, 0.3), (0.1, 0.4), (0.9, 0.1)])
    assert window.tail_difference == pytest.approx(0.2)
    assert window.tail_score == 0.1
    assert window_of([(0.1, 0.1), (0.9, 0.1)]).tail_score == 0.9


def test_each_version_decides_by_its_own_threshold() -> None:
    assert window_of([(0.1, 0.1)] * 10, main_threshold=0.1, candidate_threshold=0.2).flip_share == 1
    assert window_of([(0.1, 0.2)] * 10, main_threshold=0.1, candidate_threshold=0.2).flip_share == 0


def test_equal_versions_announce_no_difference() -> None:
    window = window_of([(0.25, 0.25)] * 1000)
    assert (window.mean_difference, window.low, window.high) == (0, 0, 0)
    assert window.flip_share == window.flip_low == 0
    assert window.flip_high < 0.01


def test_the_window_has_how_many_more_loans_the_candidate_flags() -> None:
    window = window_of([(0.1, 0.6)] * 30 + [(0.6, 0.1)] * 10 + [(0.1, 0.1)] * 960)
    assert window.flag_low < 0.02 < window.flag_high
    assert window.flag_high - window.flag_low == pytest.approx(2 * 2.576 * math.sqrt(0.0396 / 999), rel=0.01)
    assert window.flip_share == 0.04


@given(PAIRS)
def test_the_window_holds_what_was_measured_and_turns_with_the_versions(pairs) -> None:
    window = window_of(pairs)
    assert -1 <= window.low <= window.mean_difference <= window.high <= 1
    assert 0 <= window.flip_low <= window.flip_share <= window.flip_high <= 1
    turned = window_of([(candidate, main) for main, candidate in pairs])
    assert turned.flip_share == window.flip_share
    assert math.isclose(turned.low, -window.high, abs_tol=1e-12)


@given(st.integers(0, 40), st.integers(2, 40))
def test_the_share_has_the_interval_of_the_evidence(flips, loans) -> None:
    flips = min(flips, loans)
    window = window_of([(0.1, 0.9)] * flips + [(0.1, 0.1)] * (loans - flips), level=0.95)
    expected = wilson(flips, loans)
    assert math.isclose(window.flip_low, expected.low, abs_tol=1e-12)
    assert math.isclose(window.flip_high, expected.high, abs_tol=1e-12)


def test_a_window_survives_its_document() -> None:
    window = window_of([(0.1, 0.2), (0.4, 0.6)])
    assert AnnouncedWindow.from_document(window.to_document()) == window


def test_too_few_loans_are_refused() -> None:
    with pytest.raises(ValueError, match="two loans"):
        window_of([(0.1, 0.2)])
    with pytest.raises(ValueError, match="same loans"):
        announced_window([0.1, 0.2], [0.1], main_threshold=0.5, candidate_threshold=0.5)
