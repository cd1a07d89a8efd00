"""Guards: which lines make which guard pass, fail, or wait."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from log_lines import (
    BAKE_REVISION,
    CANARY_REVISION,
    CANDIDATE,
    MAIN,
    ROLLOUT,
    SHADOW_REVISION,
    START,
    THRESHOLD,
    Traffic,
    answered_by_main,
    crash,
    failed,
    refused,
)
from model_rollout.guard_settings import GUARDS, default_settings
from model_rollout.guards import judge
from model_rollout.observations import Observations
from model_rollout.window import AnnouncedWindow
from peerloan.comparing.announced import announced_window

# A tenth of the requests reach the candidate, another tenth is compared with them.
MANY = 15_000
WEIGHTS = {SHADOW_REVISION: 0.0, CANARY_REVISION: 0.1}


def observe(*batches, weights=WEIGHTS):
    observations = Observations(CANDIDATE, MAIN, ROLLOUT, START, weights)
    for batch in batches:
        observations.add(batch)
    return observations


def verdicts(observations, stage="canary", settings=None):
    return {found.guard: found.verdict for found in judge(settings or default_settings(), observations, stage)}


def shifted(share):
    return lambda line: replace(line, late_probabilities=tuple(score * share for score in line.late_probabilities))


@pytest.mark.parametrize("stage", ["shadow", "canary", "bake"])
def test_without_lines_no_guard_of_a_stage_passes(stage) -> None:
    assert verdicts(observe(), stage) == dict.fromkeys(GUARDS[stage], "inconclusive")


def test_a_version_that_differs_in_nothing_passes_all_guards() -> None:
    traffic = Traffic()
    observations = observe(traffic.shadowed(3000), traffic.lines(MANY))
    assert set(verdicts(observations, "shadow").values()) == {"pass"}
    assert verdicts(observations) == dict.fromkeys(GUARDS["canary"], "pass")


CANARY_FAULTS = {
    "failed_answers": failed,
    "slow_answers": lambda line: replace(line, latency_ms=50.0),
    "flagged": lambda line: replace(line, is_late=(True,)),
    "mean_score": shifted(1.8),
    "warnings": lambda line: replace(line, warnings={0: ("above_training_range",)}),
}


@pytest.mark.fault(21)
@pytest.mark.parametrize("guard", CANARY_FAULTS)
def test_a_fault_of_the_candidate_fails_its_guard_alone(guard) -> None:
    traffic = Traffic()
    found = verdicts(observe(traffic.lines(8000, change=CANARY_FAULTS[guard])))
    assert [name for name, verdict in found.items() if verdict == "fail"] == [guard]


@pytest.mark.parametrize("guard", CANARY_FAULTS)
def test_the_same_fault_in_both_versions_fails_no_guard(guard) -> None:
    observations = observe(map(CANARY_FAULTS[guard], Traffic().lines(2000)))
    assert "fail" not in verdicts(observations).values()


def test_a_candidate_that_always_fails_is_found_in_about_ten_requests() -> None:
    observations, traffic, asked = observe(), Traffic(), 0
    while verdicts(observations)["failed_answers"] != "fail":
        line = traffic.line(weight=0.1)
        asked += line.routed_version == CANDIDATE
        observations.add([failed(line) if line.routed_version == CANDIDATE else line])
    assert asked <= 12


def test_an_answer_that_another_version_gave_is_a_refusal_only_if_its_line_says_so() -> None:
    traffic = Traffic()
    # Refused once, which says nothing of a later load that is under way, or that the bucket's outage ended.
    lines = [*traffic.lines(20, change=refused), *traffic.lines(2000, change=answered_by_main)]
    found = verdicts(observe(lines))
    assert found["refused_loads"] == found["failed_answers"] == "inconclusive"


def test_a_version_that_was_refused_is_a_refusal_and_its_failure() -> None:
    found = verdicts(observe(Traffic().lines(2000, change=refused)))
    assert (found["refused_loads"], found["failed_answers"]) == ("fail", "inconclusive")
    found = verdicts(observe(Traffic().lines(2000, change=lambda line: failed(refused(line)))))
    assert (found["refused_loads"], found["failed_answers"]) == ("fail", "fail")


def test_crashes_name_no_version_and_fail_a_guard_of_their_own_in_every_stage() -> None:
    traffic = Traffic()
    observations = observe(traffic.lines(300), [crash(number) for number in range(15)])
    for stage in ("shadow", "canary", "bake"):
        assert verdicts(observations, stage)["crashes"] == "fail"
    before = observe(traffic.lines(300), [crash(number, minutes=-5) for number in range(15)])
    assert verdicts(before)["crashes"] != "fail"


def test_crashes_are_compared_with_those_of_before_the_rollout() -> None:
    traffic = Traffic()
    before = [replace(line, time=line.time - timedelta(hours=1)) for line in traffic.lines(3000, weight=0.0)]
    observations = observe(before, [crash(number, minutes=-5) for number in range(60)], traffic.lines(3000))
    observations.add([crash(100 + number) for number in range(60)])
    assert verdicts(observations)["crashes"] == "inconclusive"
    found = next(found for found in judge(default_settings(), observations, "canary") if found.guard == "crashes")
    assert (found.candidate, found.main) == (pytest.approx(0.0196, abs=1e-4), pytest.approx(0.0196, abs=1e-4))
    assert ": 1.96 % of 3,060 since the rollout began, 1.96 % before." in found.sentence
    observations.add([crash(200 + number) for number in range(200)])
    assert verdicts(observations)["crashes"] == "fail"


# Loans among which many requests of the main version had no counterpart when the outage began.
@pytest.mark.parametrize("seed", [10, 16])
def test_an_outage_of_everything_isnt_blamed_on_the_candidate(seed) -> None:
    # At a weight of .5 each request is the candidate's or the main version's by chance.
    random, traffic, observations = Random(seed), Traffic(), observe(weights={7: 0.5})
    traffic.skip(random.randrange(100_000))
    for batch in (traffic.lines(4000, weight=0.5, revision=7), map(failed, traffic.lines(600, weight=0.5, revision=7))):
        observations.add(batch)
        assert verdicts(observations)["failed_answers"] != "fail"
    observations.add(traffic.lines(600, weight=0.5, revision=7))
    assert verdicts(observations)["failed_answers"] != "fail"


SHADOW_FAULTS = {
    "shadow_failures": {"outcome": "failed", "error": "NonFiniteOutputError"},
    "shadow_slow": {"ms": 3.0},
    "score_difference": {"late_probabilities": (0.02,)},
    "flag_difference": {"is_late": (True,)},
}


@pytest.mark.fault(21)
@pytest.mark.parametrize("guard", SHADOW_FAULTS)
def test_a_fault_in_the_shadow_fails_its_guard_alone(guard) -> None:
    found = verdicts(observe(Traffic().shadowed(1000, **SHADOW_FAULTS[guard])), "shadow")
    failing = {name for name, verdict in found.items() if verdict == "fail"}
    # Decisions that change in one direction flip, too.
    assert failing == {guard} | ({"flips"} if guard == "flag_difference" else set())


def test_decisions_that_flip_both_ways_fail_their_guard_alone() -> None:
    lines = []
    for number, line in enumerate(Traffic().shadowed(1000)):
        is_flipped = number % 16 == 1 or (line.is_late[0] and number % 16 == 3)
        assert line.shadow is not None
        shadow = replace(line.shadow, is_late=(line.is_late[0] != is_flipped,))
        lines.append(replace(line, shadow=shadow))
    found = verdicts(observe(lines), "shadow")
    assert [name for name, verdict in found.items() if verdict == "fail"] == ["flips"]


def test_a_shadow_that_ran_out_of_its_budget_is_slow_and_no_failure() -> None:
    found = verdicts(observe(Traffic().shadowed(300, outcome="over_budget", ms=20.0)), "shadow")
    assert (found["shadow_slow"], found["shadow_failures"]) == ("fail", "inconclusive")


def test_a_shadow_that_was_passed_over_was_not_measured() -> None:
    assert len(observe(Traffic().shadowed(300, outcome="over_budget", ms=0.015)).shadow("times_slower")) == 0


@pytest.mark.fault(31)
def test_a_shadow_that_is_not_loaded_yet_fails_nothing_and_one_that_was_refused_does() -> None:
    for outcome, verdict in (("not_loaded", "inconclusive"), ("refused", "fail")):
        observations = observe(Traffic().shadowed(300, outcome=outcome))
        assert verdicts(observations, "shadow")["shadow_failures"] == verdict


def test_scores_that_differ_as_announced_pass_and_those_that_do_not_differ_fail() -> None:
    window = AnnouncedWindow(5000, 0.0070, 0.0068, 0.0072, 0.01, 0.005, 0.015)
    settings = default_settings(window, mean_score=0.0135)
    as_announced = Traffic().shadowed(2000, late_probabilities=(0.0205,))
    # The mean of the main version's scores is 0.0135.
    assert verdicts(observe(as_announced), "shadow", settings)["score_difference"] == "pass"
    assert verdicts(observe(Traffic().shadowed(2000)), "shadow", settings)["score_difference"] == "fail"


def test_a_few_loans_whose_scores_differ_much_count_as_the_plan_announced_them() -> None:
    main = [0.4 if number % 20 == 0 else 0.01 for number in range(2000)]
    candidate = [0.02] * 2000
    window = announced_window(main, candidate, main_threshold=0.5, candidate_threshold=0.5)
    settings = default_settings(window, mean_score=0.0295)
    shadowed = Traffic().shadowed(6000, late_probabilities=(0.02,), is_late=(False,))
    lines = [
        replace(line, late_probabilities=(score,), is_late=(False,))
        for score, line in zip(main * 3, shadowed, strict=True)
    ]
    assert verdicts(observe(lines), "shadow", settings)["score_difference"] == "pass"


@pytest.mark.fault(21)
def test_in_the_bake_the_candidate_is_compared_with_what_the_main_version_did_before() -> None:
    weights = WEIGHTS | {BAKE_REVISION: 1.0}
    traffic = Traffic()
    before = list(traffic.lines(MANY))
    good = list(traffic.lines(500, weight=1.0, revision=BAKE_REVISION))
    assert set(verdicts(observe(before, good, weights=weights), "bake").values()) == {"pass"}
    for guard, fault in CANARY_FAULTS.items():
        bad = traffic.lines(2000, weight=1.0, revision=BAKE_REVISION, change=fault)
        found = verdicts(observe(before, bad, weights=weights), "bake")
        assert [name for name, verdict in found.items() if verdict == "fail"] == [guard]


def test_with_all_traffic_at_once_a_dead_version_is_found_without_figures_of_the_main_version() -> None:
    observations = observe(weights={BAKE_REVISION: 1.0})
    observations.add(Traffic().lines(10, weight=1.0, revision=BAKE_REVISION, change=failed))
    found = verdicts(observations, "bake")
    assert found.pop("failed_answers") == "fail"
    assert set(found.values()) == {"inconclusive"}


@pytest.mark.fault(22)
def test_evidence_of_an_earlier_step_does_not_let_a_step_without_requests_pass() -> None:
    weights = WEIGHTS | {7: 0.5}
    traffic = Traffic()
    observations = observe(traffic.lines(MANY), weights=weights)
    found = judge(default_settings(), observations, "canary")
    comparing = {
        judgement.guard: judgement for judgement in found if judgement.guard not in ("crashes", "sample_ratio")
    }
    assert {judgement.verdict for judgement in comparing.values()} == {"inconclusive"}
    assert "In this step 0 requests were seen; 50 are needed." in comparing["failed_answers"].sentence
    observations.add(traffic.lines(1000, weight=0.5, revision=7))
    assert verdicts(observations) == dict.fromkeys(GUARDS["canary"], "pass")


def test_a_persons_hold_does_not_begin_the_steps_evidence_anew() -> None:
    observations = observe(Traffic().lines(MANY), weights=WEIGHTS | {7: 0.1})
    assert verdicts(observations) == dict.fromkeys(GUARDS["canary"], "pass")


def test_with_all_traffic_only_the_candidates_requests_are_counted() -> None:
    traffic = Traffic()
    observations = observe(traffic.lines(100, weight=0.0, revision=SHADOW_REVISION), weights=WEIGHTS | {7: 1.0})
    observations.add(traffic.lines(20, weight=1.0, revision=7))
    found = {judgement.guard: judgement.sentence for judgement in judge(default_settings(), observations, "bake")}
    assert f"(20 requests of version {CANDIDATE})" in found["failed_answers"]


@pytest.mark.fault(21)
@pytest.mark.parametrize("revision", [CANARY_REVISION, 7])
def test_a_version_that_was_good_for_long_and_begins_to_fail_is_found_soon(revision) -> None:
    weights, traffic = WEIGHTS | {7: 0.5}, Traffic()
    weights = {number: weight for number, weight in weights.items() if number <= revision}
    observations = observe(traffic.lines(12_000), weights=weights)
    lines = list(traffic.lines(2000, weight=weights[revision], revision=revision, change=failed))
    bad = [place for place, line in enumerate(lines) if line.status == 500]
    observations.add(lines[: bad[30]])
    assert verdicts(observations)["failed_answers"] == "fail"


def test_a_step_whose_own_figures_are_outside_the_tolerance_does_not_pass_on_earlier_evidence() -> None:
    traffic = Traffic()
    observations = observe(traffic.lines(MANY * 3), weights=WEIGHTS | {7: 0.5})
    observations.add(traffic.lines(200, weight=0.5, revision=7))
    for number in range(3):
        line = traffic.line(weight=1.0, revision=7)
        observations.add([replace(failed(line), key=f"bad-{number}"), traffic.line(weight=0.0, revision=7)])
    found = {judgement.guard: judgement for judgement in judge(default_settings(), observations, "canary")}
    assert found["slow_answers"].verdict == "pass"
    judgement = found["failed_answers"]
    assert judgement.e_pass >= judgement.pass_at
    assert judgement.verdict == "inconclusive"
    assert "In this step the difference is 3." in judgement.sentence


def test_what_few_requests_of_the_main_version_say_lets_nothing_pass() -> None:
    traffic = Traffic()
    few = [replace(line, is_late=(number % 5 == 0,)) for number, line in enumerate(traffic.lines(40, weight=0.0))]
    lines = traffic.lines(3000, weight=1.0, revision=BAKE_REVISION)
    lines = [replace(line, is_late=(number % 5 == 0,)) for number, line in enumerate(lines)]
    observations = observe(few, lines, weights=WEIGHTS | {BAKE_REVISION: 1.0})
    assert verdicts(observations, "bake")["flagged"] == "inconclusive"
    observations.add(replace(few[0], invocation_id=f"more-{number}", key=f"more-{number}", is_late=(number % 5 == 0,))
                     for number in range(1000))  # fmt: skip
    assert verdicts(observations, "bake")["flagged"] == "pass"


def test_a_judgement_says_the_figures_of_both_versions_and_can_be_stored() -> None:
    observations = observe(Traffic().lines(2000, change=failed))
    found = {judgement.guard: judgement for judgement in judge(default_settings(), observations, "canary")}
    assert found["failed_answers"].sentence.startswith(
        "Requests that were answered with a server error: 100.0 % with version 2, 0.00 % with version 1 ("
    )
    assert found["failed_answers"].sentence.endswith(
        "That is outside what is tolerated (a difference of up to 1.00 %)."
    )
    assert found["mean_score"].sentence == "The mean score: nothing seen yet."
    for judgement in found.values():
        json.dumps(judgement.to_document(), allow_nan=False)


def test_a_decision_is_that_of_the_line_whatever_its_threshold() -> None:
    found = {
        judgement.guard: judgement for judgement in judge(default_settings(), observe(Traffic().lines(4000)), "canary")
    }
    assert found["flagged"].candidate == pytest.approx(0.25, abs=0.05)
    assert THRESHOLD < 0.03
