"""The monitor's report survives its document, and what isn't a report is refused."""

from __future__ import annotations

import json
import math

import pytest

from model_monitor.report import Figure, InvalidReportError, MonitorReport
from model_watch.intervals import Interval
from monitor_kit import make_report


def test_a_report_survives_its_document():
    report = make_report(challengers=({"version": 4, "swaps": {"late": 2}},))

    assert MonitorReport.from_json(report.to_json()) == report
    assert json.loads(report.to_json()) == report.to_document()


def test_a_document_begins_with_its_format_and_the_verdict_is_an_object():
    document = make_report().to_document()

    assert next(iter(document)) == "format"
    assert document["verdict"]["kind"] == "recalibrate"
    assert document["outcomes"]["observed_over_expected"] == {"value": 0.564, "low": 0.515, "high": 0.617}


def test_what_cannot_be_computed_is_null():
    assert Figure.of(Interval(0.5, math.nan, math.inf)) == Figure(0.5, None, None)


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("format", 2, "its format is 2, this code reads up to 1"),
        ("version", "3", "'version' isn't a whole number"),
        ("verdict", {"kind": "fine", "reason": ""}, "'kind' is 'fine', not 'ok' or"),
        ("live", None, "'live' isn't an object"),
    ],
)
def test_another_document_is_refused(member, value, message):
    document = make_report().to_document() | {member: value}

    with pytest.raises(InvalidReportError, match=message):
        MonitorReport.from_json(json.dumps(document).encode())
