"""Reports of tasks add up, and keep no more rejections than the driver's memory should hold."""

from __future__ import annotations

import pickle

import pytest

from batch_scoring.row_rules import Rejection
from peerloan.spark import reports
from peerloan.spark.reports import Report, ReportSum


def fault(line: int) -> Rejection:
    return Rejection(line, "dti", "out_of_range", "Must be from 0 to 999.")


def report_of(file: str, start: int, lines: int, *faults: int) -> Report:
    report = Report(lines - len(faults), len(faults), {(file, start): lines})
    report.reject(((file, start), fault(line)) for line in faults)
    return report


def added(*parts: Report) -> Report:
    total = ReportSum().zero(Report())
    for part in parts:
        # A task's report reaches the driver pickled.
        total = ReportSum().addInPlace(total, pickle.loads(pickle.dumps(part)))
    return total


def test_lines_are_counted_on_over_the_blocks_of_a_file_in_whichever_order_these_are_done() -> None:
    parts = [report_of("a", 700, 5, 0, 4), report_of("b", 0, 3, 2), report_of("a", 0, 10, 9, 1)]
    for order in (parts, parts[::-1]):
        total = added(*order)
        assert (total.rows, total.rejected) == (13, 5)
        assert total.first_lines() == {("a", 0): 1, ("a", 700): 11, ("b", 0): 1}
        numbered = [(file, rejection.line) for file, rejection in total.numbered_rejections()]
        assert numbered == [("a", 2), ("a", 10), ("a", 11), ("a", 15), ("b", 3)]


def test_rows_of_parquet_keep_their_numbers() -> None:
    report = Report(2, 1)
    report.reject([(("a", 0), fault(7))])
    assert list(added(report).numbered_rejections()) == [("a", fault(7))]


def test_more_rejections_than_fit_are_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_REJECTIONS", 2)
    total = added(report_of("a", 0, 5, 1, 2))
    assert total.rejections is not None
    total = added(total, report_of("b", 0, 5, 1))
    assert (total.rejections, total.rejected) == (None, 3)
    total = added(report_of("c", 0, 5, 1), total)
    assert (total.rejections, total.rejected) == (None, 4)
