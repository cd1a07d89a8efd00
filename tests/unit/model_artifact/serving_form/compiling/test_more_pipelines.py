"""Pipelines as people write them: each is served as arrays, proven on its edges, with equal results in every way."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from fitted_pipelines import loans, pipeline, records, scaled
from model_artifact.features import frame_from_records
from model_artifact.pipeline import late_probabilities
from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form.parity import VerifiedForm, compile_verified
from model_artifact.serving_form.scorers.record_scorer import load_scorer
from more_pipelines import MORE_KINDS, TREES, dense, fitted_more

# An encoder that drops or joins labels warns of each that it doesn't know.
pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")


@cache
def verified(kind: str) -> VerifiedForm:
    return compile_verified(fitted_more(kind), records()[:40])


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_every_kind_is_proven_on_its_edges(kind: str) -> None:
    assert verified(kind).why_not is None
    assert verified(kind).parity.rows > 1000
    is_exact = kind in TREES and kind != "adaboost"
    assert verified(kind).parity.largest_difference <= (0.0 if is_exact else 1e-12)


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_all_ways_agree_with_the_pipeline_on_all_loans(kind: str) -> None:
    scorer = load_scorer(verified(kind).body)
    expected = late_probabilities(fitted_more(kind), frame_from_records(records()))
    singles = list(map(scorer.late_probability, records()))
    assert scorer.late_probabilities(records()) == singles
    assert scorer.late_probabilities_of_columns(dict(loans()[0].items())).tolist() == singles
    assert np.abs(np.array(singles) - expected).max() <= 1e-12


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_missing_key_none_and_nan_are_the_same(kind: str) -> None:
    scorer, record = load_scorer(verified(kind).body), records()[0]
    for name in FIELD_NAMES:
        without = {other: value for other, value in record.items() if other != name}
        expected = scorer.late_probability({**record, name: None})
        assert scorer.late_probability(without) == expected
        assert scorer.late_probability({**record, name: float("nan")}) == expected
        assert scorer.late_probabilities([without] * 60) == [expected] * 60


@pytest.mark.parametrize("never_late", ["wedding", "car"])
def test_naive_bayes_is_precise_about_a_label_that_one_class_never_had(never_late: str) -> None:
    frame, late = loans()
    # Its variance among the late loans is almost zero, and small differences are divided by it.
    model = pipeline(dense(scaled()), GaussianNB()).fit(frame, np.where(frame["purpose"] == never_late, 0, late))
    assert compile_verified(model, records()[:40]).parity.largest_difference <= 1e-13


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_whole_numbers_count_as_floats(kind: str) -> None:
    scorer, record = load_scorer(verified(kind).body), {**records()[0], "loan_amnt": 12_345.0, "annual_inc": 2.0**52}
    whole = {**record, "loan_amnt": 12_345, "annual_inc": 2**52}
    assert scorer.late_probability(whole) == scorer.late_probability(record)
