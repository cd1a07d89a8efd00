"""The generated loans are like the real ones in what a model can learn from them, and the same for the same seed."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest

from model_artifact.schema import FIELD_NAMES, TARGET
from training.loans import sample_data


@pytest.fixture(scope="module")
def loans() -> tuple[pd.DataFrame, pd.DataFrame]:
    return sample_data.generate()


def _sha256(frame: pd.DataFrame) -> str:
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()


def test_the_same_seed_gives_the_same_loans_and_another_gives_others(loans) -> None:
    again, other = sample_data.generate(), sample_data.generate(sample_data.DEFAULT_SEED + 1)
    assert [_sha256(frame) for frame in again] == [_sha256(frame) for frame in loans]
    assert _sha256(other[1]) != _sha256(loans[1])


def test_sizes_columns_and_late_rates_are_those_of_the_real_files(loans) -> None:
    train, test = loans
    assert (len(train), len(test)) == (111_068, 6_843)
    assert list(train.columns) == list(test.columns) == [*FIELD_NAMES, TARGET]
    assert train[TARGET].mean() == pytest.approx(0.02215, abs=0.0015)
    assert test[TARGET].mean() == pytest.approx(0.01388, abs=0.003)


def test_only_the_two_columns_have_gaps_and_as_many(loans) -> None:
    for frame in loans:
        gaps = frame.isna().mean()
        assert set(gaps.index[gaps > 0]) == {"revol_util", "emp_length"}
        assert gaps["emp_length"] == pytest.approx(0.07, abs=0.01)
        assert gaps["revol_util"] == pytest.approx(0.001, abs=0.0008)


def test_marginals_are_near_the_real_ones(loans) -> None:
    train, _ = loans
    medians = train[["loan_amnt", "int_rate", "annual_inc", "revol_util", "dti"]].median()
    assert medians.to_dict() == pytest.approx(
        {"loan_amnt": 12000, "int_rate": 0.1198, "annual_inc": 68000, "revol_util": 0.413, "dti": 16.7}, rel=0.03
    )
    assert train["grade"].value_counts(normalize=True)["B"] == pytest.approx(0.2956, abs=0.005)
    assert train["home_ownership"].value_counts(normalize=True)["RENT"] == pytest.approx(0.42, abs=0.02)


def test_late_loans_become_more_with_the_grade_and_fewer_with_the_loans_youth(loans) -> None:
    train, _ = loans
    by_grade = train.groupby("grade")[TARGET].mean()
    assert by_grade["A"] < by_grade["B"] < by_grade["C"] < by_grade["D"]
    assert train[TARGET].head(11_000).mean() < train[TARGET].mean()


def test_the_test_quarter_has_a_rate_card_of_its_own(loans) -> None:
    train, test = loans
    assert test["int_rate"].isin(train["int_rate"].unique()).mean() < 0.2
