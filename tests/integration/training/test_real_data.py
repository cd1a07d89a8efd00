"""The figures of the real loans and of the models on them; runs where PEERLOAN_DATA names them."""

from __future__ import annotations

import os
from datetime import date, timedelta

import numpy as np
import pytest

from model_artifact.opening.load import open_pickle
from model_artifact.pipeline import late_probabilities
from model_artifact.schema import NUMERIC_NAMES
from model_monitor.evidence.inputs import input_evidence
from model_monitor.input_shifts import TrainingInputs, shifts
from model_monitor.joined.outcome_tally import tally_outcomes
from model_monitor.settings import default_settings
from model_monitor.verdict import judge
from model_watch.profile import Profiler
from model_watch.profile_characters import CHARACTERS
from model_watch.tally import VersionTally
from training import data
from training.evidence.stability import column_stability
from training.evidence.sweeps import sweep_all
from training.recipes.calibration import intercept_shift, shifted
from training.run import TrainingResult, train
from training.training_profile import training_profile

pytestmark = pytest.mark.skipif(not os.environ.get(data.DATA_VARIABLE), reason=f"{data.DATA_VARIABLE} is not set")


@pytest.fixture(scope="module")
def quarters() -> data.Quarters:
    return data.load(None, os.environ)


@pytest.fixture(scope="module")
def improved(quarters: data.Quarters) -> TrainingResult:
    return train("improved", quarters)


def test_the_files_are_the_two_quarters(quarters: data.Quarters) -> None:
    assert not quarters.is_sample
    train_file, test_file = quarters.train.fingerprint, quarters.test.fingerprint
    assert (train_file.rows, test_file.rows) == (111_068, 6_843)
    assert (train_file.late, test_file.late) == (2_460, 95)


def test_only_the_two_columns_have_gaps(quarters: data.Quarters) -> None:
    gaps = quarters.train.frame.isna().mean()
    assert set(gaps.index[gaps > 0]) == {"revol_util", "emp_length"}
    assert all(quarters.train.frame[name].dtype == np.float64 for name in NUMERIC_NAMES)


def test_the_selection_finds_the_ceiling_on_the_training_file(improved: TrainingResult) -> None:
    selection = improved.candidate.metrics["selection"]
    mean = {contender["name"]: contender["roc_auc"] for contender in selection["contenders"]}
    assert selection["chosen"] == "partly_monotone"
    assert mean["partly_monotone"] >= 0.722
    assert mean["trees_as_they_come"] < mean["logistic_regression"] < mean["partly_monotone"]
    assert improved.candidate.metrics["cross_validation"]["roc_auc"]["value"] >= 0.722


def test_the_next_quarter_is_ranked_as_well_as_can_be(improved: TrainingResult) -> None:
    auc = improved.candidate.metrics["test"]["roc_auc"]
    assert auc["value"] >= 0.74
    assert 0.68 < auc["low"] < auc["value"] < auc["high"] < 0.81


def test_the_gain_over_the_basic_forest_is_beyond_doubt(improved: TrainingResult) -> None:
    gain = improved.candidate.metrics["comparison"]["roc_auc"]
    assert gain["low"] > 0
    assert gain["value"] == pytest.approx(0.10, abs=0.02)


def test_the_improved_model_is_calibrated_for_the_next_quarter(improved: TrainingResult) -> None:
    test = improved.candidate.metrics["test"]
    assert 0.9 <= test["calibration_slope"]["value"] <= 1.2
    assert 0.8 <= test["observed_over_expected"]["value"] <= 1.25
    assert test["observed_over_expected"]["low"] < 1 < test["observed_over_expected"]["high"]


def test_the_improved_model_is_monotone(improved: TrainingResult, quarters: data.Quarters) -> None:
    sweeps = sweep_all(improved.pipeline, quarters.test.features, loans=400, seed=7)
    assert {sweep.column for sweep in sweeps} == {"int_rate", "grade", "annual_inc", "delinq_2yrs"}
    assert all(sweep.is_monotone for sweep in sweeps)
    required = [sweep for sweep in improved.candidate.metrics["monotonicity"].values() if sweep["is_required"]]
    assert len(required) == len(sweeps)
    assert all(sweep["loans_against"] == 0 for sweep in required)


def test_the_monotone_variant_is_offered_with_its_price(improved: TrainingResult) -> None:
    offered = improved.candidate.metrics["alternative"]
    assert (offered["contender"], offered["loans"]) == ("monotone", 6_843)
    assert {"dti", "revol_util"} <= set(offered["against_sense_in"])
    price = offered["roc_auc"]
    assert 0 < price["low"] < price["value"] < price["high"] < 0.05
    selection = {contender["name"]: contender for contender in improved.candidate.metrics["selection"]["contenders"]}
    assert selection["monotone"]["below_best"] == pytest.approx(0.005, abs=0.002)


def test_the_shift_of_the_rate_card_is_seen_and_most_columns_hold(quarters: data.Quarters) -> None:
    stability = {column.name: column for column in column_stability(quarters.train.features, quarters.test.features)}
    assert stability["int_rate"].psi == pytest.approx(0.113, abs=0.003)
    assert stability["purpose"].psi == pytest.approx(0.055, abs=0.003)
    assert max(column.psi for name, column in stability.items() if name not in ("int_rate", "purpose")) < 0.012
    assert all(0.0001 < column.by_chance < 0.003 for column in stability.values())


@pytest.mark.parametrize(
    ("late_rate", "verdict"),
    # As published, and as fitted: with the late rate of all training loans, though it fell towards the newest.
    [(None, "ok"), (0.0221, "recalibrate")],
)
def test_the_monitor_says_of_the_next_quarter_whether_to_recalibrate(
    improved: TrainingResult, quarters: data.Quarters, late_rate: float | None, verdict: str
) -> None:
    probabilities = late_probabilities(improved.pipeline, quarters.test.features)
    late = quarters.test.target.astype(np.int8)
    if late_rate is not None:
        as_often = (np.arange(len(late)) < late_rate * len(late)).astype(np.int64)
        probabilities = shifted(probabilities, intercept_shift(probabilities, as_often))
    day_of = np.arange(len(late)) * 91 // len(late)
    outcomes = {
        date(2026, 1, 1) + timedelta(days=day): tally_outcomes(
            probabilities[day_of == day], probabilities[day_of == day] >= 0.05, late[day_of == day]
        )
        for day in range(91)
    }
    assessment = judge(outcomes, {}, None, improved.candidate.metrics, default_settings(), date(2026, 7, 31))
    assert assessment.verdict.kind == verdict
    assert [test.name for test in assessment.tests if test.is_rejected] == ["calibration"] * (verdict != "ok")


def test_the_rate_card_is_within_what_the_monitor_tolerates(improved: TrainingResult, quarters: data.Quarters) -> None:
    profile = training_profile(quarters.train.features)
    training = TrainingInputs(profile, improved.candidate.metrics)
    features = quarters.test.features.astype(object).where(quarters.test.features.notna(), None)
    columns = {
        column.name: features[column.name].to_list() if column.edges is None else features[column.name].astype(float)
        for column in profile.columns
    }
    counts = np.zeros((len(profile.columns), len(CHARACTERS)), dtype=np.int64)
    for characters in Profiler(profile).of_columns(columns):
        counts[np.arange(len(profile.columns)), [CHARACTERS.index(chr(code)) for code in characters]] += 1
    tally = VersionTally(profiles=counts, profiled=6_843, records=6_843)
    psi = {shift.column: shift.psi for shift in shifts(training, tally)}
    assert psi["int_rate"] == pytest.approx(0.113, abs=0.003)
    days = {date(2026, 1, 1) + timedelta(days=day): tally for day in range(91)}
    assert not any(test.is_rejected for test in input_evidence(days, training, {}, default_settings()))


def test_the_improved_model_flags_about_the_stated_share(improved: TrainingResult) -> None:
    assert improved.candidate.metrics["test"]["flagged_share"]["value"] == pytest.approx(0.10, abs=0.03)


def test_the_improved_model_is_small_and_loads_as_it_was(improved: TrainingResult, quarters: data.Quarters) -> None:
    assert len(improved.candidate.pickle) < 200_000
    features = quarters.test.features
    loaded = open_pickle(improved.candidate.pickle)
    assert np.array_equal(loaded.predict_proba(features), improved.pipeline.predict_proba(features))
