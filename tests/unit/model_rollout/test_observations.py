"""What is counted of the log's lines: distinct keys, the same time and equal shares of all keys, in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_lines import (
    CANARY_REVISION,
    CANDIDATE,
    MAIN,
    ROLLOUT,
    SHADOW_REVISION,
    START,
    Traffic,
    answered_by_main,
    crash,
    failed,
    refused,
)
from model_registry.routing import routing_point
from model_rollout import observations as module
from model_rollout.canary_table import MOST_WAITING
from model_rollout.guard_settings import default_settings
from model_rollout.guards import judge
from model_rollout.observations import Observations

WEIGHTS = {SHADOW_REVISION: 0.0, CANARY_REVISION: 0.1, 7: 0.5, 8: 0.9}


def observe(lines, weights=WEIGHTS):
    observations = Observations(CANDIDATE, MAIN, ROLLOUT, START, weights)
    observations.add(lines)
    return observations


def pairs(observations, measure="failed"):
    comparison = observations.table().compare(measure)
    return len(comparison.candidate), len(comparison.alone)


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_verdicts_do_not_depend_on_order_and_batches(seed, batch) -> None:
    random, traffic = Random(seed), Traffic()
    lines = [*traffic.shadowed(60), *traffic.lines(200, weight=0.1), *traffic.lines(100, weight=0.5, revision=7)]
    lines = [failed(line) if random.random() < 0.1 else line for line in lines]
    lines = [refused(line) if line.routed_version == CANDIDATE and random.random() < 0.1 else line for line in lines]
    lines += [crash(1)]
    expected = [judge(default_settings(), observe(lines), stage) for stage in ("shadow", "canary", "bake")]
    random.shuffle(lines)
    observations = observe([])
    for begin in range(0, len(lines), batch):
        observations.add(lines[begin : begin + batch])
    assert [judge(default_settings(), observations, stage) for stage in ("shadow", "canary", "bake")] == expected


@pytest.mark.parametrize(("weight", "revision"), [(0.1, CANARY_REVISION), (0.5, 7), (0.9, 8)])
def test_both_versions_are_compared_over_equal_shares_of_all_keys(weight, revision) -> None:
    lines = list(Traffic().lines(4000, weight=weight, revision=revision))
    share = min(weight, 1 - weight)
    paired, alone = pairs(observe(lines))
    # One request in seven finds no pair.
    assert paired == pytest.approx(4000 * share * 6 / 7, rel=0.15)
    assert alone == pytest.approx(4000 * (weight - share), rel=0.15)


@given(st.lists(st.booleans(), max_size=60))
def test_a_request_is_paired_with_the_newest_of_the_other_version_while_it_is_among_the_last_that_wait(sides) -> None:
    # At a weight of .5 all keys of both versions are drawn.
    lines = [
        Traffic().line(
            revision=7,
            version=CANDIDATE if side else MAIN,
            routed_version=CANDIDATE if side else MAIN,
            time=START + timedelta(minutes=minute),
            invocation_id=f"invocation-{minute}",
            key=f"key-{minute}",
        )
        for minute, side in enumerate(sides)
    ]
    comparison = observe(lines).table().compare("failed")
    waiting, expected = [], []
    for minute, side in enumerate(sides):
        if waiting and waiting[-1] != side:
            waiting.pop()
            expected.append(minute)
        else:
            waiting.append(side)
            del waiting[:-MOST_WAITING]
    assert sorted(comparison.candidate.minutes) == expected


def test_requests_are_compared_with_those_of_the_same_step() -> None:
    traffic = Traffic()
    first = [line for line in traffic.lines(500, weight=0.1) if line.routed_version == MAIN]
    second = [line for line in traffic.lines(500, weight=0.5, revision=7) if line.routed_version == CANDIDATE]
    assert pairs(observe([*first, *second])) == (0, 0)


def test_lines_of_a_revision_count_once_its_weight_is_known() -> None:
    observations = observe(Traffic().lines(500, weight=0.1), weights={SHADOW_REVISION: 0.0})
    assert pairs(observations) == (0, 0)
    observations.weights = WEIGHTS
    assert pairs(observations)[0] > 20


def test_lines_of_another_rollout_count_for_the_main_version_alone() -> None:
    lines = [replace(line, rollout="live-3") for line in Traffic().lines(500, weight=0.1)]
    comparison = observe(lines).table().compare("failed")
    assert (len(comparison.candidate), len(comparison.main), len(comparison.alone)) == (0, 0, 0)
    assert len(comparison.reference) == sum(line.routed_version == MAIN for line in lines)


def test_what_the_client_did_wrong_counts_for_no_version() -> None:
    for status in (400, 413, 422, 500):
        nobody = [
            replace(failed(line), status=status, routed_version=None, version=None)
            for line in Traffic().lines(500, weight=0.1)
        ]
        assert pairs(observe(nobody)) == (0, 0)


def test_a_version_that_is_too_slow_for_the_reasons_that_were_asked_for_has_failed() -> None:
    comparison = observe(replace(failed(line), status=413) for line in Traffic().lines(500, weight=0.1)).table()
    assert comparison.compare("failed").candidate.mean == 1


def test_requests_without_a_key_are_compared_in_the_same_shares() -> None:
    lines = [replace(line, key=None) for line in Traffic().lines(4000, weight=0.1)]
    assert pairs(observe(lines))[0] == pytest.approx(400 * 6 / 7, rel=0.15)


def test_cold_starts_are_left_out_of_the_slow_answers() -> None:
    lines = [replace(line, cold_start=True, latency_ms=900.0) for line in Traffic().lines(500, weight=0.1)]
    assert pairs(observe(lines), "slow") == (0, 0)


def test_slow_is_measured_by_the_p99_of_before_the_canary() -> None:
    traffic = Traffic()
    before = [replace(traffic.line(revision=SHADOW_REVISION), latency_ms=10.0) for _ in range(200)]
    canary = [replace(line, latency_ms=10.5) for line in traffic.lines(1000, weight=0.1)]
    assert observe([*before, *canary]).table().compare("slow").candidate.mean == 1
    # Without requests of before, the main version's own of the same time decide.
    assert observe(canary).table().compare("slow").candidate.mean == 0


@pytest.mark.parametrize(("score_ms", "shadow_ms", "times"), [(0.02, 0.9, 1.0), (0.02, 2.0, 100.0), (4.0, 40.0, 10.0)])
def test_a_shadow_that_takes_less_than_a_millisecond_longer_is_not_slower(score_ms, shadow_ms, times) -> None:
    line = next(iter(Traffic().shadowed(1)))
    assert line.shadow is not None
    line = replace(line, score_ms=score_ms, shadow=replace(line.shadow, ms=shadow_ms))
    assert observe([line]).shadow("times_slower").values.tolist() == pytest.approx([times])


@pytest.mark.parametrize("change", [failed, lambda line: replace(line, shadow=replace(line.shadow, is_late=()))])
def test_a_request_of_which_one_version_has_no_scores_tells_no_difference(change) -> None:
    observations = observe(map(change, Traffic().shadowed(20)))
    assert len(observations.shadow("failed")) == 20
    for measure in ("difference", "flipped", "flag_change", "times_slower"):
        assert len(observations.shadow(measure)) == 0


@pytest.mark.fault(32)
def test_retries_of_a_request_add_nothing() -> None:
    traffic = Traffic()
    once = list(traffic.lines(1000, weight=0.1))
    retried = [replace(line, invocation_id=f"{line.invocation_id}-{retry}") for line in once for retry in range(10)]
    assert [
        (found.guard, found.verdict, found.n) for found in judge(default_settings(), observe(once), "canary")[1:]
    ] == [(found.guard, found.verdict, found.n) for found in judge(default_settings(), observe(retried), "canary")[1:]]


@pytest.mark.fault(32)
def test_the_earliest_request_of_a_key_counts_in_whatever_order_their_lines_come() -> None:
    bad = [failed(line) if line.routed_version == CANDIDATE else line for line in Traffic().lines(500, weight=0.1)]
    retried = [
        replace(line, invocation_id=f"{line.invocation_id}-2", time=line.time + timedelta(seconds=1))
        for line in Traffic().lines(500, weight=0.1)
    ]
    for lines in ([*bad, *retried], [*retried, *bad]):
        assert observe(lines).table().compare("failed").candidate.mean == 1


def test_a_loan_that_came_while_the_version_was_being_loaded_counts_when_it_comes_again() -> None:
    lines = list(Traffic().lines(500, weight=0.1))
    early = [
        replace(
            answered_by_main(line),
            invocation_id=f"{line.invocation_id}-early",
            time=line.time - timedelta(minutes=1),
        )
        for line in lines
        if line.routed_version == CANDIDATE
    ]
    for measure in ("failed", "score"):
        expected = len(observe(lines).table().compare(measure).candidate)
        assert len(observe([*early, *lines]).table().compare(measure).candidate) == expected > 20
        # The sample ratio counts it once, too.
        assert observe([*early, *lines]).table().split_counts() == observe(lines).table().split_counts()


@pytest.mark.parametrize("outcome", ["not_loaded", "over_budget"])
def test_a_loan_whose_shadow_wasnt_scored_counts_when_it_comes_again(outcome) -> None:
    lines = list(Traffic().shadowed(50))
    early = [
        replace(line, invocation_id=f"{line.invocation_id}-early", time=line.time - timedelta(minutes=1))
        for line in Traffic().shadowed(50, outcome=outcome)
    ]
    observations = observe([*early, *lines])
    assert len(observations.shadow("failed")) == len(observations.shadow("difference")) == 50


def test_a_loan_that_was_answered_before_and_fails_at_the_next_weight_is_a_failure() -> None:
    good = list(Traffic().lines(1000, weight=0.1))
    later = [
        failed(line) if line.routed_version == CANDIDATE else line
        for line in Traffic().lines(1000, weight=0.5, revision=7)
    ]
    later = [replace(line, invocation_id=f"{line.invocation_id}-2") for line in later]
    weights = {CANARY_REVISION: 0.1, 7: 0.5}
    compared, once = (observe(lines, weights).table() for lines in ([*good, *later], later))
    assert compared.compare("failed").candidate.values.sum() == once.compare("failed").candidate.values.sum() > 400
    assert len(compared.compare("failed").candidate.in_step) == len(once.compare("failed").candidate)


def test_what_a_version_says_of_a_loan_counts_once() -> None:
    lines = [*Traffic().lines(1000, weight=0.1)]
    again = [
        replace(line, invocation_id=f"{line.invocation_id}-2", alias_revision=7, time=line.time + timedelta(hours=1))
        for line in lines
    ]
    for measure, times in (("failed", 2), ("warned", 2), ("score", 1), ("flagged", 1)):
        once, twice = (observe(seen, {CANARY_REVISION: 0.1, 7: 0.1}) for seen in (lines, [*lines, *again]))
        assert len(twice.table().compare(measure).candidate) == times * len(once.table().compare(measure).candidate)


@pytest.mark.fault(32)
def test_a_canary_whose_requests_are_all_of_one_loan_waits_and_its_sample_ratio_fails() -> None:
    number = next(number for number in range(100) if routing_point(ROLLOUT, f"loan-{number}") < 0.1)
    traffic = Traffic()
    lines = [line for line in traffic.lines(1000, weight=0.1) if line.routed_version == MAIN]
    traffic = Traffic()
    loan = next(line for line in traffic.lines(number + 1, weight=0.1) if line.key == f"key-{number}")
    lines += [
        replace(loan, invocation_id=f"retry-{retry}", time=loan.time + timedelta(seconds=retry)) for retry in range(200)
    ]
    found = {judgement.guard: judgement for judgement in judge(default_settings(), observe(lines), "canary")}
    assert found["sample_ratio"].verdict == "fail"
    assert found["sample_ratio"].sentence.startswith("Version 2 got 1 of ")
    assert found["failed_answers"].n == 1
    del found["sample_ratio"], found["crashes"]
    assert {judgement.verdict for judgement in found.values()} == {"inconclusive"}


def test_the_sample_ratio_counts_a_key_where_it_came_first() -> None:
    traffic = Traffic()
    lines = list(traffic.lines(1000, weight=0.1))
    # The same loans come again in the next step; half of them now belong to the candidate.
    later = Traffic()
    again = [
        replace(line, invocation_id=f"{line.invocation_id}-2") for line in later.lines(1000, weight=0.5, revision=7)
    ]
    counts = observe([*lines, *again]).table().split_counts()
    assert [(total, weight) for _, total, weight in counts] == [(1000, 0.1)]


@pytest.mark.fault(33)
def test_an_environment_whose_clock_is_an_hour_off_loses_nothing() -> None:
    lines = list(Traffic().lines(3000, weight=0.1))
    hour = timedelta(hours=1)
    for shift in (-hour, hour):
        off = [replace(line, time=line.time + shift) if number % 4 == 0 else line for number, line in enumerate(lines)]
        assert pairs(observe(off))[0] == pytest.approx(pairs(observe(lines))[0], rel=0.05)


def test_the_oldest_half_is_forgotten_when_there_is_too_much(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    observations = observe(Traffic().lines(1020, weight=0.5, revision=7))
    assert pairs(observations)[0] + pairs(observations)[1] < 110
    assert np.isfinite(observations.table().compare("failed").candidate.values).all()


def test_what_the_candidate_is_compared_with_is_kept_however_long_the_bake_takes(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    traffic = Traffic()
    lines = [*traffic.lines(80, weight=0.0), *traffic.lines(500, weight=1.0, revision=9)]
    observations = observe(lines, WEIGHTS | {9: 1.0})
    assert len(observations.table().compare("failed").reference) == 80


def test_a_request_that_is_remembered_counts_once_after_others_were_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    lines = list(Traffic().lines(101, weight=0.0))
    observations = observe(lines)
    observations.add(lines[50:])
    assert len(observations.table().compare("failed").reference) == 51
