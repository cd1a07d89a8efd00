"""The PSI follows its definition, and samples of one distribution exceed its limit once in twenty."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model_artifact.schema import FIELD_NAMES
from model_kit import small_quarter
from model_watch.stability import stability
from training.evidence.stability import column_stability, score_stability


def test_the_index_is_that_of_its_definition() -> None:
    before, after = np.array([500.0, 300.0, 200.0]), np.array([40.0, 30.0, 30.0])
    b, a = before / 1000, after / 100
    result = stability("x", ["low", "middle", "high"], before, after)
    assert result.psi == pytest.approx(sum((a - b) * np.log(a / b)))
    assert result.by_chance == pytest.approx(2 * (1 / 1000 + 1 / 100))
    # chi-squared, two degrees of freedom, 95 %: 5.991
    assert result.limit == pytest.approx(5.9915 * (1 / 1000 + 1 / 100), rel=1e-4)
    assert (result.before, result.after) == ((0.5, 0.3, 0.2), (0.4, 0.3, 0.3))


def test_equal_distributions_have_an_index_of_zero() -> None:
    assert stability("x", ["a", "b"], np.array([60.0, 40.0]), np.array([600.0, 400.0])).psi == 0.0


def test_sampling_from_one_distribution_exceeds_the_limit_in_one_case_of_twenty() -> None:
    random = np.random.default_rng(0)
    shares = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    result = [
        stability("x", list("abcde"), *(random.multinomial(n, shares).astype(float) for n in (20_000, 2_000)))
        for _ in range(2000)
    ]
    assert np.mean([column.psi > column.limit for column in result]) == pytest.approx(0.05, abs=0.015)
    assert np.mean([column.psi for column in result]) == pytest.approx(result[0].by_chance, rel=0.1)


def test_bins_that_are_too_small_to_say_anything_are_put_together() -> None:
    before, after = np.array([900.0, 60.0, 20.0, 20.0, 0.0]), np.array([95.0, 5.0, 0.0, 0.0, 0.0])
    result = stability("x", ["a", "b", "c", "d", "nobody"], before, after)
    assert result.bins == ("a", "b", "c / d")
    assert result.before == pytest.approx((0.9, 0.06, 0.04))


def test_an_empty_bin_leaves_the_index_finite() -> None:
    result = stability("x", ["a", "b"], np.array([500.0, 500.0]), np.array([100.0, 0.0]))
    assert np.isfinite(result.psi)
    assert result.psi > 0.25
    assert result.verdict == "large"


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ([500, 500], "within sampling"),
        ([5400, 4600], "real, small"),
        ([6700, 3300], "moderate"),
        ([8000, 2000], "large"),
    ],
)
def test_the_verdict_says_whether_a_shift_is_real_and_how_large(after: list[int], verdict: str) -> None:
    result = stability("x", ["a", "b"], np.array([5000.0, 5000.0]), np.array(after, dtype=float))
    assert result.verdict == verdict


def test_a_quarter_is_stable_against_itself_and_another_rate_card_is_seen() -> None:
    features = small_quarter().features
    assert all(column.psi == 0 for column in column_stability(features, features))
    dearer = features.assign(int_rate=features["int_rate"] + 0.02)
    least_stable = column_stability(features, dearer)[0]
    assert (least_stable.name, least_stable.psi > least_stable.limit) == ("int_rate", True)
    assert {column.name for column in column_stability(features, dearer)} == set(FIELD_NAMES)


def test_missing_values_and_new_labels_are_bins() -> None:
    features = small_quarter().features
    changed = features.assign(revol_util=np.nan, purpose="boat")
    columns = {column.name: column for column in column_stability(features, pd.DataFrame(changed))}
    assert columns["revol_util"].after[-1] == pytest.approx(1.0)
    assert "boat" in columns["purpose"].bins
    assert columns["purpose"].verdict == "large"


def test_scores_are_compared_in_the_recorded_bins() -> None:
    score_bins = {"edges": [0.01, 0.02], "loans": [100, 100, 100]}
    score = score_stability(score_bins, np.repeat([0.005, 0.01, 0.5], 50))
    assert score.psi == pytest.approx(0.0)
    assert score.bins == ("below 0.01", "0.01 to 0.02", "from 0.02")
