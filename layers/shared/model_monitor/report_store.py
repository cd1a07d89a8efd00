"""Keeps the monitor's reports in the bucket, by alias and date. A later look of a date replaces its report."""

from __future__ import annotations

from datetime import date

from model_monitor.report import InvalidReportError, MonitorReport
from model_registry import names
from model_registry.documents import MAX_DOCUMENT_BYTES
from model_registry.errors import ObjectNotFoundError, RegistryError
from model_registry.stores.base import ObjectStore


class ReportNotFoundError(RegistryError):
    """The monitor has made no report of this date."""

    def __init__(self, alias: str, as_of: date) -> None:
        super().__init__(
            f"There is no report on alias {alias!r} of {as_of}. Make one: peerloan monitor {alias} --as-of {as_of}."
        )
        self.alias = alias
        self.as_of = as_of


class ReportStore:
    """The reports on one model."""

    def __init__(self, store: ObjectStore, model: str) -> None:
        self._store = store
        self._model = names.check_model_name(model)

    def keep(self, report: MonitorReport) -> str:
        """Write a report, instead of the earlier one of its date, and return its key."""
        key = names.monitor_report_key(self._model, report.alias, date.fromisoformat(report.as_of))
        self._store.put(key, report.to_json())
        return key

    def get(self, alias: str, as_of: date) -> MonitorReport:
        """Return the report of a date.

        Raises
        ------
        ReportNotFoundError
            If there is none.
        InvalidReportError
            If it is damaged, or newer than this code.
        """
        key = names.monitor_report_key(self._model, alias, as_of)
        try:
            stored = self._store.get(key, limit_bytes=MAX_DOCUMENT_BYTES)
        except ObjectNotFoundError:
            raise ReportNotFoundError(alias, as_of) from None
        try:
            report = MonitorReport.from_json(stored.body)
            place = (report.model, report.alias, report.as_of)
            if place != (self._model, alias, as_of.isoformat()):
                raise InvalidReportError(f"It is of model {place[0]!r}, alias {place[1]!r} and {place[2]}.")
        except InvalidReportError as error:
            raise InvalidReportError(
                f"{key!r} can't be used: {error} Make it again: peerloan monitor {alias} --as-of {as_of}."
            ) from error
        return report

    def list_dates(self, alias: str) -> list[date]:
        """Return the dates of all reports on an alias, in order."""
        keys = self._store.list_keys(names.monitor_reports_prefix(self._model, alias))
        return sorted(day for day in map(names.parse_dated_key, keys) if day is not None)
