"""The token bucket, with a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.http_api.throttling import TokenBucket
from emulator.template.http_api_spec import Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.fidelity("route-throttling")
def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(Throttle(rate=2, burst=3), clock)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    clock.now += 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now += 60
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_a_burst_of_zero_refuses_every_request() -> None:
    clock = Clock()
    for limits in (Throttle(rate=10, burst=0), Throttle(rate=0, burst=0)):
        bucket = TokenBucket(limits, clock)
        clock.now += 10
        assert not bucket.take()


@given(
    st.floats(0.1, 100),
    st.integers(1, 50),
    st.lists(st.floats(0, 0.5), min_size=1, max_size=100),
)
def test_never_more_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    clock = Clock()
    bucket = TokenBucket(Throttle(rate, burst), clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += bucket.take()
    assert passed <= burst + rate * sum(pauses) + 1e-6
