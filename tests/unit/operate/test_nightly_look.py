"""The monitor's nightly job: which date it looks at, the line that it writes, and the alarms that look for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from deployed_template import (
    alarms,
    dashboard_widgets,
    deployed,
    emitted_metrics,
    shown_metrics,
    variables,
    watched_metrics,
)
from model_monitor.report import Figure, MonitorReport
from model_monitor.verdict import KINDS, Verdict
from model_registry.function_settings import SettingsError
from monitor_kit import make_report
from operate.nightly_look import NightlyLook
from operate.settings import LookSettings

VARIABLES = {"MODEL_BUCKET": "models", "LOG_BUCKET": "log", "STAGE": "test"}


class Bench:
    """A job that gets the report that a test chooses."""

    def __init__(self, report: MonitorReport | Exception, variables: Mapping[str, str] = VARIABLES) -> None:
        self.report = report
        self.dates: list[date] = []
        self.lines: list[dict[str, Any]] = []
        self.job = NightlyLook(
            LookSettings.from_environ(variables),
            self.look,
            clock=lambda: datetime(2026, 7, 1, 3, 47, tzinfo=UTC),
            write=lambda line: self.lines.append(json.loads(line)),
        )

    def look(self, today: date) -> MonitorReport:
        self.dates.append(today)
        if isinstance(self.report, Exception):
            raise self.report
        return self.report

    def run(self) -> dict[str, Any]:
        self.job({"job": "monitor"}, None)
        (line,) = self.lines
        return line


def test_it_looks_at_today_and_says_the_verdict_with_its_reason() -> None:
    bench = Bench(make_report())
    line = bench.run()
    assert bench.dates == [date(2026, 7, 1)]
    assert (line["kind"], line["level"], line["model"], line["alias"]) == ("monitor", "INFO", "late-payer", "live")
    assert (line["version"], line["as_of"]) == (3, "2026-07-01")
    assert line["verdict"] == make_report().verdict.to_document()
    assert (line["MatureLoans"], line["KnownOutcomes"]) == ([40_000.0], [39_000.0])
    assert (line["ObservedOverExpected"], line["RocAuc"]) == ([0.564], [0.728])


def test_each_verdict_has_its_number() -> None:
    numbers = {kind: Bench(make_report(verdict=Verdict(kind, "."))).run()["MonitorVerdict"] for kind in KINDS}
    assert numbers == {"ok": [0], "not enough data": [1], "look": [2], "recalibrate": [3], "refit": [4]}


def test_a_figure_that_cannot_be_computed_is_no_metric() -> None:
    nothing = Figure(None, None, None)
    outcomes = replace(make_report().outcomes, observed_over_expected=nothing, auc=nothing)
    line = Bench(make_report(outcomes=outcomes)).run()
    assert "ObservedOverExpected" not in line
    assert [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]] == [
        "MonitorVerdict",
        "MatureLoans",
        "KnownOutcomes",
    ]


def test_a_look_that_fails_says_why_and_counts_as_no_look() -> None:
    bench = Bench(PermissionError("not allowed"))
    with pytest.raises(PermissionError):
        bench.job({}, None)
    (line,) = bench.lines
    assert (line["level"], line["error"], line["error_message"]) == ("ERROR", "PermissionError", "not allowed")
    assert emitted_metrics(json.dumps(line)) == set()


def test_alarms_and_dashboard_look_for_what_the_job_writes() -> None:
    resources = deployed(Stage="prod")
    bench = Bench(make_report(), variables(resources, "OperateFunction"))
    emitted = emitted_metrics(json.dumps(bench.run()))
    watching = alarms(resources)
    verdict, missing = watching["MonitorVerdictAlarm"], watching["MonitorMissingAlarm"]
    assert {*watched_metrics(verdict), *watched_metrics(missing)} <= emitted
    assert (int(verdict["Threshold"]), verdict["Statistic"]) == (KINDS.index("recalibrate"), "Maximum")
    # One value a night, and two nights without any.
    assert (missing["Statistic"], int(missing["Threshold"]), missing["TreatMissingData"]) == (
        "SampleCount",
        1,
        "breaching",
    )
    assert int(missing["Period"]) * int(missing["EvaluationPeriods"]) == 2 * 24 * 60 * 60
    assert {metric.name for metric in shown_metrics(resources)} & {metric.name for metric in emitted}
    [query] = [widget["query"] for widget in dashboard_widgets(resources) if "'monitor'" in widget.get("query", "")]
    shown = {name.partition(".")[0] for name in query.split("| display ")[1].split(", ")}
    assert shown <= set(bench.lines[0])


def test_the_alias_is_the_one_that_the_api_serves() -> None:
    assert LookSettings.from_environ({**VARIABLES, "MODEL_ALIAS": "next"}).alias == "next"
    assert variables(deployed(ModelAlias="next"), "OperateFunction")["MODEL_ALIAS"] == "next"
    with pytest.raises(SettingsError, match="MODEL_ALIAS isn't a usable name"):
        LookSettings.from_environ({**VARIABLES, "MODEL_ALIAS": "latest"})
    with pytest.raises(SettingsError, match="LOG_BUCKET is missing"):
        LookSettings.from_environ({"MODEL_BUCKET": "models"})
