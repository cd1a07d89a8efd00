"""Shifts compare what the log's profiles count with the training loans, within what sampling alone makes of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from model_monitor.input_shifts import TrainingInputs, shifts
from model_registry.manifest import ColumnProfile, TrainingProfile
from model_watch.outcome_figures import logistic
from model_watch.profile import Profiler
from model_watch.profile_characters import CHARACTERS
from model_watch.tally import SCORE_EDGES, ScoreCounts, VersionTally

PROFILE = TrainingProfile(
    (
        ColumnProfile("int_rate", (0.0, 0.1, 0.2, 0.4), None, (1_000, 2_000, 1_000), 0),
        ColumnProfile("grade", None, ("A", "B", "C"), (2_000, 1_500, 400), 100),
    )
)
METRICS = {"score_bins": {"edges": [0.01, 0.02, 0.05], "loans": [4_000, 3_000, 2_000, 1_000]}}


def tally_of(numbers: list[float], labels: list[str | None], probabilities: list[float]) -> VersionTally:
    columns = {"int_rate": np.array(numbers), "grade": labels}
    profiles = np.zeros((2, len(CHARACTERS)), dtype=np.int64)
    for profile in Profiler(PROFILE).of_columns(columns):
        for column, character in enumerate(profile.decode()):
            profiles[column, CHARACTERS.index(character)] += 1
    return VersionTally(
        records=len(numbers), profiled=len(numbers), profiles=profiles, scores=ScoreCounts.of(probabilities)
    )


def test_each_column_and_the_score_are_compared_with_the_training_loans() -> None:
    tally = tally_of(
        [0.05] * 200 + [0.15] * 150 + [0.3] * 50 + [0.9] * 60 + [np.nan] * 40,
        ["A"] * 300 + ["B"] * 100 + ["Z"] * 75 + [None] * 25,
        [0.005] * 250 + [0.03] * 250,
    )
    number, label, score = shifts(TrainingInputs(PROFILE, METRICS), tally)
    assert (number.column, label.column, score.column) == ("int_rate", "grade", "score")
    assert (number.unseen_share, number.missing_share) == (0.12, 0.08)
    assert (label.unseen_share, label.missing_share) == (0.15, 0.05)
    assert number.bins == ("0 to 0.1", "0.1 to 0.2", "0.2 to 0.4", "missing", "unseen")
    assert number.before == (0.25, 0.5, 0.25, 0, 0)
    assert number.after == (0.4, 0.3, 0.1, 0.08, 0.12)
    assert label.bins[:3] == ("A", "B", "C")
    assert score.bins == ("below 0.01", "0.01 to 0.02", "0.02 to 0.05", "from 0.05")
    assert score.after == (0.5, 0, 0.5, 0)
    assert all(shift.psi > shift.limit > shift.by_chance for shift in (number, label, score))
    json.dumps([shift.to_document() for shift in (number, label, score)], allow_nan=False)


def test_sampling_alone_takes_any_column_beyond_its_limit_in_one_case_of_twenty() -> None:
    random = np.random.default_rng(8)
    columns = tuple(ColumnProfile(f"x{i}", None, tuple("ABCDE"), (20_000,) * 5, 0) for i in range(10))
    training = TrainingInputs(TrainingProfile(columns), {})
    beyond = []
    for _ in range(500):
        profiles = np.zeros((10, len(CHARACTERS)), dtype=np.int64)
        profiles[:, :5] = random.multinomial(2_000, [0.2] * 5, size=10)
        beyond.append(any(shift.psi > shift.limit for shift in shifts(training, VersionTally(profiles=profiles))))
    assert np.mean(beyond) == pytest.approx(0.05, abs=0.03)


def test_the_grid_of_scores_is_shared_out_over_the_bins_of_training() -> None:
    random = np.random.default_rng(2)
    probabilities = logistic(random.normal(-4, 0.8, 20_000))
    edges = np.quantile(probabilities, np.arange(0.1, 1, 0.1))
    counts = np.bincount(np.searchsorted(edges, probabilities, side="right"), minlength=10)
    metrics = {"score_bins": {"edges": edges.tolist(), "loans": counts.tolist()}}
    training = TrainingInputs(None, metrics)
    live = training.live_counts(VersionTally(scores=ScoreCounts.of(probabilities)))[0]
    assert live[:-2] == pytest.approx(counts, abs=30)
    assert shifts(training, VersionTally(scores=ScoreCounts.of(probabilities)))[0].psi < 1e-4


def test_scores_beyond_the_grid_stay_in_the_outer_bins() -> None:
    edges = logistic(SCORE_EDGES[[0, 200, 400]])
    metrics = {"score_bins": {"edges": edges.tolist(), "loans": [1, 1, 1, 1]}}
    tally = VersionTally(scores=ScoreCounts.of([0.0, 0.0, 0.4, 1.0]))
    assert TrainingInputs(None, metrics).live_counts(tally)[0].tolist() == [2, 1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"score_bins": None},
        {"score_bins": {"edges": [0.1], "loans": [1]}},
        {**METRICS, "in_sample": {"rows": 10}},
    ],
)
def test_scores_are_compared_with_loans_that_the_model_had_not_seen_alone(metrics: dict) -> None:
    assert [column.name for column in TrainingInputs(PROFILE, metrics).columns] == ["int_rate", "grade"]


def test_the_profiles_scores_come_before_those_among_the_metrics() -> None:
    score = ColumnProfile("score", (0.001, 0.03, 0.8), None, (600, 400), 5)
    training = TrainingInputs(TrainingProfile(PROFILE.columns, score), METRICS)
    assert training.score_edges.tolist() == [0.03]
    assert training.columns[-1].counts.tolist() == [600, 400, 0, 0]
    # Beyond the least and the greatest score of training there are scores, too.
    live = training.live_counts(VersionTally(scores=ScoreCounts.of([0.0001, 0.01, 0.99])))[-1]
    assert live.tolist() == [2, 1, 0, 0]


def test_columns_without_records_have_no_shift() -> None:
    assert shifts(TrainingInputs(PROFILE, METRICS), VersionTally()) == ()
    assert shifts(TrainingInputs(None, {}), tally_of([0.1], ["A"], [0.1])) == ()
