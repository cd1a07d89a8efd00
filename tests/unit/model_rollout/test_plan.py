"""Plans: CodeDeploy's names, steps, durations, and what a plan says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_rollout.plan import (
    InvalidPlanError,
    Plan,
    format_duration,
    read_duration,
    read_steps,
    read_strategy,
)


def shape(plan: Plan) -> list[tuple[str, float, float]]:
    return [(stage.kind, stage.weight, stage.seconds) for stage in plan.stages]


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("AllAtOnce", []),
        ("Canary10Percent5Minutes", [("canary", 0.10, 300)]),
        ("Linear25PercentEvery2Minutes", [("canary", 0.25, 120), ("canary", 0.5, 120), ("canary", 0.75, 120)]),
        ("Linear40PercentEvery1Minute", [("canary", 0.4, 60), ("canary", 0.8, 60)]),
        ("Canary99Percent1Minutes", [("canary", 0.99, 60)]),
    ],
)
def test_codedeploys_strategies(name, steps):
    assert shape(read_strategy(name, shadow_s=30, bake_s=90)) == [("shadow", 0, 30), *steps, ("bake", 1, 90)]


def test_a_stage_without_time_is_left_out():
    plan = read_steps("1, 10,50.5", every_s=30, shadow_s=0, bake_s=0)
    assert shape(plan) == [("canary", 0.01, 30), ("canary", 0.1, 30), ("canary", 0.505, 30)]


@pytest.mark.parametrize(
    "name",
    [
        "Canary0Percent5Minutes",
        "Canary100Percent5Minutes",
        "Canary10Percent0Minutes",
        "canary10Percent5Minutes",
        "Linear10Percent5Minutes",
        "Canary1.5Percent5Minutes",
        "",
        "Canary" + "9" * 5000 + "Percent5Minutes",
    ],
)
def test_a_name_that_is_no_strategy_is_refused(name):
    with pytest.raises(InvalidPlanError):
        read_strategy(name, shadow_s=30, bake_s=90)


@pytest.mark.parametrize(
    "steps", ["", "10,10", "50,10", "0,10", "10,100", "nan", "1e1", "-1", "1_0", "a", "1,,2", "１"]
)
def test_steps_that_cant_be_right_are_refused(steps):
    with pytest.raises(InvalidPlanError):
        read_steps(steps, every_s=30, shadow_s=0, bake_s=60)


def test_steps_without_time_are_refused():
    with pytest.raises(InvalidPlanError, match="--every"):
        read_steps("1,10", every_s=0, shadow_s=30, bake_s=60)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Canary10Percent43201Minutes", "a stage lasts 30 days at most"),
        ("Canary10Percent999999999Minutes", "a stage lasts 30 days at most"),
        ("Linear1PercentEvery2000Minutes", "takes 137d.* in all; a rollout lasts 90 days at most"),
    ],
)
def test_a_strategy_that_takes_too_long_is_refused(name, message):
    with pytest.raises(InvalidPlanError, match=message):
        read_strategy(name, shadow_s=0, bake_s=0)


def test_a_plan_that_judges_nothing_is_refused():
    with pytest.raises(InvalidPlanError, match="--bake"):
        read_strategy("AllAtOnce", shadow_s=0, bake_s=0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("2m", 120), ("1h", 3600), ("1h30m", 5400), ("0s", 0), ("30d", 2_592_000), ("0000000010s", 10)],
)
def test_durations(text, seconds):
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "1.5m", "-1s", "1m1h", "31d", "1 m", "9" * 5000 + "s", "٣s"])
def test_a_text_that_is_no_duration_is_refused(text):
    with pytest.raises(InvalidPlanError):
        read_duration(text)


@given(st.integers(0, 30 * 86_400))
def test_a_duration_is_written_as_it_is_read(seconds):
    assert read_duration(format_duration(seconds)) == seconds


def test_a_plan_says_its_stages_and_what_is_judged():
    plan = read_strategy("Canary10Percent5Minutes", shadow_s=120, bake_s=60)
    lines = plan.sentences(2, 3, {"shadow": ["flips"], "canary": ["failed_answers", "flips"]})
    assert lines[0] == "Version 3 replaces version 2 in 8m or more: Canary10Percent5Minutes."
    assert lines[1].startswith("1. shadow, 2m: version 2 answers every request")
    assert "10 % of the loans" in lines[2]
    assert "Judged: failed_answers, flips." in lines[2]
    assert lines[3].startswith("3. bake, 1m: version 3 answers every request")
