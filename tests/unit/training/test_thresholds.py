"""The threshold flags the stated share, as nearly as ties allow, or follows from the costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.thresholds import Costs, FlagShare, Stated, rule_of, threshold_for_share


def test_without_ties_the_share_is_met() -> None:
    probabilities = np.random.default_rng(0).random(1000)
    assert np.mean(probabilities >= threshold_for_share(probabilities, 0.1)) == 0.1


@given(st.lists(st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.5]), min_size=1, max_size=50), st.floats(0, 1))
def test_no_other_threshold_comes_nearer_to_the_share(values: list[float], share: float) -> None:
    probabilities = np.array(values)
    chosen = abs(np.mean(probabilities >= threshold_for_share(probabilities, share)) - share)
    assert all(chosen <= abs(np.mean(probabilities >= value) - share) + 1e-12 for value in values)


def test_a_share_says_how_it_was_chosen_and_leaves_out_what_is_unknown() -> None:
    probabilities = np.append(np.linspace(0, 1, 1001), np.nan)
    threshold = FlagShare(0.25).threshold(probabilities, "training loans with the highest out-of-bag probability")
    assert np.nanmean(probabilities[:-1] >= threshold.value) == pytest.approx(0.25, abs=0.001)
    assert threshold.how == (
        "The 25% of the training loans with the highest out-of-bag probability are at or above it."
    )


@given(st.floats(0.001, 0.999), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_from_the_threshold_of_costs_on_a_call_pays_for_itself(ratio: float, probabilities: list[float]) -> None:
    costs = Costs(missed_late=100.0, call=100.0 * ratio)
    value = costs.threshold(np.array([]), "").value
    for probability in probabilities:
        saves = probability * costs.missed_late - costs.call
        assert saves >= -1e-9 if probability >= value else saves <= 1e-9


def test_rules_say_what_they_are_for_the_record() -> None:
    assert FlagShare().to_dict() == {"flag_share": 0.1}
    assert Costs(900, 12).to_dict() == {"cost_missed_late": 900, "cost_call": 12}
    assert "A call costs 12 and saves 900" in Costs(900, 12).threshold(np.array([]), "").how


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        FlagShare(share)


@pytest.mark.parametrize(
    ("missed", "call"), [(10, 10), (10, 20), (10, 0), (0, 0), (float("inf"), 1), (10, float("nan"))]
)
def test_costs_that_make_no_sense_are_refused(missed: float, call: float) -> None:
    with pytest.raises(ValueError, match="the call must cost less"):
        Costs(missed, call)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ((None, None, None), None),
        ((0.2, None, None), FlagShare(0.2)),
        ((None, 900, 12), Costs(900, 12)),
        ((None, None, None, 0.3), Stated(0.3)),
        ((None, None, None, 0.0), Stated(0.0)),
    ],
)
def test_options_give_one_rule_or_none(options, rule) -> None:
    assert rule_of(*options) == rule


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((0.1, 900, 12), "costs or --flag-share"),
        ((0.1, None, None, 0.2), "--flag-share or --threshold"),
        ((None, 900, None), "go together"),
        ((None, None, 12), "go together"),
        ((None, None, None, 1.2), "isn't a probability"),
        ((None, None, None, float("nan")), "isn't a probability"),
    ],
)
def test_options_that_contradict_each_other_or_make_no_sense_are_refused(options, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rule_of(*options)
