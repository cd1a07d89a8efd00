"""The sample year changes as it promises: the rate card, then the late rate, then which loans are late."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from model_artifact.schema import FIELD_NAMES, LOAN_ID, TARGET
from training.data import read_loans
from training.loans.sample_quarters import QUARTERS, TESTED_ON, TRAINED_ON, SampleQuarter, generate_sample_quarter

LOANS = 30_000
NUMBERS = (TRAINED_ON, TESTED_ON, *QUARTERS)


@pytest.fixture(scope="module")
def year() -> dict[int, SampleQuarter]:
    return {number: generate_sample_quarter(number, LOANS) for number in NUMBERS}


def _late_rate(quarter: SampleQuarter) -> float:
    return float(quarter.loans[TARGET].mean())


def test_the_same_seed_gives_the_same_quarter_and_another_gives_others(year) -> None:
    again, other = generate_sample_quarter(2, LOANS), generate_sample_quarter(2, LOANS, seed=1)
    pd.testing.assert_frame_equal(again.loans, year[2].loans)
    assert not other.loans.equals(again.loans)


def test_each_loan_has_an_id_of_its_own_in_the_whole_year(year) -> None:
    ids = pd.concat([quarter.loans[LOAN_ID] for quarter in year.values()])
    assert ids.is_unique
    assert all(list(quarter.loans.columns) == [LOAN_ID, *FIELD_NAMES, TARGET] for quarter in year.values())


def test_the_first_quarter_has_a_new_rate_card_and_hardly_another_late_rate(year) -> None:
    assert year[TESTED_ON].loans["int_rate"].isin(year[TRAINED_ON].loans["int_rate"]).all()
    assert year[1].loans["int_rate"].isin(year[TRAINED_ON].loans["int_rate"]).mean() < 0.2
    assert _late_rate(year[1]) == pytest.approx(_late_rate(year[TESTED_ON]), rel=0.15)


def test_the_late_rate_falls_by_two_fifths_and_stays_there(year) -> None:
    before = _late_rate(year[1])
    assert [_late_rate(year[number]) / before for number in (2, 3, 4)] == pytest.approx([0.6, 0.6, 0.6], abs=0.08)


def test_from_the_third_quarter_on_debts_decide_and_not_the_grade(year) -> None:
    def rate_of(number: int, column: str, low: bool) -> float:
        loans = year[number].loans
        values = loans[column].map("ABCDEFG".index) if column == "grade" else loans[column]
        return float(loans[TARGET][values <= values.quantile(0.3) if low else values >= values.quantile(0.7)].mean())

    def ratio(number: int, column: str) -> float:
        return rate_of(number, column, low=False) / rate_of(number, column, low=True)

    for number in (1, 2):
        assert ratio(number, "grade") > 2.5
        assert ratio(number, "revol_util") < 1.5
    for number in (3, 4):
        assert ratio(number, "grade") < 2.2
        assert ratio(number, "revol_util") > 2.5


def test_outcomes_name_every_loan_once_and_late_ones_before_the_others(year) -> None:
    scored_until, known_on = date(2024, 4, 24), date(2024, 8, 8)
    outcomes = year[2].outcomes(scored_until, known_on)
    assert list(outcomes.columns) == [LOAN_ID, TARGET, "observed_on"]
    assert set(outcomes[LOAN_ID]) == set(year[2].loans[LOAN_ID])
    assert outcomes.set_index(LOAN_ID)[TARGET].equals(year[2].loans.set_index(LOAN_ID)[TARGET].loc[outcomes[LOAN_ID]])
    is_late = outcomes[TARGET] == 1
    assert set(outcomes["observed_on"][~is_late]) == {known_on}
    assert outcomes["observed_on"][is_late].min() > scored_until
    assert outcomes["observed_on"][is_late].max() < known_on


def test_a_quarter_is_a_file_that_training_reads(year, tmp_path) -> None:
    file = tmp_path / "quarter.csv"
    year[3].loans.head(2000).to_csv(file, index=False)
    assert len(read_loans(file).frame) == 2000


def test_another_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not 5"):
        generate_sample_quarter(5)
