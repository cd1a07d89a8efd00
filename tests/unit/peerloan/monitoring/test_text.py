"""The monitor's report as text: the verdict and what it asks for first, and each figure with its number of loans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model_monitor.report import Damage, EvidenceFigures, Figure
from model_monitor.verdict import KINDS, Verdict
from monitor_kit import make_report
from peerloan.monitoring.text import report_lines

EMPTY = Figure(None, None, None)


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("ok", "Nothing is to be done."),
        ("not enough data", "peerloan outcomes import FILE --as-of DATE"),
        ("look", "Find out what changed"),
        ("recalibrate", "peerloan retrain live --recalibrate"),
        ("refit", "peerloan retrain live --data FILE"),
    ],
)
def test_the_verdict_comes_first_with_its_reason_and_what_to_do(kind, step):
    first, second, *_ = report_lines(make_report(verdict=Verdict(kind, "Because of it.")))

    assert first == f"{kind}: Because of it."
    assert step in second


def test_every_verdict_has_a_next_step():
    for kind in KINDS:
        assert list(report_lines(make_report(verdict=Verdict(kind, "It."))))


def test_each_figure_stands_beside_its_number_of_loans():
    text = "\n".join(report_lines(make_report()))

    for line in (
        "Version 3 of late-payer, in charge of live, as of 2026-07-01.",
        "requests          5,010, of which 3 failed",
        "flagged as late   3.10 % of 50,000 records",
        "mature            40,000 of 81,000 loans",
        "known outcome     39,000 of 40,000 loans",
        "late              480 of 39,000 loans; expected 850.5",
        "late / expected   0.56 [0.52, 0.62] (39,000 loans); right is 1",
        "ranking           ROC-AUC 0.728 [0.705, 0.750] (39,000 loans)",
        "an estimate without outcomes, which assumes that the probabilities are right",
        "1 of 1 columns differ by more than sampling explains",
        "2026-Q1  3        45,000  40,000  39,000  480",
        "12 records besides have no loan id",
        "1 lines of the log can't be read, and 2 calls crashed",
        "calibration  2026-05-02  2026-01-09",
    ):
        assert line in text


def test_columns_and_tests_without_an_alarm_are_only_counted():
    calm = EvidenceFigures("discrimination", 0.7, 66.7, None, None)
    shift = replace(make_report().shifts[0], psi=0.0001)

    text = "\n".join(report_lines(make_report(tests=(calm,), shifts=(shift,))))

    assert "0 of 1 columns differ" in text
    assert "0 of 1 have an alarm" in text
    assert "discrimination" not in text.split("Tests that")[1].split("Vintages")[0]
    assert "int_rate" not in text


def test_without_data_it_says_so_and_has_no_figure():
    report = make_report()
    live = replace(report.live, since=None, until=None)
    outcomes = replace(report.outcomes, since=None)

    text = "\n".join(
        report_lines(make_report(live=live, outcomes=outcomes, shifts=(), vintages=(), damage=Damage(0, 0, 0)))
    )

    assert "Requests: version 3 has answered none." in text
    assert "Outcomes: no prediction is mature yet." in text
    assert "Inputs: there is nothing to compare yet." in text
    assert "Vintages" not in text


def test_a_figure_that_cannot_be_computed_is_a_dash():
    report = make_report()
    outcomes = replace(report.outcomes, auc=EMPTY, slope=Figure(1.0, None, None), decomposition=None)

    text = "\n".join(report_lines(make_report(outcomes=outcomes)))

    assert "ROC-AUC - (39,000 loans)" in text
    assert "slope 1.00, right is 1" in text
    assert "uncertainty" not in text
