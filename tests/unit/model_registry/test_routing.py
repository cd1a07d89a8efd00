"""Sticky routing: promises 8 of the design, as properties."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from model_registry.alias import Alias, RoutingConfig, Shadow, next_rollout
from model_registry.routing import resolve_shadow, resolve_version, routing_point


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


def with_shadow(share: float, weight: float = 0.0) -> Alias:
    return replace(make_alias(weight), shadow=Shadow(2, share))


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_raising_the_shadows_share_never_takes_a_request_out_of_it(key: str, share: float, other: float) -> None:
    low, high = sorted((share, other))
    if resolve_shadow(with_shadow(low), key, 1) is not None:
        assert resolve_shadow(with_shadow(high), key, 1) is not None


@given(st.text())
def test_the_ends_of_the_shadows_share_are_exact(key: str) -> None:
    assert resolve_shadow(with_shadow(0.0), key, 1) is None
    assert resolve_shadow(with_shadow(1.0), key, 1) == Shadow(2, 1.0)
    assert resolve_shadow(make_alias(0.5), key, 1) is None


@given(st.text())
def test_no_version_is_the_shadow_of_itself(key: str) -> None:
    canary = with_shadow(1.0, weight=0.5)
    is_canary = resolve_version(canary, key) == 2
    assert (resolve_shadow(canary, key, resolve_version(canary, key)) is None) == is_canary


def test_the_shadows_requests_are_drawn_independently_of_the_canarys() -> None:
    alias = with_shadow(0.5, weight=0.5)
    keys = [f"loan-{number}" for number in range(2000)]
    points = [(routing_point("live-3", key), routing_point("live-3/shadow", key)) for key in keys]
    answered = [key for key in keys if resolve_version(alias, key) == 1]
    shadowed = [key for key in answered if resolve_shadow(alias, key, 1) is not None]
    assert len(answered) == sum(point >= 0.5 for point, _ in points)
    assert len(shadowed) == sum(point >= 0.5 and shadow < 0.5 for point, shadow in points)
    # Half of a half, within four standard errors.
    assert abs(len(shadowed) - 500) < 4 * (2000 * 0.25 * 0.75) ** 0.5
