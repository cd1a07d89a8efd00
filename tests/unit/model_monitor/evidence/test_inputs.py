"""Inputs may differ from the training loans as much as is tolerated; beyond it the column is named, the day as well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from model_monitor.evidence.daily import Evidence
from model_monitor.evidence.inputs import flag_factors, input_evidence, prior, share_factors
from model_monitor.input_shifts import TrainingInputs
from model_monitor.settings import default_settings
from model_registry.manifest import ColumnProfile, TrainingProfile
from model_watch.profile_characters import CHARACTERS
from model_watch.tally import VersionTally

SETTINGS = default_settings()
START = date(2026, 3, 2)
PROFILE = TrainingProfile(
    (
        ColumnProfile("int_rate", (0.0, 0.1, 0.2, 0.3, 0.4), None, (250, 250, 250, 250), 0),
        ColumnProfile("grade", None, ("A", "B"), (900, 90), 10),
        ColumnProfile("dti", (), None, (), 0),
    )
)
METRICS = {"test": {"rows": 1_000, "flagged_share": {"value": 0.1, "low": 0.09, "high": 0.11}}}
USUAL = ([25, 25, 25, 25, 0, 0], [90, 9, 1, 0])


def day_of(
    numbers: list[int] = USUAL[0], labels: list[int] = USUAL[1], flagged: int = 10, warned: int = 0
) -> VersionTally:
    profiles = np.zeros((3, len(CHARACTERS)), dtype=np.int64)
    profiles[0, [0, 1, 2, 3, -2, -1]] = numbers
    profiles[1, [0, 1, -2, -1]] = labels
    return VersionTally(records=100, profiled=100, flagged=flagged, warned=warned, profiles=profiles)


def evidence_of(days: Callable[[int], VersionTally], count: int = 120) -> dict[str, Evidence]:
    traffic = {START + timedelta(day): days(day) for day in range(count)}
    tests = input_evidence(traffic, TrainingInputs(PROFILE, METRICS), METRICS, SETTINGS)
    return {test.name: test for test in tests}


def test_each_input_has_a_test_and_shares_the_error_rate() -> None:
    tests = evidence_of(lambda _: day_of())
    assert list(tests) == ["int_rate", "grade", "warnings", "flagged"]
    assert sum(1 / test.threshold for test in tests.values()) == pytest.approx(1 / SETTINGS.threshold("look"))
    assert not any(test.is_rejected for test in tests.values())


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (day_of(numbers=[60, 15, 15, 10, 0, 0]), "int_rate"),
        (day_of(numbers=[20, 20, 20, 20, 20, 0]), "int_rate"),
        (day_of(numbers=[20, 20, 20, 20, 0, 20]), "int_rate"),
        (day_of(labels=[50, 45, 5, 0]), "grade"),
        (day_of(warned=20), "warnings"),
        (day_of(flagged=40), "flagged"),
        (day_of(flagged=0), "flagged"),
    ],
)
def test_a_change_is_found_in_its_column_from_its_day_on(changed: VersionTally, name: str) -> None:
    tests = evidence_of(lambda day: changed if day >= 40 else day_of())
    found = {test.name: test for test in tests.values() if test.is_rejected}
    assert list(found) == [name]
    assert abs((found[name].since - START).days - 40) <= 2
    assert (found[name].rejected_on - START).days < 40 + 25


@pytest.mark.parametrize(
    "changed",
    [
        day_of(numbers=[36, 22, 21, 19, 1, 1]),
        day_of(numbers=[33, 33, 34, 0, 0, 0]),
        day_of(labels=[85, 13, 2, 0]),
        day_of(flagged=15, warned=1),
        day_of(flagged=5),
    ],
)
def test_a_tolerated_change_is_no_alarm_however_long_it_lasts(changed: VersionTally) -> None:
    assert not any(test.is_rejected for test in evidence_of(lambda _: changed, 700).values())


def test_one_odd_day_is_no_alarm() -> None:
    odd = day_of([100, 0, 0, 0, 0, 0], [0, 100, 0, 0], flagged=100, warned=100)
    assert not any(test.is_rejected for test in evidence_of(lambda day: odd if day == 30 else day_of()).values())


def test_a_quiet_service_is_no_alarm() -> None:
    single = VersionTally(records=1, profiled=1, flagged=0, profiles=day_of().profiles // 90)
    assert not any(test.is_rejected for test in evidence_of(lambda _: single, 60).values())


def test_without_profile_and_promises_only_warnings_are_tested() -> None:
    tests = input_evidence({START: day_of()}, TrainingInputs(None, {}), {}, SETTINGS)
    assert [test.name for test in tests] == ["warnings"]


def test_records_without_a_profile_say_nothing_of_the_columns() -> None:
    tests = evidence_of(lambda _: VersionTally(records=1_000, flagged=100))
    assert not any(test.is_rejected for test in tests.values())


@given(st.floats(0.01, 0.99), st.integers(1, 50))
def test_bets_on_a_share_are_fair_or_worse_at_its_highest_tolerated_value(highest: float, records: int) -> None:
    counts = np.arange(records + 1.0)
    bounds, tolerance = np.array([highest]), SETTINGS.inputs
    factors = np.exp(share_factors(counts[:, None], np.full(records + 1, float(records)), bounds, tolerance))
    assert (binom.pmf(counts, records, highest) @ factors).max() <= 1 + 1e-9
    assert prior(factors.shape[1]).sum() == pytest.approx(1)


def test_a_bin_that_may_hold_everything_is_never_too_full() -> None:
    records, bounds, tolerance = np.array([5.0]), np.array([1.0]), SETTINGS.inputs
    assert (share_factors(np.array([[5.0]]), records, bounds, tolerance) == 0).all()
    assert (flag_factors(np.array([0.0]), records, (0.0, 1.0), tolerance) == 0).all()
