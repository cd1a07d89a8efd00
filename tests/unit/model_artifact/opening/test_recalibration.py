"""A recalibrated model has the line of its log-odds, and compiles to arrays as it did before."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fitted_pipelines import KINDS, fitted, loans, records
from model_artifact.opening.load import check_names, open_pickle
from model_artifact.opening.recalibration import OpenModel, recalibrate, set_line
from model_artifact.pipeline import check_pipeline, late_probabilities
from model_artifact.serving_form.parity import compile_verified
from model_watch.outcome_figures import log_odds

LINE = (-0.6, 0.8)


@pytest.mark.parametrize("kind", KINDS)
def test_its_log_odds_are_the_line_of_the_former_ones(kind: str) -> None:
    model, frame = copy.deepcopy(fitted(kind)), loans(8)[0]
    before = late_probabilities(model, frame)
    recalibrated = open_pickle(OpenModel(model).recalibrated(LINE))
    check_pipeline(recalibrated)
    after = late_probabilities(recalibrated, frame)
    # Beyond these a forest's probabilities are 0 or 1, where the table ends.
    within = (before > 1e-6) & (before < 1 - 1e-6)
    assert within.any()
    np.testing.assert_allclose(
        log_odds(after[within]),
        LINE[0] + LINE[1] * log_odds(before[within]),
        atol=1e-9 if set_line(copy.deepcopy(model), 0.0, 1.0) else 2e-3,
    )
    # Loans keep their order.
    assert np.all(np.diff(after[np.argsort(before, kind="stable")]) >= 0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_compiles_to_arrays(kind: str) -> None:
    recalibrated = recalibrate(copy.deepcopy(fitted(kind)), *LINE)
    form = compile_verified(recalibrated, list(records()[:50]))
    assert form.body, form.why_not


@pytest.mark.parametrize("kind", ["logistic", "forest", "boosting-large"])
def test_its_pickle_asks_for_no_names_that_a_candidates_may_not(kind: str) -> None:
    assert "sklearn" in check_names(OpenModel(copy.deepcopy(fitted(kind))).recalibrated(LINE))


def test_a_model_may_be_recalibrated_again() -> None:
    frame, model = loans()[0], copy.deepcopy(fitted("forest"))
    before = late_probabilities(model, frame)
    twice = recalibrate(recalibrate(model, *LINE), 0.6, 1.25)
    after = late_probabilities(twice, frame)
    within = (before > 1e-4) & (before < 1 - 1e-4)
    np.testing.assert_allclose(log_odds(after[within]), 0.6 + 1.25 * (-0.6 + 0.8 * log_odds(before[within])), atol=5e-3)


def test_the_table_ends_where_a_forest_is_sure() -> None:
    frame, model = loans()[0], copy.deepcopy(fitted("forest"))
    before = late_probabilities(model, frame)
    after = late_probabilities(recalibrate(model, 0.0, 0.5), frame)
    assert (before == 0).any()
    np.testing.assert_allclose(after[before == 0], 1e-3, rtol=1e-3)
