"""How many requests a function may have in flight, and how fast it may add environments."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lambda_service.data_plane.ledger import BurstRate, ConcurrencyLedger
from emulator.lambda_service.errors import TooManyRequestsError


def claims(ledger: ConcurrencyLedger, function: str, most: int = 2000) -> tuple[int, str | None]:
    """Claim until it is refused; return the number of claims, and the reason."""
    for number in range(most):
        try:
            ledger.claim(function)
        except TooManyRequestsError as error:
            return number, error.reason
    raise AssertionError("never refused")


@pytest.mark.fidelity("concurrency")
def test_a_reservation_is_a_cap_and_is_taken_out_of_the_rest() -> None:
    ledger = ConcurrencyLedger(200)
    ledger.set_reserved("a", 60)
    assert claims(ledger, "a") == (60, "ReservedFunctionConcurrentInvocationLimitExceeded")
    assert claims(ledger, "b") == (140, "ConcurrentInvocationLimitExceeded")
    assert claims(ledger, "c") == (0, "ConcurrentInvocationLimitExceeded"), "b has taken all of the rest"
    ledger.release("b")
    ledger.claim("c")
    ledger.release("a")
    ledger.claim("a")


def test_a_reservation_of_0_refuses_every_request() -> None:
    ledger = ConcurrencyLedger()
    ledger.set_reserved("a", 0)
    assert claims(ledger, "a") == (0, "ReservedFunctionConcurrentInvocationLimitExceeded")
    ledger.set_reserved("a", None)
    ledger.claim("a")


def test_provisioned_concurrency_is_set_aside_for_its_function_and_doesnt_limit_it() -> None:
    ledger = ConcurrencyLedger(110)
    ledger.set_provisioned("a", 10)
    assert claims(ledger, "b") == (100, "ConcurrentInvocationLimitExceeded")
    assert claims(ledger, "a")[0] == 10
    for _ in range(50):
        ledger.release("b")
    assert claims(ledger, "a")[0] == 50
    assert ledger.in_flight("a") == 60


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["claim", "release", "reserve", "provision"]),
                           st.integers(0, 6)), max_size=120)  # fmt: skip


@given(STEPS)
def test_whatever_changes_meanwhile_nothing_is_counted_twice_or_lost(steps: list[tuple[str, str, int]]) -> None:
    ledger = ConcurrencyLedger(20)
    in_flight = dict.fromkeys("abc", 0)
    for function, what, number in steps:
        if what == "claim":
            with contextlib.suppress(TooManyRequestsError):
                ledger.claim(function)
                in_flight[function] += 1
        elif what == "release" and in_flight[function]:
            ledger.release(function)
            in_flight[function] -= 1
        elif what == "reserve":
            ledger.set_reserved(function, number or None)
        elif what == "provision":
            ledger.set_provisioned(function, number)
        assert {name: ledger.in_flight(name) for name in "abc"} == in_flight
    for function, number in in_flight.items():
        for _ in range(number):
            ledger.release(function)
        ledger.set_reserved(function, None)
        ledger.set_provisioned(function, 0)
    assert claims(ledger, "a")[0] == 20


@pytest.mark.fidelity("scaling-rate")
def test_a_thousand_environments_per_function_in_ten_seconds() -> None:
    now = [0.0]
    burst = BurstRate(lambda: now[0])
    for number in range(1000):
        now[0] = number * 0.004
        burst.take("a")
    burst.take("b")
    with pytest.raises(TooManyRequestsError) as refused:
        burst.take("a")
    assert (refused.value.limit, refused.value.reason) == (1000, "ConcurrentInvocationLimitExceeded")
    now[0] = 9.999
    with pytest.raises(TooManyRequestsError):
        burst.take("a")
    now[0] = 10.002
    burst.take("a")
    with pytest.raises(TooManyRequestsError):
        burst.take("a")


def test_refused_requests_are_counted_by_function() -> None:
    ledger = ConcurrencyLedger(1)
    ledger.claim("a")
    for function in ("a", "b", "b"):
        with pytest.raises(TooManyRequestsError):
            ledger.claim(function)
    ledger.set_reserved("c", 0)
    with pytest.raises(TooManyRequestsError):
        ledger.claim("c")
    ledger.count_throttle("c")
    assert [ledger.throttles(function) for function in "abcd"] == [1, 2, 2, 0]
