"""The monitor's reports in every store: one for each alias and date, and the last look of a date counts."""

from __future__ import annotations

from datetime import date

import pytest

from model_monitor.report import InvalidReportError
from model_monitor.report_store import ReportNotFoundError, ReportStore
from model_registry import names
from model_registry.stores.base import ObjectStore
from monitor_kit import make_report

MODEL = "late-payer"
JULY = date(2026, 7, 1)
KEY = names.monitor_report_key(MODEL, "live", JULY)


def test_a_report_is_read_as_it_was_kept(store: ObjectStore) -> None:
    reports = ReportStore(store, MODEL)

    assert reports.keep(make_report()) == KEY

    assert reports.get("live", JULY) == make_report()
    assert store.get(KEY).body == make_report().to_json()


def test_a_later_look_of_a_date_replaces_its_report_and_no_other(store: ObjectStore) -> None:
    reports = ReportStore(store, MODEL)
    for report in (make_report(), make_report(version=4), make_report(alias="next"), make_report(as_of="2026-06-30")):
        reports.keep(report)

    assert reports.get("live", JULY).version == 4
    assert reports.get("next", JULY).version == 3
    assert reports.list_dates("live") == [date(2026, 6, 30), JULY]
    assert reports.list_dates("next") == [JULY]


def test_a_missing_report_says_how_to_make_it(store: ObjectStore) -> None:
    with pytest.raises(ReportNotFoundError, match="peerloan monitor live --as-of 2026-07-01"):
        ReportStore(store, MODEL).get("live", JULY)


@pytest.mark.parametrize("body", [b"{", make_report(as_of="2026-06-30").to_json(), make_report(alias="next").to_json()])
def test_a_damaged_or_misplaced_report_is_named_with_what_to_do(store: ObjectStore, body: bytes) -> None:
    store.put(KEY, body)

    with pytest.raises(InvalidReportError, match=r"late-payer/monitor/reports/live/2026-07-01\.json.*Make it again"):
        ReportStore(store, MODEL).get("live", JULY)
