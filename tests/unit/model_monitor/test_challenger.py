"""A challenger beside the champion: figures as scikit-learn and SciPy give them, and tests that hold at each look."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import log_loss, roc_auc_score

from model_monitor.challenger import (
    CallCosts,
    auc_difference,
    compare_challengers,
    cost_difference,
    log_loss_difference,
)
from model_monitor.evidence.log_loss import LARGEST_DIFFERENCE, gains
from model_monitor.joined.maturity import LATE, ON_TIME, UNKNOWN
from model_monitor.joined.outcome_tally import OutcomeTally
from model_monitor.joined.pair_tally import PairTally, tally_pairs
from model_monitor.settings import default_settings
from model_watch.sequential_tests import BETS, log_factors
from model_watch.tally import BIN_PROBABILITIES, SCORE_BINS

SETTINGS = default_settings()
COSTS = CallCosts(missed_late=900.0, call=15.0)
FIRST_DAY = date(2026, 1, 1)
# The middles of bins have themselves as their bin's probability, so that figures of counts are those of the loans.
SCORES = st.sampled_from(BIN_PROBABILITIES[60:200:7].tolist())
LOANS = st.lists(st.tuples(SCORES, st.booleans(), SCORES, st.booleans(), st.booleans()), min_size=4, max_size=40)


def columns_of(loans):
    return (np.array(column) for column in zip(*loans, strict=True))


def pairs_of(champion, is_flagged, challenger, is_flagged_too, is_late) -> PairTally:
    outcomes = np.where(is_late, LATE, ON_TIME).astype(np.int8)
    return tally_pairs((champion, challenger), (is_flagged, is_flagged_too), outcomes)


def normal(value, variance):
    half = norm.ppf(0.975) * np.sqrt(variance)
    return value, value - half, value + half


@given(LOANS)
def test_the_auc_difference_is_that_of_scikit_learn_with_the_variance_of_delong(loans):
    champion, flags, challenger, flags_too, is_late = columns_of(loans)
    difference = auc_difference(pairs_of(champion, flags, challenger, flags_too, is_late))
    if not 0 < is_late.sum() < len(is_late):
        assert np.isnan(difference.value)
        return
    value = roc_auc_score(is_late, challenger) - roc_auc_score(is_late, champion)
    # Of each late loan and each loan on time, whether they are ranked right.
    wins = [
        np.where(scores[is_late][:, None] == scores[~is_late], 0.5, scores[is_late][:, None] > scores[~is_late])
        for scores in (champion, challenger)
    ]
    change = wins[1] - wins[0]
    sides = change.mean(axis=1), change.mean(axis=0)
    if min(map(len, sides)) < 2:
        assert difference.value == pytest.approx(value)
        assert np.isnan(difference.low)
        return
    variance = sum(np.var(side, ddof=1) / len(side) for side in sides)
    assert (difference.value, difference.low, difference.high) == pytest.approx(normal(value, variance), abs=1e-9)


@given(LOANS)
def test_the_log_loss_difference_is_that_of_scikit_learn(loans):
    champion, flags, challenger, flags_too, is_late = columns_of(loans)
    difference = log_loss_difference(pairs_of(champion, flags, challenger, flags_too, is_late))
    losses = [np.where(is_late, -np.log(scores), -np.log1p(-scores)) for scores in (champion, challenger)]
    value = log_loss(is_late, challenger, labels=[0, 1]) - log_loss(is_late, champion, labels=[0, 1])
    expected = normal(value, np.var(losses[1] - losses[0], ddof=1) / len(is_late))
    # Squares are summed in units of 1e-9, and a width is a root of such a sum.
    assert (difference.value, difference.low, difference.high) == pytest.approx(expected, abs=1e-4)


@given(LOANS)
def test_the_cost_difference_is_that_of_a_count_loan_by_loan(loans):
    champion, flags, challenger, flags_too, is_late = columns_of(loans)
    difference = cost_difference(pairs_of(champion, flags, challenger, flags_too, is_late), COSTS)
    each = [
        1000 * (15.0 * (second - float(first)) + 900.0 * late * (float(first) - second))
        for first, second, late in zip(flags, flags_too, is_late, strict=True)
    ]
    expected = normal(np.mean(each), np.var(each, ddof=1) / len(each))
    assert (difference.value, difference.low, difference.high) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.integers(0, SCORE_BINS - 1), st.integers(0, SCORE_BINS - 1))
def test_no_bet_on_either_version_wins_on_average_if_the_other_one_is_right(champion_bin, challenger_bin):
    pair = PairTally(on_time={champion_bin * SCORE_BINS + challenger_bin: 1})
    gain = gains(pair)[0]
    assert np.all(np.abs(gain) <= LARGEST_DIFFERENCE)
    for sign, right in ((1, champion_bin), (-1, challenger_bin)):
        if sign < 0 and abs(champion_bin - challenger_bin) > LARGEST_DIFFERENCE * 20:
            continue
        late = BIN_PROBABILITIES[right]
        factors = np.exp(log_factors(sign * gain, bound=0.0, lowest=-LARGEST_DIFFERENCE))
        assert np.all((1 - late) * factors[0] + late * factors[1] <= 1 + 1e-12)


def outcomes_of(random, days, loans_a_day, challenger, level=1.0):
    """Return tallies by day; the champion's odds are ``level`` times the right ones."""
    outcomes = {}
    for day in range(days):
        right = 1 / (1 + np.exp(-random.normal(-4.0, 0.8, loans_a_day)))
        is_late = random.random(loans_a_day) < right
        champion = level * right / (1 - right + level * right)
        scores = challenger(random, right)
        pairs = pairs_of(champion, champion >= 0.05, scores, scores >= 0.05, is_late)
        outcomes[FIRST_DAY + timedelta(days=day)] = OutcomeTally(pairs={7: pairs})
    return outcomes


def blurred(random, right):
    return 1 / (1 + np.exp(-(np.log(right / (1 - right)) + random.normal(0, 1.0, len(right)))))


@pytest.mark.parametrize(
    ("level", "challenger", "kind"),
    [
        (1.0, lambda random, right: right, "no difference shown"),
        (2.2, lambda random, right: right, "better"),
        (1.0, blurred, "worse"),
    ],
)
def test_the_verdict_is_what_the_tests_show(level, challenger, kind):
    outcomes = outcomes_of(np.random.default_rng(5), 60, 400, challenger, level)
    (comparison,) = compare_challengers(outcomes, 6, {"threshold": {"flag_share": 0.1}}, SETTINGS)
    assert comparison.kind == kind
    assert (comparison.version, comparison.loans) == (7, 24_000)
    assert (comparison.better.is_rejected, comparison.worse.is_rejected) == (kind == "better", kind == "worse")
    assert f"{comparison.loans:,} loans, {comparison.late:,} of them late" in comparison.reason
    assert ("Since 2026-" in comparison.reason) == (kind in {"better", "worse"})
    assert comparison.cost_difference is None
    document = json.loads(json.dumps(comparison.to_document(), allow_nan=False))
    assert document["verdict"] == {"kind": kind, "reason": comparison.reason}
    assert document["threshold"] == pytest.approx(2 / SETTINGS.error_rate)


def test_if_it_has_turned_the_later_loans_decide():
    random = np.random.default_rng(5)
    early = outcomes_of(random, 40, 600, blurred)
    late = outcomes_of(random, 40, 600, lambda random, right: right, 3.0)
    turned = early | {day + timedelta(days=40): tally for day, tally in late.items()}
    (comparison,) = compare_challengers(turned, 6, {}, SETTINGS)
    assert comparison.worse.is_rejected
    assert comparison.kind == "better"


def test_the_evidence_is_the_wealth_of_the_bets_by_day():
    outcomes = outcomes_of(np.random.default_rng(5), 1, 50, blurred)
    (comparison,) = compare_challengers(outcomes, 6, {}, SETTINGS)
    pairs = outcomes[FIRST_DAY].pairs[7]
    multiples = 1 + BETS[:, None, None] * gains(pairs) / LARGEST_DIFFERENCE
    wealths = np.prod(multiples**pairs.counts, axis=(1, 2))
    # Half of the money is paid in on the first day.
    assert comparison.better.e_value == pytest.approx(
        0.5 * np.dot(wealths, [0.62, 0.09, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02])
    )


def test_the_swap_set_and_the_costs_count_decisions_that_differ():
    loans = [
        (0.02, True, 0.01, False, True),
        (0.02, True, 0.01, False, False),
        (0.01, False, 0.02, True, True),
        (0.01, False, 0.02, True, False),
        (0.01, False, 0.02, True, False),
        (0.01, True, 0.02, True, True),
        (0.01, False, 0.02, False, False),
    ]
    outcomes = {FIRST_DAY: OutcomeTally(pairs={3: pairs_of(*columns_of(loans))})}
    metrics = {"threshold": {"cost_missed_late": 900, "cost_call": 15.0}}
    (comparison,) = compare_challengers(outcomes, 2, metrics, SETTINGS)
    document = comparison.to_document()
    assert document["swaps"] == {
        "only_champion": 2,
        "only_champion_late": 1,
        "only_challenger": 3,
        "only_challenger_late": 1,
    }
    # One call more, and as many late loans found.
    assert document["cost_difference"]["value"] == pytest.approx(15 * 1000 / 7)
    assert document["costs"] == {"missed_late": 900.0, "call": 15.0}


def test_without_a_known_outcome_nothing_is_shown_and_every_figure_is_null():
    nothing = tally_pairs(
        (np.array([0.1]), np.array([0.2])), (np.array([True]), np.array([True])), np.array([UNKNOWN], np.int8)
    )
    outcomes = {
        FIRST_DAY: OutcomeTally(pairs={9: nothing}),
        FIRST_DAY + timedelta(days=1): OutcomeTally(pairs={4: nothing}),
    }
    comparisons = compare_challengers(outcomes, 2, {}, SETTINGS)
    assert [comparison.version for comparison in comparisons] == [4, 9]
    document = comparisons[0].to_document()
    assert document["verdict"]["kind"] == "not enough data"
    unknown = {"value": None, "low": None, "high": None}
    assert (document["auc_difference"], document["log_loss_difference"]) == (unknown, unknown)
    assert (document["loans"], document["late"], document["e_value"]) == (0, 0, pytest.approx(0.5))


def test_without_a_shadow_there_is_no_challenger():
    assert compare_challengers({FIRST_DAY: OutcomeTally(records=3)}, 2, {}, SETTINGS) == ()


@pytest.mark.parametrize("metrics", [{}, {"threshold": {"stated": 0.1}}, {"threshold": 3}])
def test_a_threshold_that_was_not_set_by_costs_has_none(metrics):
    assert CallCosts.of_metrics(metrics) is None
