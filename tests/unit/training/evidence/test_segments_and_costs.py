"""Segments count every loan once, and small ones have no ROC-AUC; costs are those of counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from model_kit import small_boosted, small_quarter
from training.evidence.costs import SHARES, cost_per_thousand, threshold_rows
from training.evidence.segments import LEAST_LATE, LEAST_LOANS, each_segment, has_enough, segment_results


@pytest.fixture(scope="module")
def scored():
    quarter = small_quarter(3000)
    return quarter.features, quarter.target, small_boosted().predict_proba(quarter.features)[:, 1]


def test_every_loan_is_in_one_segment_of_each_column(scored) -> None:
    features, target, probabilities = scored
    segments = segment_results(features, target, probabilities, 0.02)
    for column in ("grade", "purpose", "home_ownership"):
        of_column = [segment for segment in segments if segment.column == column]
        assert sum(segment.loans for segment in of_column) == len(target)
        assert sum(segment.late for segment in of_column) == target.sum()
        assert sum(segment.expected for segment in of_column) == pytest.approx(probabilities.sum())
        assert sum(segment.flagged for segment in of_column) == np.sum(probabilities >= 0.02)


def test_a_large_segment_has_the_auc_of_its_loans_and_a_small_one_none(scored) -> None:
    features, target, probabilities = scored
    for segment in segment_results(features, target, probabilities, 0.02):
        rows = (features[segment.column] == segment.label).to_numpy()
        if segment.loans >= LEAST_LOANS and segment.late >= LEAST_LATE:
            assert segment.roc_auc is not None
            assert segment.roc_auc.value == pytest.approx(roc_auc_score(target[rows], probabilities[rows]))
            assert segment.roc_auc.low <= segment.roc_auc.value <= segment.roc_auc.high
        else:
            assert segment.roc_auc is None


def test_a_missing_label_is_a_segment(scored) -> None:
    features, _, _ = scored
    changed = features.assign(purpose=features["purpose"].where(features.index >= 100))
    sizes = {(column, label): int(rows.sum()) for column, label, rows in each_segment(changed)}
    assert sizes["purpose", "missing"] == 100


@pytest.mark.parametrize(
    ("loans", "late", "enough"), [(200, 10, True), (199, 10, False), (200, 9, False), (200, 200, False)]
)
def test_enough_is_enough_loans_and_enough_of_both_outcomes(loans: int, late: int, enough: bool) -> None:
    assert has_enough(np.array([1] * late + [0] * (loans - late))) is enough


def test_costs_are_calls_and_missed_late_payers() -> None:
    target = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    flagged = np.array([True, False, True, *[False] * 7])
    cost = cost_per_thousand(target, flagged, 50)
    assert cost.value == 1000 * (2 + 50 * 1) / 10
    assert cost.low < cost.value < cost.high


def test_the_rows_hold_the_chosen_threshold_and_round_shares(scored) -> None:
    _, target, probabilities = scored
    chosen = float(np.median(probabilities))
    rows = threshold_rows(target, probabilities, chosen, ratios=(20.0,))
    assert [row.threshold for row in rows if row.is_chosen] == [chosen]
    assert [row.threshold for row in rows] == sorted((row.threshold for row in rows), reverse=True)
    # Besides the shares: the version's own, the cheapest, nobody and everybody.
    assert len(rows) <= len(SHARES) + 4
    assert (rows[0].flagged.value, rows[-1].flagged.value) == (0, 1)
    for row in rows[1:]:
        flagged = probabilities >= row.threshold
        assert row.flagged.value == np.mean(flagged)
        assert row.recall.value == target[flagged].sum() / target.sum()
        assert row.precision.value == target[flagged].mean()


@pytest.mark.parametrize("ratio", [0.5, 5.0, 20.0, 50.0, 1e6])
def test_the_cheapest_row_costs_less_than_any_other_threshold(scored, ratio: float) -> None:
    _, target, probabilities = scored
    rows = threshold_rows(target, probabilities, 0.02, ratios=(ratio,))
    (cheapest,) = [row for row in rows if row.cheapest_at == (ratio,)]
    others = [*np.unique(probabilities), np.inf]
    costs = [cost_per_thousand(target, probabilities >= threshold, ratio).value for threshold in others]
    assert cheapest.costs[0].value == pytest.approx(min(costs))
    # If a call costs more than it can save, nobody is called; if it costs next to nothing, no late loan is missed.
    assert cheapest.flagged.value == 0 or ratio > 1
    assert cheapest.recall.value == 1 or ratio < 1e6


def test_thresholds_that_flag_the_same_loans_are_one_row_and_the_versions_own_stays() -> None:
    target, probabilities = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    rows = threshold_rows(target, probabilities, 0.25, ratios=(20.0,))
    assert [row.threshold for row in rows if row.is_chosen] == [0.25]
    assert len({row.flagged.value for row in rows}) == len(rows)
    everybody = threshold_rows(target, probabilities, 0.0, ratios=(20.0,))[-1]
    assert (everybody.is_chosen, everybody.flagged.value) == (True, 1.0)
    nobody = threshold_rows(target, probabilities, 0.9, ratios=(20.0,))[0]
    assert (nobody.is_chosen, nobody.flagged.value) == (True, 0.0)
