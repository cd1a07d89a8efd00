"""The sections of the monitor's report, each from counts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import reduce
from operator import add

import numpy as np

from model_monitor.expected import expected_figures
from model_monitor.input_shifts import SCORE, TrainingInputs
from model_monitor.joined.outcome_tally import OutcomeTally
from model_monitor.joined.vintage import Quarter, Vintage
from model_monitor.mature_figures import MatureFigures, measure, scored_tally
from model_monitor.report import (
    CalibrationGroup,
    Damage,
    Figure,
    Latency,
    LiveFigures,
    OutcomeFigures,
    ScoreDistributions,
    VintageFigures,
)
from model_watch.intervals import wilson
from model_watch.outcome_figures import Tally, sum_of_products
from model_watch.tally import PROBABILITY_UNIT, DayTally, VersionTally

# Calibration is shown in so many groups of loans.
_GROUPS = 10


def by_day(days: Iterable[DayTally], version: int) -> dict[date, VersionTally]:
    """Return what a version answered, by day."""
    return {day.day: day.versions[version] for day in days if version in day.versions}


def outcomes_by_day(vintages: Iterable[Vintage], version: int) -> dict[date, OutcomeTally]:
    """Return what became of the loans that a version scored, by day."""
    return {
        day: versions[version] for vintage in vintages for day, versions in vintage.days.items() if version in versions
    }


def live_window(traffic: Mapping[date, VersionTally], live_days: int) -> tuple[date, date] | None:
    """Return the first and the last day of the live figures, None for a version that has no request.

    The last one is the version's last day with requests, so that the figures don't vanish while nobody asks.
    """
    busy = [day for day, tally in traffic.items() if tally.requests]
    if not busy:
        return None
    return max(min(busy), max(busy) - timedelta(days=live_days - 1)), max(busy)


def sum_of(traffic: Mapping[date, VersionTally], window: tuple[date, date] | None) -> VersionTally:
    """Return what a version answered within a window."""
    within = (tally for day, tally in traffic.items() if window and window[0] <= day <= window[1])
    return reduce(add, within, VersionTally())


def live_figures(live: VersionTally, window: tuple[date, date] | None) -> LiveFigures:
    """Return the figures of what a version answered within a window."""
    records = live.records
    return LiveFigures(
        since=window and window[0].isoformat(),
        until=window and window[1].isoformat(),
        requests=live.requests,
        failures=live.failures,
        latency_ms=Latency(live.latency_quantile_ms(0.5), live.latency_quantile_ms(0.99)),
        records=records,
        flag_rate=_share(live.flagged, records),
        warned_share=_share(live.warned, records),
        warnings=dict(sorted(live.warnings.items())),
        mean_score=live.scores.mean,
        expected=expected_figures(
            live.scores.records, live.scores.probability_sum.astype(np.float64) * PROBABILITY_UNIT
        ),
    )


def damage(days: Iterable[DayTally], window: tuple[date, date] | None) -> Damage:
    """Return what the log lacks within a window."""
    within = [day for day in days if window and window[0] <= day.day <= window[1]]
    return Damage(
        lines=sum(day.damaged for day in within),
        crashes=sum(day.crashes for day in within),
        unversioned=sum(day.unversioned for day in within),
    )


def score_distributions(training: TrainingInputs, live: VersionTally) -> ScoreDistributions:
    """Return the distributions of the score that the shift of the score compares; empty where training has none."""
    for column, counts in zip(training.columns, training.live_counts(live), strict=True):
        if column.name == SCORE:
            # A score is never missing or unseen.
            return ScoreDistributions(
                tuple(training.score_edges.tolist()), tuple(column.counts[:-2].tolist()), tuple(counts[:-2].tolist())
            )
    return ScoreDistributions((), (), ())


def outcome_figures(outcomes: Mapping[date, OutcomeTally]) -> OutcomeFigures:
    """Return the figures of all mature loans of a version."""
    total = reduce(add, outcomes.values(), OutcomeTally())
    mature = sorted(day for day, tally in outcomes.items() if tally.mature)
    figures = measure(scored_tally(total))
    return OutcomeFigures(
        since=mature[0].isoformat() if mature else None,
        until=mature[-1].isoformat() if mature else None,
        records=total.records,
        unhashed=total.unhashed,
        mature=total.mature,
        known=total.known,
        unknown=total.unknown,
        late=figures.late,
        expected_late=figures.expected_late,
        observed_over_expected=Figure.of(figures.observed_over_expected),
        intercept=Figure.of(figures.intercept),
        slope=Figure.of(figures.slope),
        auc=Figure.of(figures.auc),
        brier=Figure.of(figures.brier),
        log_loss=Figure.of(figures.log_loss),
        decomposition=figures.decomposition,
    )


def vintage_figures(days: Iterable[DayTally], vintages: Iterable[Vintage]) -> tuple[VintageFigures, ...]:
    """Return the figures of each quarter and version that had a record, in order."""
    scored: defaultdict[tuple[str, int], VersionTally] = defaultdict(VersionTally)
    for day in days:
        for version, tally in day.versions.items():
            if tally.records:
                scored[Quarter.of(day.day).name, version] += tally
    outcomes = {
        (vintage.name, version): tally for vintage in vintages for version, tally in vintage.by_version().items()
    }
    return tuple(
        _vintage(name, version, scored[name, version], outcomes.get((name, version), OutcomeTally()))
        for name, version in sorted({*scored, *outcomes})
    )


def _vintage(name: str, version: int, scored: VersionTally, outcomes: OutcomeTally) -> VintageFigures:
    counts = scored_tally(outcomes)
    figures: MatureFigures = measure(counts)
    return VintageFigures(
        vintage=name,
        version=version,
        scored=scored.records,
        records=outcomes.records,
        mature=outcomes.mature,
        known=outcomes.known,
        late=figures.late,
        expected_late=figures.expected_late,
        observed_over_expected=Figure.of(figures.observed_over_expected),
        auc=Figure.of(figures.auc),
        brier=Figure.of(figures.brier),
        mean_score=scored.scores.mean,
        flag_rate=_share(scored.flagged, scored.records),
        calibration=calibration_groups(counts),
    )


def calibration_groups(counts: Tally) -> tuple[CalibrationGroup, ...]:
    """Return loans in groups of about one size by probability, lowest first; loans of one bin stay together."""
    loans = counts.loans
    middles = np.cumsum(loans) - loans / 2
    places = (_GROUPS * middles / max(float(loans.sum()), 1.0)).astype(np.int64)
    groups = []
    for place in np.unique(places):
        here = places == place
        size, late = float(loans[here].sum()), float(counts.late[here].sum())
        observed = wilson(late, size)
        expected = sum_of_products(loans[here], counts.probabilities[here]) / size
        groups.append(CalibrationGroup(expected, observed.value, observed.low, observed.high, int(size)))
    return tuple(groups)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
