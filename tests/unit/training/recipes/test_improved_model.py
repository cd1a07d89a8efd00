"""The improved model: monotone where it should be, its intercept where the newest loans put it, small."""

from __future__ import annotations

import numpy as np
import pytest

from model_artifact.features import frame_from_records
from model_artifact.reasons.explain import Explainer
from model_artifact.reasons.reference import typical_record
from model_artifact.schema import GRADES
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.scorers.record_scorer import make_scorer
from model_kit import dumped, small_forest, small_quarter
from training.evidence.reason_counts import count_reasons, is_against_sense
from training.evidence.sweeps import LENDING_SENSE, sweep_all
from training.recipes import improved_model
from training.recipes.calibration import NEWEST_ROWS, intercept_shift, shift_intercept
from training.recipes.contenders import logistic_regression, monotone_trees, sensible_trees
from training.recipes.recipe import DEFAULT_SEED


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities / (1 - probabilities))


@pytest.fixture(scope="module")
def fitted():
    quarter = small_quarter(6000)
    return monotone_trees(40, DEFAULT_SEED).fit(quarter.features, quarter.target)


@pytest.mark.parametrize("build", [lambda: monotone_trees(40, 42), lambda: logistic_regression(0, 0)])
def test_setting_the_intercept_moves_every_log_odds_by_exactly_that(build) -> None:
    quarter = small_quarter(3000)
    pipeline = build().fit(quarter.features, quarter.target)
    before = _log_odds(pipeline.predict_proba(quarter.features)[:, 1])
    shift_intercept(pipeline, -0.7)
    after = _log_odds(pipeline.predict_proba(quarter.features)[:, 1])
    assert np.abs(after - before + 0.7).max() < 1e-12


def test_a_model_without_an_intercept_is_refused() -> None:
    with pytest.raises(TypeError, match="RandomForestClassifier"):
        shift_intercept(small_forest(), 0.1)


def test_the_intercept_makes_the_unseen_mean_the_observed_rate_of_the_newest_rows() -> None:
    out_of_fold = improved_model.fit(small_quarter(2000), 10).out_of_sample
    newest = slice(NEWEST_ROWS)
    assert out_of_fold[newest].mean() == pytest.approx(small_quarter(2000).target[newest].mean(), abs=1e-9)


@pytest.mark.parametrize("target", [np.zeros(4, dtype=int), np.ones(4, dtype=int)])
def test_rows_of_one_outcome_leave_the_intercept(target: np.ndarray) -> None:
    assert intercept_shift(np.full(4, 0.2), target) == 0.0


@pytest.mark.parametrize(
    ("column", "values", "sign"),
    [
        ("int_rate", np.linspace(0.05, 0.31, 60), 1),
        ("grade", list(GRADES), 1),
        ("annual_inc", np.geomspace(1e3, 1e7, 60), -1),
        ("delinq_2yrs", range(25), 1),
    ],
)
def test_a_sweep_is_monotone_where_lending_sense_asks_for_it(fitted, column: str, values, sign: int) -> None:
    for record in small_quarter().features.sample(20, random_state=1).to_dict("records"):
        sweep = frame_from_records([{**record, column: value} for value in values])
        probabilities = fitted.predict_proba(sweep)[:, 1]
        assert (sign * np.diff(probabilities) >= -1e-15).all()


def test_the_monotone_contender_never_moves_against_lending_sense_and_gives_no_such_reason() -> None:
    quarter = small_quarter(6000)
    reference = typical_record({name: column.tolist() for name, column in quarter.features.items()})
    given = {}
    for build in (sensible_trees, monotone_trees):
        pipeline = build(40, DEFAULT_SEED).fit(quarter.features, quarter.target)
        explainer = Explainer(make_scorer(compile_pipeline(pipeline)), reference)
        codes = count_reasons(explainer, quarter.features).codes
        sweeps = sweep_all(pipeline, quarter.features, LENDING_SENSE)
        given[build] = (all(sweep.is_monotone for sweep in sweeps), list(filter(is_against_sense, codes)))
    assert given[sensible_trees] == (True, [])
    is_sensible, codes = given[monotone_trees]
    assert not is_sensible
    assert "DTI_LOW" in codes


def test_where_the_chosen_model_moves_against_lending_sense_the_monotone_contender_is_fitted_too() -> None:
    quarter = small_quarter(6000)
    fit = improved_model.fit(quarter, 20)
    assert fit.description.startswith(
        "Small gradient-boosted trees, monotone in rate, grade, income and delinquencies,"
    )
    assert fit.alternative is not None
    assert "dti" in fit.alternative.columns
    named = improved_model.fit(quarter, 20, contender=fit.alternative.contender)
    assert dumped(named.pipeline) == dumped(fit.alternative.pipeline)
    assert named.alternative is None


def test_missing_and_unseen_values_are_handled_inside_the_pipeline(fitted) -> None:
    frame = small_quarter().features.head(4).copy()
    frame["revol_util"] = np.nan
    frame["emp_length"] = np.array([np.nan, "11 years", None, ""], dtype=object)
    frame["purpose"] = "a purpose that nobody had"
    assert np.isfinite(fitted.predict_proba(frame)).all()


def test_the_pickle_is_small(fitted) -> None:
    assert len(dumped(fitted)) < 200_000


def test_what_is_chosen_is_monotone_on_every_quarter_and_a_named_contender_is_taken_as_it_is() -> None:
    quarter = small_quarter(6000)
    fit = improved_model.fit(quarter, 20)
    assert all(sweep.is_monotone for sweep in sweep_all(fit.pipeline, quarter.features, seed=3))
    named = improved_model.fit(quarter, 20, contender="free_trees")
    assert named.description.startswith("Small gradient-boosted trees without constraints, as named, ")
    assert [contender["name"] for contender in named.evidence["selection"]["contenders"]] == ["free_trees"]
