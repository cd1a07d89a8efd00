"""Sticky routing: promises 8 of the design, as properties."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_registry.alias import Alias, RoutingConfig, next_rollout
from model_registry.routing import resolve_version


def make_alias(weight: float, rollout: str = "live-3") -> Alias:
    return Alias("live", 3, 1, RoutingConfig({2: weight}), rollout, "2026-01-01", "tester", "", "id")


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_raising_the_weight_never_moves_a_key_back(key: str, weight: float, other: float) -> None:
    low, high = sorted((weight, other))
    if resolve_version(make_alias(low), key) == 2:
        assert resolve_version(make_alias(high), key) == 2


@given(st.text())
def test_the_ends_are_exact(key: str) -> None:
    assert resolve_version(make_alias(0.0), key) == 1
    assert resolve_version(make_alias(1.0), key) == 2


def test_observed_shares_match_the_weight() -> None:
    keys = [f"loan-{number}" for number in range(20_000)]
    share = sum(resolve_version(make_alias(0.1), key) == 2 for key in keys) / len(keys)
    # Four standard errors of a share of 0.1 in 20,000.
    assert abs(share - 0.1) < 4 * (0.1 * 0.9 / len(keys)) ** 0.5


def test_another_rollout_draws_other_keys() -> None:
    keys = [f"loan-{number}" for number in range(1000)]
    first = {key for key in keys if resolve_version(make_alias(0.5, "live-3"), key) == 2}
    second = {key for key in keys if resolve_version(make_alias(0.5, "live-9"), key) == 2}
    assert 150 < len(first & second) < 350


def test_a_rollout_lasts_while_two_versions_keep_their_places() -> None:
    current = make_alias(0.1)
    assert next_rollout(current, "live", 4, (1, 2)) == "live-3"
    assert next_rollout(current, "live", 4, (2, 1)) == "live-4"
    assert next_rollout(current, "live", 4, (1,)) == "live-4"
    assert next_rollout(None, "live", 1, (1, 2)) == "live-1"
