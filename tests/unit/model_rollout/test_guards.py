"""Guards: which lines make which guard pass, fail, or wait."""

from __future__ import annotations

import json
from dataclasses import replace

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
    refusal,
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


def test_an_answer_that_another_version_gave_is_a_refusal_only_after_the_version_was_refused() -> None:
    traffic = Traffic()
    waiting = list(traffic.lines(2000, change=answered_by_main))
    found = verdicts(observe(waiting))
    assert found["refused_loads"] == found["failed_answers"] == "inconclusive"
    assert verdicts(observe(waiting, [refusal()]))["refused_loads"] == "fail"
    assert verdicts(observe(waiting, [refusal(minutes=600)]))["refused_loads"] == "inconclusive"


def test_a_version_taken_out_of_charge_within_a_request_is_a_refusal_and_its_failure() -> None:
    def ended(line):
        return replace(line, version=MAIN, refused_versions=(CANDIDATE,))

    found = verdicts(observe(Traffic().lines(2000, change=ended)))
    assert (found["refused_loads"], found["failed_answers"]) == ("fail", "inconclusive")
    found = verdicts(observe(Traffic().lines(2000, change=lambda line: failed(ended(line)))))
    assert (found["refused_loads"], found["failed_answers"]) == ("fail", "fail")


def test_crashes_name_no_version_and_fail_a_guard_of_their_own_in_every_stage() -> None:
    traffic = Traffic()
    observations = observe(traffic.lines(300), [crash(number) for number in range(15)])
    for stage in ("shadow", "canary", "bake"):
        assert verdicts(observations, stage)["crashes"] == "fail"
    before = observe(traffic.lines(300), [crash(number, minutes=-5) for number in range(15)])
    assert verdicts(before)["crashes"] != "fail"


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
def test_a_shadow_that_can_not_be_loaded_fails_once_the_log_says_that_it_was_refused() -> None:
    lines = list(Traffic().shadowed(300, outcome="not_loaded"))
    assert verdicts(observe(lines), "shadow")["shadow_failures"] == "inconclusive"
    assert verdicts(observe(lines, [refusal()]), "shadow")["shadow_failures"] == "fail"


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
