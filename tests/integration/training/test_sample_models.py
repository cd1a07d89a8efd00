"""On the generated loans, the models rank as they do on the real ones."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from training import data
from training.evidence.comparison import compare
from training.evidence.evaluation import evaluate
from training.recipes import basic_model
from training.recipes.calibration import NEWEST_ROWS, intercept_shift, shift_intercept
from training.recipes.contenders import CONTENDERS, DEFAULT_ROUNDS
from training.selection import Selection, select

SEED = 42


@pytest.fixture(scope="module")
def quarters() -> data.Quarters:
    return data.load(None, {}) if not data.DEFAULT_PATH.exists() else pytest.skip("real data are in the way")


def test_the_models_rank_as_on_the_real_loans(quarters: data.Quarters) -> None:
    # One test, so that parallel runs of the tests select once.
    with threadpool_limits(limits=1):
        selection = select(quarters.train, CONTENDERS, DEFAULT_ROUNDS, seed=SEED, repeats=1)
    mean = {score.contender.name: np.mean(score.roc_auc) for score in selection.scores}
    assert selection.contender.name == "partly_monotone"
    assert mean["partly_monotone"] == pytest.approx(mean["free_trees"], abs=0.002)
    assert mean["partly_monotone"] - 0.012 < mean["logistic_regression"] < mean["partly_monotone"] - 0.002
    assert mean["trees_as_they_come"] < mean["logistic_regression"]
    assert 0.71 < mean["partly_monotone"] < 0.735

    features, target = quarters.test.features, quarters.test.target
    probabilities = _fitted(quarters, selection).predict_proba(features)[:, 1]
    metrics = evaluate(target, probabilities, 0.03)
    assert 0.715 < metrics["roc_auc"]["value"] < 0.765
    assert 0.8 < metrics["observed_over_expected"]["value"] < 1.25
    assert 0.9 < metrics["calibration_slope"]["value"] < 1.25

    # A quarter of the forest's trees shows it and spares the time of the rest, which add a few hundredths.
    by_forest = basic_model.fit(quarters.train, 25).pipeline.predict_proba(features)[:, 1]
    gain = compare(target, probabilities, by_forest).roc_auc
    assert gain.low > 0
    assert 0.05 < gain.value < 0.20
    metrics = evaluate(target, by_forest, 0.5)
    assert 0.54 < metrics["roc_auc"]["value"] < 0.66
    assert metrics["calibration_slope"]["high"] < 0.3


def test_late_rates_by_decile_are_high_at_both_ends_as_in_the_real_loans(quarters: data.Quarters) -> None:
    loans = quarters.train.frame
    for column, lowest in (("dti", 0.0281), ("revol_util", 0.0230)):
        tenth = loans[column] <= loans[column].quantile(0.1)
        assert loans.loc[tenth, "is_late"].mean() == pytest.approx(lowest, abs=0.003)


def _fitted(quarters: data.Quarters, selection: Selection) -> Pipeline:
    target = quarters.train.target
    with threadpool_limits(limits=1):
        pipeline = selection.contender.build(DEFAULT_ROUNDS, SEED).fit(quarters.train.features, target)
    shift_intercept(pipeline, intercept_shift(selection.out_of_fold[:NEWEST_ROWS], target[:NEWEST_ROWS]))
    return pipeline
