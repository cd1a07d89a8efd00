"""The rollout's document: written as it is read, and refused where it can't be right."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from model_rollout.document import InvalidRolloutError, Rollout
from rollout_kit import at, make_rollout


def test_a_document_is_read_as_it_was_written():
    rollout = make_rollout(
        guards={"alpha": 0.05}, expect={"low": -0.01}, shadow_budget_ms=20.0, weights={7: 0.1}, waived=("a",)
    )
    rollout = rollout.with_event("held", at=at(1), by="bob", reason="", state="held", held_for="person")
    judgement = {"guard": "flips", "verdict": "pass", "n": 3, "estimate": None}
    rollout = replace(rollout, judgements=(judgement,), waived=("sample_ratio",))
    assert Rollout.from_json(rollout.to_json()) == rollout
    assert json.loads(rollout.to_json())["format"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"state": "paused"},
        {"stage": 9},
        {"stage": -1},
        {"main": 0},
        {"plan": {"strategy": "none", "stages": []}},
        {"plan": {"strategy": "", "stages": [{"kind": "canary", "weight": "all", "seconds": 1}]}},
        {"plan": {"strategy": "", "stages": [{"kind": "canary", "weight": 1.5, "seconds": 1}]}},
        {"plan": {"strategy": "", "stages": [{"kind": "canary", "weight": 0.5, "seconds": -1}]}},
        {"stage_began_at": "noon"},
        {"began_at": "2026-01-01T00:00:00"},
        {"events": None},
    ],
    ids=str,
)
def test_a_document_that_cant_be_right_is_refused(change):
    document = {**make_rollout().to_document(), **change}
    with pytest.raises(InvalidRolloutError):
        Rollout.from_json(json.dumps(document).encode())


def test_the_newest_events_are_kept():
    rollout = make_rollout()
    for number in range(300):
        rollout = rollout.with_event("held", at=at(number), by="controller", reason=str(number))
    assert [event.reason for event in rollout.events] == [str(number) for number in range(100, 300)]
