"""The monitor's nightly job: looks at the version in charge, and writes a line about it.

The line is a JSON object, and an EMF document too: CloudWatch makes its metrics of it, and alarms look at these.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from model_monitor.report import MonitorReport
from model_monitor.verdict import KINDS
from model_watch.embedded_metrics import EmbeddedMetrics
from operate.settings import LookSettings

# The names of the metrics. The verdict's number is its place in ``KINDS``; from ``recalibrate`` on somebody must act.
VERDICT: Final = "MonitorVerdict"
MATURE_LOANS: Final = "MatureLoans"
KNOWN_OUTCOMES: Final = "KnownOutcomes"
OBSERVED_OVER_EXPECTED: Final = "ObservedOverExpected"
ROC_AUC: Final = "RocAuc"
UNITS: Final = {
    VERDICT: "None",
    MATURE_LOANS: "Count",
    KNOWN_OUTCOMES: "Count",
    OBSERVED_OVER_EXPECTED: "None",
    ROC_AUC: "None",
}


class NightlyLook:
    """Looks at the version in charge of one alias.

    Parameters
    ----------
    settings : LookSettings
        The model, the alias, and what is in each log line.
    look : callable
        Makes the report of a date, and keeps it.
    clock : callable
        Returns now, with a time zone.
    write : callable
        Takes a line of the function's log.
    """

    def __init__(
        self,
        settings: LookSettings,
        look: Callable[[date], MonitorReport],
        *,
        clock: Callable[[], datetime],
        write: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._metrics = EmbeddedMetrics(settings.metrics_namespace, settings.metric_dimensions, UNITS)
        self._look = look
        self._clock = clock
        self._write = write

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG002
        """Make today's report (UTC).

        Returns
        -------
        dict
            The report's version, date and verdict.

        Raises
        ------
        Exception
            Whatever kept it from looking, once the log says so. Lambda counts it as an error of the function.
        """
        now = self._clock()
        try:
            report = self._look(now.astimezone(UTC).date())
        except Exception as error:
            members = {"error": type(error).__name__, "error_message": str(error)}
            self._tell(now, {"level": "ERROR", "message": "the monitor couldn't look", **members})
            raise
        found = {"version": report.version, "as_of": report.as_of, "verdict": report.verdict.to_document()}
        entry = {"level": "INFO", "message": f"the monitor says {report.verdict.kind}", **found}
        self._tell(now, entry, measured(report))
        return found

    def _tell(self, now: datetime, entry: dict[str, Any], measured: dict[str, float] | None = None) -> None:
        names = {"model": self._settings.model, "alias": self._settings.alias}
        entry = {**entry, "timestamp": now.isoformat(), "kind": "monitor", **names}
        # A line without metrics: the alarm on missing looks must not take a failure for one.
        line = self._metrics.document(measured, None, entry, now.timestamp()) if measured else entry
        self._write(json.dumps(line, ensure_ascii=False))


def measured(report: MonitorReport) -> dict[str, float]:
    """Return the report's metrics; a figure that can't be computed has none."""
    outcomes = report.outcomes
    figures = {
        VERDICT: float(KINDS.index(report.verdict.kind)),
        MATURE_LOANS: float(outcomes.mature),
        KNOWN_OUTCOMES: float(outcomes.known),
        OBSERVED_OVER_EXPECTED: outcomes.observed_over_expected.value,
        ROC_AUC: outcomes.auc.value,
    }
    return {name: value for name, value in figures.items() if value is not None}
