"""What a contest measures is what the gates need, on the loans of one quarter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model_kit import small_boosted, small_forest, small_quarter
from training.data import Quarter
from training.evidence.contest import hold_contest
from training.gates import Requirement, failures, judge


@pytest.fixture(scope="module")
def quarter() -> Quarter:
    return small_quarter(6000)


def test_a_model_against_itself_gains_nothing(quarter: Quarter) -> None:
    contest = hold_contest(small_boosted(), small_boosted(), quarter, {"train": {"sha256": "another"}})
    assert (contest.whole.roc_auc.value, contest.whole.roc_auc.high) == (0.0, 0.0)
    assert contest.segments
    for comparison in contest.segments.values():
        assert comparison.roc_auc.value == 0
        assert comparison.loans >= 200
        assert comparison.late >= 20


def test_a_forest_is_not_monotone(quarter: Quarter) -> None:
    contest = hold_contest(small_forest(), small_boosted(), quarter, {"train": {"sha256": "another"}})
    assert "monotonicity" in [verdict.rule for verdict in failures(judge(Requirement.NO_WORSE_THAN, contest))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, None),
        ({"sha256": "another"}, True),
        ({"sha256": "THESE"}, False),
        ({"sha256": "several", "files": ["another", "THESE"]}, False),
        ({"sha256": "several", "files": ["another"]}, True),
    ],
)
def test_whether_the_loans_were_held_out_is_what_the_record_says(data, expected) -> None:
    loans = small_quarter(1000)
    quarter = replace(loans, fingerprint=replace(loans.fingerprint, sha256="THESE"))
    assert hold_contest(small_boosted(), small_boosted(), quarter, {"train": data}).is_held_out is expected
