"""The tables of the monitor's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from model_monitor.input_shifts import Shift
from model_monitor.report import EvidenceFigures, MonitorReport, VintageFigures
from model_watch.stability import size_of_shift
from peerloan.monitoring.sentences import column_title, figure, maturity
from training.evidence.intervals import in_words
from training.evidence.report.table import Table, table_of

_QUESTIONS = {
    "discrimination": "Are late loans ranked worse than promised?",
    "calibration": "Are the probabilities too high, too low, too far apart or too close together?",
}


def headline(report: MonitorReport) -> dict[str, str]:
    """Return the main figures; each name says of how many loans it is."""
    outcomes, live = report.outcomes, report.live
    known = f"({outcomes.known:,} loans)"
    return {
        f"Late loans over expected ones {known}": figure(outcomes.observed_over_expected, 2),
        f"ROC-AUC: how well late loans are ranked {known}": figure(outcomes.auc, 3),
        "Loans with a known outcome": f"{outcomes.known:,} of {outcomes.records:,} scored",
        f"Called late ({live.records:,} records)": (
            "–" if live.flag_rate is None else f"{live.flag_rate:.1%} since {live.since}"
        ),
    }


def outcomes(report: MonitorReport) -> Table:
    """Return the table of quarters and versions, newest first; those that aren't fully judged are highlighted."""
    return table_of(
        sorted(report.vintages, key=lambda vintage: (vintage.vintage, vintage.version), reverse=True),
        {
            "Quarter and version": lambda vintage: f"{vintage.vintage}, version {vintage.version}",
            "Scored": lambda vintage: f"{vintage.scored:,}",
            "Old enough": lambda vintage: f"{vintage.mature:,}",
            "Outcome known": lambda vintage: f"{vintage.known:,}",
            "Late (expected)": lambda vintage: (
                f"{vintage.late:,} ({vintage.expected_late:,.1f})" if vintage.known else "–"
            ),
            "ROC-AUC": lambda vintage: figure(vintage.auc, 3),
            "Brier score": lambda vintage: _number(vintage.brier.value, 4),
            "Mean probability": lambda vintage: _percent(vintage.mean_score, 2),
            "Called late": lambda vintage: _percent(vintage.flag_rate, 1),
        },
        "Late loans, ROC-AUC and Brier score are of the loans with a known outcome; the mean probability and the "
        "share called late are of all records scored. Highlighted: quarters in which not all loans are old enough.",
        _is_immature,
    )


def shifts(report: MonitorReport) -> Table:
    """Return the table of all columns, the largest shift first; those beyond their limit are highlighted."""
    return table_of(
        sorted(report.shifts, key=lambda shift: -shift.psi),
        {
            "Column": lambda shift: column_title(shift.column),
            "Shift (PSI)": lambda shift: f"{shift.psi:.4f}",
            "By chance, mean": lambda shift: f"{shift.by_chance:.4f}",
            "By chance, limit": lambda shift: f"{shift.limit:.4f}",
            "Missing": lambda shift: _percent(shift.missing_share, 1),
            "Never seen in training": lambda shift: _percent(shift.unseen_share, 1),
            "Result": lambda shift: size_of_shift(shift.psi, shift.limit),
        },
        f"{report.live.records:,} records against the training loans. If nothing had changed, one report of twenty "
        "would have a column beyond its limit. A loan that is scored often counts as many: it makes the limits narrow.",
        _is_beyond,
    )


def live(report: MonitorReport) -> Table:
    """Return the table of what is known without outcomes."""
    figures = report.live
    expected = figures.expected
    of_records = f"{figures.records:,}"
    rows = [
        ("Mean probability of being late", _percent(figures.mean_score, 2), of_records),
        ("Called late", _percent(figures.flag_rate, 2), of_records),
        ("With a warning", _percent(figures.warned_share, 2), of_records),
        ("Late rate to be expected, if the probabilities are right", _percent(expected.late_rate, 2), of_records),
        ("ROC-AUC to be expected, if the probabilities are right", _number(expected.auc, 3), of_records),
        ("Brier score to be expected, if the probabilities are right", _number(expected.brier, 4), of_records),
    ]
    note = "The last three are no measurement: they follow from the probabilities, and assume that these are right."
    return Table(("", f"{figures.since} to {figures.until}", "Records"), tuple(rows), note)


def tests(report: MonitorReport) -> Table:
    """Return the table of the tests that the verdict rests on; those with an alarm are highlighted.

    Inputs without an alarm share a row.
    """
    calm = [test for test in report.tests if test.name not in _QUESTIONS and not test.rejected_on]
    shown = [test for test in report.tests if test not in calm]
    if calm:
        shown.append(replace(max(calm, key=lambda test: test.e_value), name=f"{len(calm)} others"))
    return table_of(
        shown,
        {
            "Test": _test_title,
            "Evidence so far": lambda test: f"{test.e_value:,.1f}",
            "Alarm from": lambda test: f"{test.threshold:,.0f}",
            "Alarm on": lambda test: test.rejected_on or "–",
            "Of loans scored since": lambda test: test.since or "–",
        },
        "Evidence is an e-value: what somebody would have made of 1 who bets that something is wrong. It starts near "
        "1, and stays low while all is well. The highest of all days is shown, and of tests in one row that of the "
        "highest. These tests tolerate small changes: an input may have shifted beyond sampling without an alarm.",
        lambda test: test.rejected_on is not None,
    )


def challenger(report: MonitorReport, figures: Mapping[str, Any]) -> Table:
    """Return the table of a shadow version beside the version in charge."""
    champion, shadow, swaps = report.version, figures["version"], figures["swaps"]
    rows = [
        ("ROC-AUC gained", in_words(figures["auc_difference"], 3), "more is better"),
        ("Log loss added", in_words(figures["log_loss_difference"], 4), "less is better"),
        (f"Called late by version {shadow} alone", f"{swaps['only_challenger']:,} loans", _late(swaps, "challenger")),
        (f"Called late by version {champion} alone", f"{swaps['only_champion']:,} loans", _late(swaps, "champion")),
    ]
    costs = figures["costs"]
    if costs is not None:
        what = f"a call costs {costs['call']:,g}, a missed late loan {costs['missed_late']:,g}; less is better"
        rows.append(("Cost added for 1,000 loans", in_words(figures["cost_difference"], 0), what))
    rows.append(
        (
            "Evidence that it predicts better / worse",
            f"{figures['e_value']:,.1f} / {figures['e_value_worse']:,.1f}",
            f"shown from {figures['threshold']:,.0f} on",
        )
    )
    note = (
        f"{figures['loans']:,} loans that both scored in one request and whose outcome is known, {figures['late']:,} "
        "of them late. Differences are loan by loan, with 95% intervals for a single look. The evidence decides, as it "
        "holds at every look."
    )
    return Table(("", f"Version {shadow} against {champion}", ""), tuple(rows), note)


def _late(swaps: Mapping[str, int], side: str) -> str:
    return f"{swaps[f'only_{side}_late']:,} of them were late"


def _test_title(test: EvidenceFigures) -> str:
    return _QUESTIONS.get(test.name) or f"More change than is tolerated: {column_title(test.name)}"


def _is_immature(vintage: VintageFigures) -> bool:
    return bool(maturity(vintage))


def _is_beyond(shift: Shift) -> bool:
    return shift.psi > shift.limit


def _percent(share: float | None, digits: int) -> str:
    return "–" if share is None else f"{share:.{digits}%}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
