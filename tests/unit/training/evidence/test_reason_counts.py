"""Reasons are counted over the same loans each time, and those against lending sense are told from the others."""

from __future__ import annotations

import pytest

from model_artifact.reasons.codes import TEXTS
from model_artifact.reasons.explain import Explainer
from model_artifact.reasons.reference import typical_record
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.scorers.record_scorer import make_scorer
from model_kit import small_boosted, small_quarter
from training.evidence.reason_counts import count_reasons, is_against_sense


def test_the_codes_of_some_loans_are_counted_the_same_twice() -> None:
    features = small_quarter().features
    reference = typical_record({name: column.tolist() for name, column in features.items()})
    explainer = Explainer(make_scorer(compile_pipeline(small_boosted())), reference)
    first, second = (count_reasons(explainer, features, loans=50) for _ in range(2))
    assert first == second
    assert first.loans == 50
    assert set(first.codes) <= set(TEXTS)
    assert all(0 < count <= 50 for count in first.codes.values())


@pytest.mark.parametrize(
    ("code", "is_against"),
    [
        ("DTI_LOW", True),
        ("DTI_HIGH", False),
        ("DTI_MISSING", False),
        ("ANNUAL_INC_HIGH", True),
        ("ANNUAL_INC_LOW", False),
        ("EMP_LENGTH_HIGH", True),
        ("EMP_LENGTH_OTHER", False),
        ("LOAN_AMNT_LOW", False),
        ("LENDER_PRICING", False),
        ("HOME_OWNERSHIP_OTHER", False),
    ],
)
def test_a_code_is_against_lending_sense_where_it_names_the_safer_side(code: str, is_against: bool) -> None:
    assert is_against_sense(code) is is_against
