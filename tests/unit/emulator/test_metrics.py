"""The meter counts the requests of the last minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.metrics import WINDOW_S, RequestMeter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.5

    def __call__(self) -> float:
        return self.now


def test_requests_are_counted_by_route_and_forgotten_after_a_minute() -> None:
    clock = Clock()
    meter = RequestMeter(clock)
    for second in range(10):
        clock.now = 1000.5 + second
        meter.record("GET /a", 200, 0.01)
        meter.record("GET /b", 503, 0.2)
    summary = meter.summary()
    assert summary["all"]["requests"] == 20
    assert summary["all"]["requestsPerSecond"] == 2.0
    assert summary["routes"]["GET /b"]["statuses"] == {"503": 10}
    clock.now += WINDOW_S - 5
    assert meter.summary()["all"]["requests"] == 12
    assert meter.summary()["all"]["requestsPerSecond"] == 0.0
    clock.now += 60
    assert meter.summary() == {"windowSeconds": 60, "all": RequestMeter(clock).summary()["all"], "routes": {}}


@given(st.lists(st.floats(2e-5, 600.0), min_size=1, max_size=50), st.sampled_from([50, 90, 99]))
def test_percentiles_are_right_to_within_their_class(latencies: list[float], share: int) -> None:
    meter = RequestMeter(Clock())
    for seconds in latencies:
        meter.record("r", 200, seconds)
    exact = sorted(latencies)[-(-len(latencies) * share // 100) - 1]
    assert meter.summary()["all"]["latencyMs"][f"p{share}"] == pytest.approx(exact * 1000, rel=0.05)


def test_requests_beyond_the_first_and_last_class_are_counted() -> None:
    meter = RequestMeter(Clock())
    meter.record("r", 200, 0.0)
    meter.record("r", 200, 1e9)
    assert meter.summary()["all"]["requests"] == 2


def test_requests_are_counted_by_a_header_of_their_answers() -> None:
    meter = RequestMeter(Clock(), "X-Model-Version")
    for headers in ([("x-model-version", "2")], [("Content-Type", "a"), ("X-Model-Version", "1")], []):
        meter.record("POST /predict", 200, 0.01, headers)
    meter.record("POST /predict", 500, 0.01, [("X-Model-Version", "x" * 1000)])
    summary = meter.summary()
    assert summary["all"]["requests"] == 4
    assert summary["byHeader"]["name"] == "X-Model-Version"
    values = summary["byHeader"]["values"]
    assert list(values) == ["1", "2", "x" * 64]
    assert values["1"]["statuses"] == {"200": 1}
