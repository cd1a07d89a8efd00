"""A look on every store: the same inputs give the same bytes, and a look that was killed anywhere is made again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from logged_loans import MODEL, LoggedLoans
from memory_store import InMemoryStore
from model_monitor.monitor import look
from model_monitor.report import MonitorReport
from model_monitor.report_store import ReportStore
from model_monitor.settings import default_settings
from model_registry.errors import AliasNotFoundError
from model_registry.stores.base import ObjectStore
from registry_kit import CutOffError, CutOffStore, make_writer

JANUARY = date(2026, 1, 1)
TODAY = date(2026, 7, 1)
DAYS = [JANUARY + timedelta(days=number) for number in (0, 1, 40, 100)]
SETTINGS = default_settings()


def scored(models: ObjectStore, log: ObjectStore) -> LoggedLoans:
    loans = LoggedLoans(models, log)
    for day in DAYS:
        loans.score(day)
    loans.import_outcomes(TODAY)
    return loans


def look_at(models: ObjectStore, log: ObjectStore, today: date = TODAY, alias: str = "live") -> MonitorReport:
    return look(models, log, MODEL, alias, SETTINGS, today)


def derived(models: ObjectStore) -> dict[str, bytes]:
    """Return the objects that a look writes."""
    return {key: models.get(key).body for key in models.list_keys(f"{MODEL}/monitor/")}


def test_a_look_is_kept_and_the_same_inputs_give_the_same_bytes(store: ObjectStore) -> None:
    log = InMemoryStore()
    scored(store, log)
    report = look_at(store, log)
    assert ReportStore(store, MODEL).get("live", TODAY) == report
    assert (report.live.records, report.outcomes.mature, report.outcomes.known) == (400, 600, 600)
    # The second quarter has no mature day yet, so its loans aren't joined.
    assert report.outcomes.records == 600
    before = derived(store)
    look_at(store, log)
    assert derived(store) == before
    for key in before:
        store.delete(key)
    look_at(store, log)
    assert derived(store) == before


def test_a_look_reads_what_arrived_since_and_another_import(store: ObjectStore) -> None:
    log = InMemoryStore()
    loans = scored(store, log)
    first = look_at(store, log)
    loans.score(DAYS[1], loans=50, folder=DAYS[1] + timedelta(days=1))
    second = look_at(store, log)
    assert (second.outcomes.mature, second.outcomes.known) == (650, 600)
    assert second.live.records == first.live.records
    loans.import_outcomes(TODAY)
    third = look_at(store, log)
    assert third.outcomes.known == 650


def test_an_earlier_date_knows_only_what_was_known_then(store: ObjectStore) -> None:
    log = InMemoryStore()
    loans = scored(store, log)
    loans.import_outcomes(JANUARY + timedelta(days=111))
    late = look_at(store, log)
    early = look_at(store, log, JANUARY + timedelta(days=112))
    assert (early.as_of, early.outcomes.mature, early.outcomes.until) == ("2026-04-23", 400, "2026-01-02")
    assert early.live.until == "2026-04-11"
    assert late == look_at(store, log)
    assert ReportStore(store, MODEL).list_dates("live") == [date(2026, 4, 23), TODAY]


def test_the_version_in_charge_is_judged_by_its_own_loans_alone(store: ObjectStore) -> None:
    log = InMemoryStore()
    loans = scored(store, log)
    loans.score(DAYS[0], loans=30, version=2)
    make_writer(store).assign("live", 2)
    report = look_at(store, log)
    assert (report.version, report.live.records, report.outcomes.records) == (2, 30, 30)
    assert [(vintage.vintage, vintage.version, vintage.records) for vintage in report.vintages] == [
        ("2026-Q1", 1, 600),
        ("2026-Q1", 2, 30),
        ("2026-Q2", 1, 0),
    ]


def test_an_alias_that_is_not_set_is_named(store: ObjectStore) -> None:
    log = InMemoryStore()
    scored(store, log)
    with pytest.raises(AliasNotFoundError, match="'next'"):
        look_at(store, log, alias="next")


def _die() -> None:
    raise CutOffError


@pytest.mark.parametrize("is_effective", [False, True])
def test_a_look_that_is_killed_at_any_write_is_made_again_with_the_same_end(is_effective: bool) -> None:
    def world() -> tuple[InMemoryStore, InMemoryStore]:
        models, log = InMemoryStore(), InMemoryStore()
        scored(models, log)
        return models, log

    models, log = world()
    look_at(models, log)
    whole = derived(models)
    writes = len(whole)
    # Each day with requests, both vintages and the report, at least.
    assert writes >= len(DAYS) + 3
    for number in range(1, writes + 1):
        models, log = world()
        with pytest.raises(CutOffError):
            look_at(CutOffStore(models, number, die=_die, effective=is_effective), log)
        assert len(derived(models)) == number - (not is_effective)
        look_at(models, log)
        assert derived(models) == whole


def test_an_earlier_date_within_a_quarter_that_was_counted_later_knows_only_what_was_known_then(
    store: ObjectStore,
) -> None:
    log = InMemoryStore()
    loans = LoggedLoans(store, log)
    for number in (0, 40, 80):
        loans.score(JANUARY + timedelta(days=number))
    loans.import_outcomes(JANUARY + timedelta(days=61))
    loans.import_outcomes(TODAY)
    settings = replace(SETTINGS, outcome_window_days=60)
    within = JANUARY + timedelta(days=62)
    early = look(store, log, MODEL, "live", settings, within)
    look(store, log, MODEL, "live", settings, TODAY)
    assert look(store, log, MODEL, "live", settings, within) == early
