"""The monitor's page on the real quarters; runs where PEERLOAN_DATA names them.

A model of the training quarter scores the test quarter's loans, day by day, with another version in its shadow, and
their outcomes are imported.
"""

from __future__ import annotations

import html
import os
import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from log_texts import MODEL, SHADOW_VERSION, log_text, pack
from memory_store import InMemoryStore
from model_artifact.pipeline import late_probabilities
from model_monitor.joined.maturity import day_number
from model_monitor.joined.outcome_file import OutcomeFile
from model_monitor.joined.outcome_store import OutcomeStore
from model_monitor.monitor import look
from model_monitor.report import MonitorReport
from model_monitor.settings import default_settings
from model_registry.candidate import Candidate
from model_registry.manifest import TrainingProfile
from model_watch.loan_hash import LoanHasher
from model_watch.profile import Profiler
from peerloan.monitoring.page import render_monitor_page
from registry_kit import make_candidate, make_writer
from training import data
from training.measuring import Scores, measure
from training.recipes.contenders import DEFAULT_ROUNDS, monotone_trees
from training.thresholds import FlagShare

pytestmark = pytest.mark.skipif(not os.environ.get(data.DATA_VARIABLE), reason=f"{data.DATA_VARIABLE} is not set")

DAYS = 90
FIRST_DAY = date(2026, 1, 1)
AS_OF = date(2026, 8, 1)
HASHER = LoanHasher("k" * 40)


@cache
def quarters() -> data.Quarters:
    return data.load(None, os.environ)


@cache
def trained() -> tuple[Candidate, NDArray[np.float64]]:
    """Return a candidate whose intercept isn't set on the newest loans, and its probabilities of the test quarter."""
    train, test = quarters().train, quarters().test
    is_even = np.arange(len(train.target)) % 2 == 0
    unseen = np.empty(len(train.target))
    with threadpool_limits(limits=1):
        for rows in (is_even, ~is_even):
            half = monotone_trees(DEFAULT_ROUNDS, 0).fit(train.features[~rows], train.target[~rows])
            unseen[rows] = late_probabilities(half, train.features[rows])
        model = monotone_trees(DEFAULT_ROUNDS, 0).fit(train.features, train.target)
    scores = Scores("cross_validation", "loans with the highest probability", train, unseen)
    measured = measure(model, train, None, FlagShare(), serving_form=None, unseen=scores)
    candidate = replace(
        make_candidate(), metrics=measured.metrics, profile=measured.profile, threshold=measured.threshold
    )
    with threadpool_limits(limits=1):
        return candidate, late_probabilities(model, test.features)


def profiles(features: pd.DataFrame, profile: TrainingProfile) -> list[str]:
    columns = {
        column.name: features[column.name].to_numpy(np.float64)
        if column.labels is None
        else features[column.name].astype(object).where(features[column.name].notna(), None).tolist()
        for column in profile.columns
    }
    return [text.decode("ascii") for text in Profiler(profile).of_columns(columns)]


@cache
def report() -> MonitorReport:
    candidate, late = trained()
    assert candidate.profile is not None
    models, log = InMemoryStore(), InMemoryStore()
    writer = make_writer(models)
    writer.publish(candidate)
    writer.assign("live", 1)
    test = quarters().test
    hashes = [HASHER.hash(f"LN-{number}") for number in range(len(late))]
    characters = profiles(test.features, candidate.profile)
    flags = late >= candidate.threshold.value
    for number, rows in enumerate(np.array_split(np.random.default_rng(1).permutation(len(late)), DAYS)):
        day = FIRST_DAY + timedelta(days=number)
        text = log_text(
            number,
            datetime.combine(day, time(12), UTC),
            records=len(rows),
            version=1,
            # Its scores are drawn at random.
            shadow="scored",
            loans=[hashes[row] for row in rows],
            late_probabilities=late[rows].tolist(),
            is_late="".join("1" if flags[row] else "0" for row in rows),
            profiles=[characters[row] for row in rows],
            warnings={},
        )
        log.put(f"log/dt={day}/{number:03}.jsonl.gz", pack([text]))
    observed_on = np.full(len(late), day_number(FIRST_DAY + timedelta(days=200)))
    is_late = test.target == 1
    # A loan is late within its window, and on time once that is over.
    observed_on[is_late] = day_number(FIRST_DAY + timedelta(days=100))
    outcomes = OutcomeFile.of(AS_OF, np.array(hashes, dtype="S16"), observed_on, is_late)
    OutcomeStore(models, MODEL).keep(outcomes)
    return look(models, log, MODEL, "live", default_settings(), AS_OF)


def test_the_late_rate_is_lower_than_expected_and_the_verdict_is_to_recalibrate() -> None:
    outcomes = report().outcomes
    assert (outcomes.known, outcomes.late) == (6_843, 95)
    assert outcomes.observed_over_expected.value == pytest.approx(0.61, abs=0.02)
    assert report().verdict.kind == "recalibrate"
    assert outcomes.auc.value == pytest.approx(0.75, abs=0.01)


def test_the_rate_card_is_the_largest_shift() -> None:
    shifts = sorted(report().shifts, key=lambda shift: -shift.psi)
    assert shifts[0].column == "int_rate"
    assert shifts[0].psi == pytest.approx(0.113, abs=0.005)
    assert shifts[0].psi > 20 * shifts[0].limit


def test_a_shadow_that_scores_at_random_is_shown_to_be_worse_on_the_same_loans() -> None:
    (challenger,) = report().challengers
    assert (challenger["version"], challenger["loans"], challenger["late"]) == (SHADOW_VERSION, 6_843, 95)
    assert challenger["verdict"]["kind"] == "worse"
    assert challenger["auc_difference"]["high"] < -0.1
    assert "version 4 predicts worse than version 1" in challenger["verdict"]["reason"]


def test_the_page_says_both_in_words() -> None:
    page = re.sub(r"<style>.*?</style>", "", render_monitor_page(report()), flags=re.DOTALL)
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    for sentence in (
        "Verdict: recalibrate The model's probabilities are off. Nothing shows that it ranks loans worse",
        "Fewer loans were late than expected: 95 of 6,843 loans were late",
        "The probabilities are too high.",
        "Interest rate (int_rate) has shifted.",
        "The lender sets it: a new rate card shows like this, and says nothing of who applies.",
    ):
        assert sentence in words
