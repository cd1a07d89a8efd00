"""The basic model gives the probabilities that PeerLoan's data scientist defined, in spite of what was added."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from model_kit import small_quarter
from training.recipes import basic_model


def test_growing_in_steps_gives_the_forest_that_a_plain_fit_gives() -> None:
    quarter = small_quarter()
    reports = []
    stepwise = basic_model.fit(quarter, 25, n_jobs=2, progress=lambda *report: reports.append(report)).pipeline
    plain = basic_model.build_pipeline(25).fit(quarter.features, quarter.target)
    assert np.array_equal(stepwise.predict_proba(quarter.features), plain.predict_proba(quarter.features))
    assert stepwise.get_params().keys() == plain.get_params().keys()
    assert reports == [(10, 25), (20, 25), (25, 25)]


def test_the_definition_is_the_one_that_was_given() -> None:
    pipeline = basic_model.build_pipeline()
    (_, numeric, numeric_columns), (_, category, category_columns) = pipeline[0].transformers
    assert numeric.strategy == "median"
    assert numeric_columns == ["loan_amnt", "int_rate", "annual_inc", "revol_util", "dti", "delinq_2yrs"]
    assert (category[0].strategy, category[1].handle_unknown) == ("constant", "ignore")
    assert category_columns == ["purpose", "grade", "emp_length", "home_ownership"]
    assert isinstance(pipeline[1], RandomForestClassifier)
    assert (pipeline[1].n_estimators, pipeline[1].random_state) == (100, 42)


def test_what_is_pickled_runs_in_one_thread_and_keeps_nothing_of_the_training_rows() -> None:
    quarter = small_quarter()
    fit = basic_model.fit(quarter, 5)
    forest = fit.pipeline[-1]
    assert forest.n_jobs == 1
    assert not forest.warm_start
    assert not any(name.startswith("oob_") and name.endswith("_") for name in vars(forest))
    assert len(fit.out_of_sample) == len(quarter.target)


def test_a_row_that_every_tree_saw_has_no_out_of_bag_probability() -> None:
    out_of_bag = basic_model.fit(small_quarter(), 2).out_of_sample
    seen = np.isnan(out_of_bag)
    assert 0 < seen.sum() < len(out_of_bag)
