"""Watching a rollout: until when, what is printed, and what the view shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from model_registry.errors import StoreUnavailableError
from model_rollout.document import Rollout
from peerloan.rollouts.view import render, seconds_left, stage_seconds_left, to_json
from peerloan.rollouts.watching import watch
from rollout_kit import PASSED, at, make_rollout

RUNNING = make_rollout(stage=2, stage_began_at=at(60).isoformat(), why="2 guards passed stage 1")
HELD = replace(RUNNING, state="held", held_for="evidence", why="Too little evidence to tell: flips.")
PROMOTED = replace(RUNNING, state="promoted", stage=4)
DOWN = StoreUnavailableError("read", "late-payer/rollouts/live.json", "no network")


class Watched:
    """A rollout whose looks are given in advance, and a clock that waits."""

    def __init__(self, *looks: Rollout | Exception) -> None:
        self.looks: Iterator[Rollout | Exception] = iter(looks)
        self.seconds = 0.0

    def look(self) -> Rollout:
        found = next(self.looks)
        if isinstance(found, Exception):
            raise found
        return found

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def watch(self, wait_s: float = 0, *, as_json: bool = False) -> Rollout:
        def clock():
            return at(self.seconds)

        return watch(self.look, clock, every_s=2, wait_s=wait_s, as_json=as_json, sleep=self.sleep)


def text_of(rollout: Rollout, seconds: float) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(render(rollout, at(seconds)))
    return captured.get()


def test_it_ends_with_the_rollout():
    assert Watched(RUNNING, RUNNING, PROMOTED).watch() == PROMOTED


def test_a_hold_ends_it_unless_it_may_wait_for_evidence():
    assert Watched(RUNNING, HELD).watch() == HELD
    assert Watched(HELD, HELD, RUNNING, PROMOTED).watch(wait_s=60) == PROMOTED
    watched = Watched(*[HELD] * 100)
    assert watched.watch(wait_s=60) == HELD
    assert watched.seconds == 60
    by_a_person = replace(HELD, held_for="person")
    assert Watched(by_a_person).watch(wait_s=60) == by_a_person


def test_a_bucket_that_fails_is_asked_again_for_a_while(capsys):
    assert Watched(DOWN, RUNNING, DOWN, PROMOTED).watch() == PROMOTED
    assert "no network" in capsys.readouterr().err
    with pytest.raises(StoreUnavailableError):
        Watched(*[DOWN] * 100).watch()


def test_in_a_pipe_each_event_is_printed_once(capsys):
    first = RUNNING.with_event("stage 2", at=at(60), by="controller", reason="2 guards passed stage 1")
    resumed = first.with_event("resumed", at=at(90), by="alice", reason="")
    last = resumed.with_event("promoted", at=at(99), by="alice", reason="because", state="promoted")
    Watched(first, first, last).watch()
    assert capsys.readouterr().out.splitlines() == [
        "2026-03-01T12:01:00  stage 2, by controller: 2 guards passed stage 1",
        "2026-03-01T12:01:30  resumed, by alice",
        "2026-03-01T12:01:39  promoted, by alice: because",
    ]


def test_as_json_each_look_is_a_line(capsys):
    Watched(RUNNING, PROMOTED).watch(as_json=True)
    looks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(look["state"], look["candidate_share"]) for look in looks] == [("running", 0.1), ("promoted", 1.0)]


def test_the_view_shows_split_stages_time_and_guards():
    judged = replace(RUNNING, judgements=tuple(verdict.to_document() | {"sentence": "So it is."} for verdict in PASSED))
    shown = text_of(judged, 70)
    assert "live: version 2 in place of version 1: running: 2 guards passed stage 1" in shown
    assert "version 1 90.0%" in shown
    assert "10.0% version 2 (and in the shadow)" in shown
    assert "✓ shadow → [10 %] → 50 % → bake   stage 20s left, 1m50s in all" in shown
    assert "flips" in shown
    assert "So it is." in shown


def test_the_view_of_one_that_has_ended():
    assert "0.0% version 2\n" in text_of(replace(RUNNING, state="rolled_back"), 70)
    assert "✓ shadow → ✓ 10 % → ✓ 50 % → ✓ bake" in text_of(PROMOTED, 70)


def test_the_time_that_is_left():
    assert (stage_seconds_left(RUNNING, at(70)), seconds_left(RUNNING, at(70))) == (20, 110)
    assert (stage_seconds_left(RUNNING, at(500)), seconds_left(RUNNING, at(500))) == (0, 90)
    assert seconds_left(make_rollout(), at(0)) == 180
    assert to_json(PROMOTED, at(70))["seconds_left"] == 0
