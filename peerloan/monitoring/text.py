"""The monitor's report as text: the verdict first, and each figure with the number of loans that it is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_monitor.report import Figure, LiveFigures, MonitorReport, OutcomeFigures, VintageFigures
from peerloan.monitoring.next_steps import next_step

_NONE = "-"


def report_lines(report: MonitorReport) -> Iterator[str]:
    """Yield the lines of a report."""
    yield f"{report.verdict.kind}: {report.verdict.reason}"
    yield f"  {next_step(report)}"
    yield ""
    yield (
        f"Version {report.version} of {report.model}, in charge of {report.alias}, as of {report.as_of}. A loan is "
        f"judged {report.window_days} days after it was scored. Intervals are of 95 %."
    )
    yield ""
    yield from _live(report.live, report)
    yield ""
    yield from _outcomes(report.outcomes)
    yield ""
    yield from _shifts(report)
    yield ""
    yield from _tests(report)
    if report.vintages:
        yield ""
        yield "Vintages: loans by the quarter in which they were scored"
        yield from _table(
            ("vintage", "version", "scored", "mature", "known", "late", "expected", "late / expected", "ROC-AUC",
             "flagged"),
            [_vintage(vintage) for vintage in report.vintages],
        )  # fmt: skip


def _live(live: LiveFigures, report: MonitorReport) -> Iterator[str]:
    if live.since is None:
        yield f"Requests: version {report.version} has answered none."
        return
    of_records = f"of {live.records:,} records"
    yield f"Requests from {live.since} to {live.until}"
    yield from _facts(
        ("requests", f"{live.requests:,}, of which {live.failures:,} failed"),
        ("time", f"{_number(live.latency_ms.p50, 1)} ms at most for half of them, {_number(live.latency_ms.p99, 1)} ms "
                 "for 99 %"),
        ("flagged as late", f"{_percent(live.flag_rate)} {of_records}"),
        ("with a warning", f"{_percent(live.warned_share)} {of_records}"),
        ("mean probability", f"{_percent(live.mean_score)} {of_records}"),
        ("if it is right", f"ROC-AUC {_number(live.expected.auc, 3)}, Brier score {_number(live.expected.brier, 4)}: "
                           "an estimate without outcomes, which assumes that the probabilities are right"),
    )  # fmt: skip
    damage = report.damage
    if damage.lines or damage.crashes:
        yield f"  Of these days {damage.lines:,} lines of the log can't be read, and {damage.crashes:,} calls crashed."


def _outcomes(outcomes: OutcomeFigures) -> Iterator[str]:
    if outcomes.since is None:
        yield "Outcomes: no prediction is mature yet."
        return
    of_known = f"({outcomes.known:,} loans)"
    yield f"Outcomes of loans scored from {outcomes.since} to {outcomes.until}"
    yield from _facts(
        ("mature", f"{outcomes.mature:,} of {outcomes.records:,} loans"),
        ("known outcome", f"{outcomes.known:,} of {outcomes.mature:,} loans"),
        ("late", f"{outcomes.late:,} of {outcomes.known:,} loans; expected {outcomes.expected_late:,.1f}"),
        ("late / expected", f"{_figure(outcomes.observed_over_expected, 2)} {of_known}; right is 1"),
        ("calibration", f"intercept {_figure(outcomes.intercept, 2)}, right is 0; slope {_figure(outcomes.slope, 2)}, "
                        f"right is 1 {of_known}"),
        ("ranking", f"ROC-AUC {_figure(outcomes.auc, 3)} {of_known}"),
        ("Brier score", f"{_figure(outcomes.brier, 4)} {of_known}"),
        ("log loss", f"{_figure(outcomes.log_loss, 4)} {of_known}{_parts(outcomes)}"),
    )  # fmt: skip
    if outcomes.unhashed:
        yield f"  {outcomes.unhashed:,} records besides have no loan id, so their outcomes can't be found."


def _parts(outcomes: OutcomeFigures) -> str:
    parts = outcomes.decomposition
    if parts is None:
        return ""
    return (
        f" = uncertainty {parts.uncertainty:.4f} - discrimination {parts.discrimination:.4f} + miscalibration "
        f"{parts.miscalibration:.4f}"
    )


def _shifts(report: MonitorReport) -> Iterator[str]:
    if not report.shifts:
        yield "Inputs: there is nothing to compare yet."
        return
    beyond = [shift for shift in report.shifts if shift.psi > shift.limit]
    yield (
        f"Inputs against the training loans ({report.live.records:,} records): {len(beyond)} of {len(report.shifts)} "
        "columns differ by more than sampling explains"
    )
    if beyond:
        yield from _table(
            ("column", "PSI", "by chance", "limit", "missing", "unseen"),
            [
                (shift.column, f"{shift.psi:.4f}", f"{shift.by_chance:.4f}", f"{shift.limit:.4f}",
                 _percent(shift.missing_share), _percent(shift.unseen_share))
                for shift in beyond
            ],
        )  # fmt: skip


def _tests(report: MonitorReport) -> Iterator[str]:
    rejected = [test for test in report.tests if test.rejected_on]
    yield f"Tests that may be looked at each night: {len(rejected)} of {len(report.tests)} have an alarm"
    if rejected:
        yield from _table(
            ("test", "alarm on", "loans since", "e-value", "alarm from"),
            [
                (test.name, test.rejected_on or _NONE, test.since or _NONE, f"{test.e_value:,.1f}",
                 f"{test.threshold:,.1f}")
                for test in rejected
            ],
        )  # fmt: skip


def _vintage(vintage: VintageFigures) -> tuple[str, ...]:
    return (
        vintage.vintage,
        str(vintage.version),
        f"{vintage.scored:,}",
        f"{vintage.mature:,}",
        f"{vintage.known:,}",
        f"{vintage.late:,}",
        f"{vintage.expected_late:,.1f}",
        _figure(vintage.observed_over_expected, 2),
        _figure(vintage.auc, 3),
        _percent(vintage.flag_rate),
    )


def _facts(*facts: tuple[str, str]) -> Iterator[str]:
    return (f"  {name:16}  {value}" for name, value in facts)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    cells = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return (("  " + "  ".join(map(str.ljust, row, widths))).rstrip() for row in cells)


def _figure(figure: Figure, digits: int) -> str:
    if figure.value is None:
        return _NONE
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def _number(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:,.{digits}f}"


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{share:.2%}".replace("%", " %")
