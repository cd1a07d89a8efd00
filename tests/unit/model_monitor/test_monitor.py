"""The monitor's report from counts: which days its sections are of, and what it says without data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from memory_store import InMemoryStore
from model_monitor.joined.maturity import LATE, ON_TIME, UNKNOWN
from model_monitor.joined.outcome_tally import tally_outcomes
from model_monitor.joined.vintage import Quarter, Vintage, as_of
from model_monitor.monitor import compose
from model_monitor.report import Figure, MonitorReport
from model_monitor.report_sections import calibration_groups
from model_monitor.settings import MonitorSettings, default_settings, read_settings
from model_registry.manifest import ColumnProfile, Manifest, TrainingProfile
from model_watch.outcome_figures import Tally
from model_watch.tally import DayTally, ScoreCounts, VersionTally
from registry_kit import make_writer, publish_two

JANUARY = date(2026, 1, 1)
SETTINGS = default_settings()
N = 2_000


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """The manifest of version 1, without a profile."""
    store = InMemoryStore()
    publish_two(store)
    return make_writer(store).reader.get_manifest(1)


def scores(day: date, n: int = N) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return 1 / (1 + np.exp(-np.random.default_rng(day.toordinal()).normal(-3.0, 1.0, n)))


def traffic(day: date, version: int = 1, n: int = N, **counts: int) -> DayTally:
    late = scores(day, n)
    answered = VersionTally(
        requests=n, failures=1, latency=np.eye(64, dtype=np.int64)[20] * n, records=n, flagged=int((late > 0.1).sum()),
        warned=n // 100, warnings={"unseen_category": n // 100}, scores=ScoreCounts.of(late),
    )  # fmt: skip
    return DayTally(day, {version: answered}, **counts)


def vintages(days: Sequence[date], today: date, *, factor: float = 1.0, version: int = 1) -> list[Vintage]:
    """Return what became of each day's loans if a loan is late with ``factor`` times its probability."""
    tallies = {}
    for day in days:
        late = scores(day)
        is_late = np.random.default_rng(day.toordinal() + 1).random(N) < late * factor
        outcomes = np.where(is_late, LATE, ON_TIME).astype(np.int8)
        tallies[day] = {version: tally_outcomes(late, late > 0.1, outcomes)}
    known = as_of(tallies, today, SETTINGS.outcome_window_days, SETTINGS.enough.known_share)
    quarters = sorted({Quarter.of(day).name for day in known})
    return [
        Vintage(name, {day: known[day] for day in known if Quarter.of(day).name == name}, fingerprint="")
        for name in quarters
    ]


def test_late_loans_that_are_reported_before_the_others_are_no_alarm(manifest: Manifest) -> None:
    days = every_third_day(JANUARY, 30)
    today = days[-1] + timedelta(days=SETTINGS.outcome_window_days)
    tallies = {}
    for number, day in enumerate(days):
        late = scores(day)
        is_late = np.random.default_rng(day.toordinal() + 1).random(N) < late
        # The last third waits for the next file of loans on time.
        others = ON_TIME if number < 20 else UNKNOWN
        tallies[day] = {1: tally_outcomes(late, late > 0.1, np.where(is_late, LATE, others).astype(np.int8))}
    vintage = Vintage("2026-Q1", as_of(tallies, today, SETTINGS.outcome_window_days, SETTINGS.enough.known_share), "")

    report = compose(manifest, "live", [traffic(day) for day in days], [vintage], SETTINGS, today)

    assert report.verdict.kind == "ok"
    assert (report.outcomes.mature, report.outcomes.known) == (30 * N, 20 * N)
    assert report.outcomes.observed_over_expected.value == pytest.approx(1.0, abs=0.05)


def every_third_day(first: date, n: int) -> list[date]:
    return [first + timedelta(days=3 * number) for number in range(n)]


def report_of(
    manifest: Manifest, days: Sequence[date], today: date, settings: MonitorSettings = SETTINGS, factor: float = 1.0
) -> MonitorReport:
    known = vintages(days, today, factor=factor)
    return compose(manifest, "live", [traffic(day, damaged=1) for day in days], known, settings, today)


def test_without_any_request_the_report_says_that_nothing_is_known(manifest: Manifest) -> None:
    report = compose(manifest, "live", [DayTally(JANUARY)], [], SETTINGS, JANUARY)

    assert (report.version, report.alias, report.as_of) == (1, "live", "2026-01-01")
    assert (report.verdict.kind, report.verdict.reason) == ("not enough data", "No prediction is mature yet.")
    assert (report.live.since, report.live.records, report.live.flag_rate, report.live.mean_score) == (
        None,
        0,
        None,
        None,
    )
    assert (report.outcomes.since, report.outcomes.auc, report.outcomes.decomposition) == (
        None,
        Figure(None, None, None),
        None,
    )
    assert (report.shifts, report.vintages, report.challengers) == ((), (), ())
    assert MonitorReport.from_json(report.to_json()) == report


def test_live_figures_are_of_the_last_days_and_outcomes_of_all_mature_ones(manifest: Manifest) -> None:
    days = every_third_day(JANUARY, 50)
    today = days[-1] + timedelta(days=30)

    report = report_of(manifest, days, today)

    live, outcomes = report.live, report.outcomes
    assert live.until == days[-1].isoformat()
    assert live.since == (days[-1] - timedelta(days=SETTINGS.live_days - 1)).isoformat()
    recent = [day for day in days if day.isoformat() >= str(live.since)]
    assert (live.requests, live.failures, live.records) == (N * len(recent), len(recent), N * len(recent))
    assert live.flag_rate == pytest.approx(sum((scores(day) > 0.1).sum() for day in recent) / live.records)
    assert live.mean_score == pytest.approx(np.mean([scores(day) for day in recent]), abs=1e-9)
    assert (live.warned_share, live.warnings) == (0.01, {"unseen_category": live.records // 100})
    assert live.expected.late_rate == pytest.approx(live.mean_score)
    assert report.damage.lines == len(recent)
    mature = [day for day in days if day + timedelta(days=SETTINGS.outcome_window_days) <= today]
    assert (outcomes.since, outcomes.until) == (days[0].isoformat(), mature[-1].isoformat())
    assert (outcomes.records, outcomes.mature, outcomes.known) == (N * len(days), N * len(mature), N * len(mature))
    assert outcomes.expected_late == pytest.approx(sum(scores(day).sum() for day in mature), abs=1e-3)
    assert report.verdict.kind == "ok"


def test_a_version_that_nobody_asks_any_more_keeps_the_figures_of_its_last_days(manifest: Manifest) -> None:
    days = every_third_day(JANUARY, 4)

    report = report_of(manifest, days, JANUARY + timedelta(days=300))

    assert (report.live.since, report.live.until) == (days[0].isoformat(), days[-1].isoformat())


def test_the_settings_say_how_many_days_are_shown(manifest: Manifest) -> None:
    settings = read_settings("live_days = 1")
    report = report_of(manifest, every_third_day(JANUARY, 4), JANUARY + timedelta(days=40), settings)

    assert report.live.since == report.live.until
    assert report.live.records == N
    assert report.settings["live_days"] == 1


def test_probabilities_that_are_twice_too_high_are_to_be_recalibrated(manifest: Manifest) -> None:
    report = report_of(manifest, every_third_day(JANUARY, 30), date(2026, 9, 1), factor=0.5)

    assert report.verdict.kind == "recalibrate"
    [test] = [test for test in report.tests if test.rejected_on]
    assert test.name == "calibration"
    assert report.outcomes.observed_over_expected.value == pytest.approx(0.5, abs=0.05)


def test_vintages_are_of_each_quarter_and_version_that_scored(manifest: Manifest) -> None:
    today = date(2026, 7, 1)
    days = [date(2026, 2, 1), date(2026, 5, 1)]
    counted = [traffic(days[0]), traffic(days[1], version=2, n=500)]

    report = compose(manifest, "live", counted, vintages(days, today), SETTINGS, today)

    first, still_open, other = report.vintages
    assert (first.vintage, first.version, first.scored, first.mature) == ("2026-Q1", 1, N, N)
    assert first.flag_rate == pytest.approx((scores(days[0]) > 0.1).mean())
    assert sum(group.loans for group in first.calibration) == first.known == N
    assert (still_open.vintage, still_open.version, still_open.records, still_open.mature) == ("2026-Q2", 1, N, 0)
    assert (still_open.auc, still_open.calibration) == (Figure(None, None, None), ())
    assert (other.vintage, other.version, other.scored, other.records) == ("2026-Q2", 2, 500, 0)


def test_shifts_and_scores_are_of_the_live_days(manifest: Manifest) -> None:
    published = TrainingProfile((ColumnProfile("dti", (0.0, 20.0, 40.0), None, (500, 500), 0),))
    metrics = {"test": {}, "score_bins": {"edges": [0.05], "loans": [600, 400]}}
    profiled = manifest.__class__(**{**vars(manifest), "profile": published, "metrics": metrics})
    profiles = np.zeros((1, 64), dtype=np.int64)
    profiles[0, :2] = (400, 1_600)
    day = traffic(JANUARY)
    version = day.versions[1] + VersionTally(profiles=profiles, profiled=N)

    report = compose(profiled, "live", [DayTally(JANUARY, {1: version})], [], SETTINGS, JANUARY + timedelta(days=1))

    column, score = report.shifts
    assert (column.column, column.after) == ("dti", (0.2, 0.8))
    assert column.psi > column.limit
    assert score.column == "score"
    assert (report.scores.edges, report.scores.training) == ((0.05,), (600.0, 400.0))
    assert sum(report.scores.live) == N


def test_calibration_groups_are_of_about_one_size_and_keep_a_bin_together() -> None:
    probabilities = np.linspace(0.01, 0.3, 30)
    late, on_time = np.arange(30.0), np.full(30, 100.0)
    on_time[3] = 2_000.0

    groups = calibration_groups(Tally(probabilities, late, on_time))

    assert sum(group.loans for group in groups) == int((late + on_time).sum())
    assert [group.expected for group in groups] == sorted(group.expected for group in groups)
    assert max(group.loans for group in groups) >= 2_000
    assert all(group.low <= group.observed <= group.high for group in groups)
    assert calibration_groups(Tally(np.empty(0), np.empty(0), np.empty(0))) == ()
