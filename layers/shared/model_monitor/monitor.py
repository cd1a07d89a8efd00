"""One look at the version in charge: counts what is new in the log and the outcomes, judges, and keeps the report.

Everything but the report is derived from the log and the outcomes, and each document is written whole: a look that was
killed anywhere is made again, with the same end. The same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from model_monitor import report_sections as sections
from model_monitor.challenger import compare_challengers
from model_monitor.input_shifts import TrainingInputs, shifts
from model_monitor.joined.vintage import Vintage
from model_monitor.joined.vintages import refresh_vintages
from model_monitor.report import EvidenceFigures, MonitorReport
from model_monitor.report_store import ReportStore
from model_monitor.settings import MonitorSettings
from model_monitor.verdict import judge
from model_registry.manifest import Manifest
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from model_watch.tally import DayTally
from model_watch.tally_store import refresh

# As long as the log is kept by default (25 months).
REACH_DAYS: Final = 760


def look(
    store: ObjectStore, log_store: ObjectStore, model: str, alias: str, settings: MonitorSettings, today: date
) -> MonitorReport:
    """Look at the version that is in charge of an alias now, and keep the report under the date.

    Parameters
    ----------
    store, log_store : ObjectStore
        The bucket of the models, and that of the prediction log.
    model, alias : str
    settings : MonitorSettings
        What is tolerated.
    today : date
        The date of the report (UTC). Outcomes are mature as of it, and the log is read up to it.

    Raises
    ------
    RegistryError
        If the alias isn't set, a document is damaged (its error says what to do), or a bucket doesn't answer.
    """
    reader = RegistryReader(store, model)
    manifest = reader.get_manifest(reader.get_alias(alias).alias.version)
    days = refresh(store, log_store, model, today - timedelta(days=REACH_DAYS), today)
    vintages = refresh_vintages(store, log_store, model, settings, today)
    report = compose(manifest, alias, days, vintages, settings, today)
    ReportStore(store, model).keep(report)
    return report


def compose(
    manifest: Manifest,
    alias: str,
    days: Sequence[DayTally],
    vintages: Sequence[Vintage],
    settings: MonitorSettings,
    today: date,
) -> MonitorReport:
    """Return the report on a version from what was counted. Pure."""
    version = manifest.version
    traffic = sections.by_day(days, version)
    outcomes = sections.outcomes_by_day(vintages, version)
    judgement = judge(outcomes, traffic, manifest.profile, manifest.metrics, settings, today)
    training = TrainingInputs(manifest.profile, manifest.metrics)
    window = sections.live_window(traffic, settings.live_days)
    live = sections.sum_of(traffic, window)
    return MonitorReport(
        model=manifest.model,
        alias=alias,
        version=version,
        as_of=today.isoformat(),
        verdict=judgement.verdict,
        window_days=settings.outcome_window_days,
        settings=settings.to_document(),
        live=sections.live_figures(live, window),
        outcomes=sections.outcome_figures(outcomes),
        shifts=shifts(training, live),
        tests=tuple(map(EvidenceFigures.of, judgement.tests)),
        vintages=sections.vintage_figures(days, vintages),
        scores=sections.score_distributions(training, live),
        challengers=tuple(
            challenger.to_document()
            for challenger in compare_challengers(outcomes, version, manifest.metrics, settings)
        ),
        damage=sections.damage(days, window),
    )
