"""The figures of two versions' scores: differences, the swap set, its reasons, and outcomes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_artifact.reasons.explain import Reason
from peerloan.comparing import tables
from peerloan.comparing.findings import Findings
from peerloan.comparing.outcome_figures import find_outcome_figures
from peerloan.comparing.paired_scores import PairedScores, ScoredVersion
from peerloan.comparing.reason_changes import LoanSample, ReasonChanges, reason_changes


def paired(main: list[float], candidate: list[float], outcomes: list[float] | None = None) -> PairedScores:
    return PairedScores(
        ScoredVersion(2, "arrays", 0.5, np.array(main)),
        ScoredVersion(3, "arrays", 0.4, np.array(candidate)),
        "loans.csv",
        None if outcomes is None else np.array(outcomes, dtype=np.float64),
        rejected=3,
    )


SCORES = paired([0.1, 0.45, 0.6, 0.9], [0.1, 0.45, 0.3, 0.95], [0, 1, 0, math.nan])


def test_the_swap_set_is_by_each_versions_own_threshold() -> None:
    assert SCORES.to_late.tolist() == [False, True, False, False]
    assert SCORES.to_on_time.tolist() == [False, False, True, False]
    assert SCORES.window().flip_share == 0.5


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40))
def test_the_swap_set_is_what_the_window_counts(pairs) -> None:
    scores = paired([main for main, _ in pairs], [candidate for _, candidate in pairs])
    assert int(scores.to_late.sum() + scores.to_on_time.sum()) == round(scores.window().flip_share * len(pairs))


def test_figures_are_of_the_loans_with_a_known_outcome() -> None:
    figures = find_outcome_figures(SCORES)
    assert (figures.loans, figures.late) == (3, 1)
    assert (figures.to_late, figures.to_on_time) == ((1, 1), (1, 0))
    assert figures.difference.loans == 3


@pytest.mark.parametrize("outcomes", [None, [0, 0, 0, 0], [math.nan] * 4, [1, math.nan, math.nan, 1]])
def test_without_both_outcomes_there_are_no_figures(outcomes) -> None:
    assert find_outcome_figures(paired([0.1, 0.2, 0.6, 0.9], [0.1, 0.2, 0.6, 0.9], outcomes)) is None


def reason(code: str, effect: float) -> Reason:
    return Reason(code, "dti", effect, "a text", is_lender_pricing=False)


def test_the_reasons_that_changed_most_come_first() -> None:
    main = [(reason("DTI_HIGH", 0.02), reason("ANNUAL_INC_LOW", 0.01)), (reason("DTI_HIGH", 0.02),)]
    candidate = [(reason("DTI_HIGH", 0.03),), (reason("DTI_HIGH", 0.03), reason("REVOL_UTIL_HIGH", 0.2))]
    changes = reason_changes([{"n": 0}, {"n": 1}], lambda record: main[record["n"]], lambda r: candidate[r["n"]])
    assert changes.loans == 2
    assert [(change.code, change.main, change.candidate) for change in changes.changes] == [
        ("REVOL_UTIL_HIGH", 0, 1),
        ("DTI_HIGH", 2, 2),
        ("ANNUAL_INC_LOW", 1, 0),
    ]
    assert [round(change.effect, 6) for change in changes.changes] == [0.1, 0.01, -0.005]


def table_of(numbers: list[int]):
    fields = ("loan_amnt", "int_rate", "annual_inc", "revol_util", "dti", "delinq_2yrs")
    texts = ("purpose", "grade", "emp_length", "home_ownership")
    columns = {name: np.array(numbers, dtype=np.float64) for name in fields}
    return {**columns, **{name: [str(number) for number in numbers] for name in texts}}


def test_a_sample_is_drawn_evenly_and_always_the_same() -> None:
    def sampled(tables_of_numbers) -> list[float]:
        sample = LoanSample(limit=100)
        for numbers in tables_of_numbers:
            sample.add(table_of(numbers), np.array([number % 2 == 0 for number in numbers]))
        assert sample.seen == 1000
        return [record["dti"] for record in sample.records]

    drawn = sampled([list(range(2000))])
    assert drawn == sampled([list(range(700)), list(range(700, 701)), list(range(701, 2000))])
    assert len(set(drawn)) == 100
    assert all(number % 2 == 0 for number in drawn)
    assert 30 <= sum(number < 1000 for number in drawn) <= 70


def test_a_record_of_the_sample_has_none_for_a_gap() -> None:
    sample = LoanSample()
    sample.add({**table_of([1]), "dti": np.array([math.nan])}, np.array([True]))
    assert sample.records[0]["dti"] is None
    assert sample.records[0]["grade"] == "1"


def test_the_document_is_json_and_the_tables_name_both_versions() -> None:
    changes = ReasonChanges(1, ())
    findings = Findings(SCORES, changes)
    document = json.loads(json.dumps(findings.to_document(), allow_nan=False))
    assert document["swap_set"]["to_late"] == document["swap_set"]["to_on_time"] == 1
    assert document["swap_set"]["reasons"]["to_on_time"] is None
    assert document["window"]["loans"] == document["loans"] == 4
    assert document["outcomes"]["to_late"] == {"loans": 1, "late": 1}
    assert document["rejected"] == 3
    assert tables.title(findings) == "Version 3 beside version 2"
    assert "3 rows that the API would refuse were left out" in tables.loans_line(findings)
    assert tables.scores_table(findings).columns[1:3] == ("Version 2", "Version 3")
    assert tables.swap_table(findings).rows[0][1:] == ("1", "25.00%", "1 of 1")
    assert tables.reasons_table(findings, to_late=True) is None
    assert tables.outcomes_table(findings) is not None
