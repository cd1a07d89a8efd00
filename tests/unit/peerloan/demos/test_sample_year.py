"""The sample year's calendar: no outcome is known before its window has passed, and the year has four quarters."""

from __future__ import annotations

import csv
import itertools
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from model_artifact.schema import LOAN_ID, TARGET
from model_monitor.settings import default_settings
from peerloan.demos.sample_year import Quarter, quarters_of_the_year
from peerloan.errors import CommandError
from training.loans.sample_quarters import generate_sample_quarter

WINDOW = default_settings().outcome_window_days
FIRST = date(2024, 4, 21)


@pytest.fixture(scope="module")
def quarter() -> Quarter:
    last = FIRST + timedelta(days=3)
    return Quarter(generate_sample_quarter(2, 2_500), FIRST, last, last + timedelta(days=WINDOW))


def test_each_quarter_begins_once_all_is_known_of_the_one_before() -> None:
    quarters = list(quarters_of_the_year(WINDOW))
    assert [quarter.vintage for quarter in quarters] == ["2024-Q1", "2024-Q2", "2024-Q3", "2024-Q4"]
    for quarter in quarters:
        assert (quarter.known_on - quarter.last).days == WINDOW
    for earlier, later in itertools.pairwise(quarters):
        assert later.first > earlier.known_on


@pytest.mark.parametrize("window", [20, 150])
def test_a_window_that_leaves_no_four_quarters_is_refused(window: int) -> None:
    with pytest.raises(CommandError, match=f"outcome window of {window} days"):
        list(quarters_of_the_year(window))


def test_every_loan_is_sent_by_itself_and_in_a_batch_and_never_its_outcome(quarter: Quarter) -> None:
    singles = [json.loads(body) for body in quarter.single_requests()]
    batches = [json.loads(body)["instances"] for body in quarter.batch_requests()]
    assert [len(batch) for batch in batches] == [1_000, 1_000, 500]
    assert [record for batch in batches for record in batch] == singles
    assert [record[LOAN_ID] for record in singles] == quarter.sample.loans[LOAN_ID].tolist()
    assert all(TARGET not in record for record in singles)


def test_outcomes_tell_of_each_loan_within_its_window(quarter: Quarter, tmp_path: Path) -> None:
    with quarter.write_outcomes(tmp_path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2_500
    for row in rows:
        observed_on = date.fromisoformat(row["observed_on"])
        for scored_on in (quarter.first, quarter.last):
            days = (observed_on - scored_on).days
            assert 0 <= days <= WINDOW if row["is_late"] == "1" else WINDOW <= days <= 2 * WINDOW


def test_the_loans_are_two_files_and_together_all_of_them(quarter: Quarter, tmp_path: Path) -> None:
    ids = []
    for path in quarter.write_loans(tmp_path):
        with path.open(newline="") as file:
            ids.append([row[LOAN_ID] for row in csv.DictReader(file)])
    assert len(ids[0]) == 3 * len(ids[1])
    assert ids[0] + ids[1] == quarter.sample.loans[LOAN_ID].tolist()
