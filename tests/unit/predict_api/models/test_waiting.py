"""Clocks and back-offs: how long ago at most, and how long to wait."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from predict_api.models.back_off import BackOff
from predict_api.models.clock import Instant, elapsed_s, known_elapsed_s, read_clocks

seconds = st.floats(min_value=0, max_value=1e6)


@given(seconds, seconds)
def test_elapsed_is_what_the_faster_clock_says(monotonic_s: float, wall_s: float) -> None:
    elapsed = elapsed_s(Instant(0, 0), Instant(monotonic_s, wall_s))
    assert elapsed == max(monotonic_s, wall_s)


def test_wall_clock_that_went_back_says_that_nothing_is_known() -> None:
    assert elapsed_s(Instant(0, 100), Instant(1, 99)) == math.inf


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_known_time_is_finite_and_not_negative_however_the_clocks_are_set(monotonic_s: float, wall_s: float) -> None:
    elapsed = known_elapsed_s(Instant(0, 0), Instant(monotonic_s, wall_s))
    assert elapsed == max(monotonic_s, wall_s, 0)


def test_system_clock_moves_forward() -> None:
    assert elapsed_s(read_clocks(), read_clocks()) >= 0


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_double_up_to_the_cap_and_are_shortened_by_half_at_most(failures: int, random: float) -> None:
    wait_s = BackOff(first_s=0.25, cap_s=30, random=lambda: random).wait_s(failures)
    whole = min(30, 0.25 * 2 ** min(failures - 1, 20))
    assert whole / 2 <= wait_s <= whole


def test_failures_count_from_the_last_one() -> None:
    back_off = BackOff(first_s=1, cap_s=8, random=lambda: 0.0)
    first = back_off.after_failure(None, Instant(0, 0))
    second = back_off.after_failure(first, Instant(5, 5))
    assert (first.count, first.wait_s) == (1, 1)
    assert (second.count, second.wait_s) == (2, 2)
    assert second.remaining_s(Instant(6, 6)) == 1
    assert second.remaining_s(Instant(7, 7)) == 0
    assert second.remaining_s(Instant(9, 9)) == 0
