"""Before outcomes are known, the figures are those of loans that are late as often as predicted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from model_monitor.expected import expected_figures
from model_watch.tally import PROBABILITY_UNIT, ScoreCounts


@given(st.lists(st.floats(0.001, 0.9), min_size=2, max_size=50))
def test_each_loan_counts_as_late_by_its_probability(probabilities: list[float]) -> None:
    p = np.array(probabilities)
    scores = ScoreCounts.of(p)
    figures = expected_figures(scores.records, scores.probability_sum * PROBABILITY_UNIT)
    assert figures.late_rate == pytest.approx(p.mean(), abs=1e-8)
    assert figures.brier == pytest.approx(np.mean(p * (1 - p)), rel=0.01)
    auc = roc_auc_score(np.repeat([1, 0], len(p)), np.tile(p, 2), sample_weight=np.concatenate([p, 1 - p]))
    # Within a bin, loans count as equal.
    assert figures.auc == pytest.approx(auc, abs=0.02)


def test_without_records_nothing_is_expected() -> None:
    figures = expected_figures(np.zeros(402, dtype=np.int64), np.zeros(402))
    assert figures.to_document() == {"late_rate": None, "auc": None, "brier": None}


def test_certain_predictions_have_no_auc() -> None:
    figures = expected_figures(np.array([3]), np.array([0.0]))
    assert figures.to_document() == {"late_rate": 0.0, "auc": None, "brier": 0.0}
