"""Evidence from the log: read on from look to look, and the same after a restart."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from log_lines import CANDIDATE, MAIN, ROLLOUT, SHADOW_REVISION, START, WEIGHTS
from memory_store import InMemoryStore
from model_registry.errors import StoreUnavailableError
from model_rollout.document import InvalidRolloutError
from model_rollout.guard_settings import GUARDS, default_settings
from model_rollout.log_evidence import LogEvidence
from model_watch.log_reader import LogReader
from rollout_kit import make_rollout

RUNNING = make_rollout(
    id=ROLLOUT,
    main=MAIN,
    candidate=CANDIDATE,
    began_at=START.isoformat(),
    stage=1,
    weights={SHADOW_REVISION: WEIGHTS[SHADOW_REVISION]},
    guards=default_settings().to_document(),
)
NOW = START + timedelta(minutes=5)


def request(number: int, rollout: str = ROLLOUT) -> dict[str, Any]:
    """Return the log line of a request that was shadowed, a second after the one before."""
    scores = [0.004 + 0.001 * (number % 5)]
    return {
        "kind": "prediction",
        "timestamp": (START + timedelta(seconds=number)).isoformat(),
        "invocation_id": f"invocation-{number}",
        "request_id": f"request-{number}",
        "route": "/predict",
        "status": 200,
        "rows": 1,
        "latency_ms": 5.0,
        "spans_ms": {"score": 0.1},
        "cold_start": False,
        "model": "late-payer",
        "model_version": str(MAIN),
        "routed_version": MAIN,
        "alias": "live",
        "alias_revision": SHADOW_REVISION,
        "rollout": rollout,
        "key": f"key-{number}",
        "threshold": 0.025,
        "loans": [None],
        "late_probabilities": scores,
        "is_late": "0",
        "shadow": {"version": CANDIDATE, "outcome": "scored", "ms": 0.1, "late_probabilities": scores, "is_late": "0"},
    }


class Log:
    """A bucket with a log, and evidence from it."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.is_down = False
        self.missing: str | None = None
        self.now, self.seconds_a_look = NOW, 0
        self.evidence = self.begin()

    def begin(self) -> LogEvidence:
        """Return evidence of a process that has read nothing; each look at its clock takes ``seconds_a_look``."""
        return LogEvidence(lambda: LogReader(self, "late-payer"), self.clock)

    def clock(self) -> datetime:
        self.now += timedelta(seconds=self.seconds_a_look)
        return self.now

    def __getattr__(self, name: str) -> Any:
        if self.is_down:
            raise StoreUnavailableError("list", "log/", "no network")
        return getattr(self.store, name)

    def get(self, key: str, **options: Any) -> Any:
        if self.missing and key.endswith(self.missing):
            raise StoreUnavailableError("read", key, "timed out")
        return self.store.get(key, **options)

    def deliver(self, name: str, *lines: dict[str, Any]) -> None:
        body = "".join(f"{json.dumps(line)}\n" for line in lines)
        self.store.put(f"log/dt={START:%Y-%m-%d}/{name}.gz", body.encode())


@pytest.fixture
def log() -> Log:
    return Log()


def flips(evidence):
    (judgement,) = [judgement for judgement in evidence.judgements if judgement.guard == "flips"]
    return judgement


def test_nothing_is_judged_before_the_first_stage(log):
    evidence = log.evidence.judge(replace(RUNNING, stage=0), NOW)
    assert (evidence.judgements, evidence.seen_until) == ((), None)


def test_the_guards_of_the_stage_are_asked(log):
    evidence = log.evidence.judge(RUNNING, NOW)
    assert tuple(judgement.guard for judgement in evidence.judgements) == GUARDS["shadow"]
    assert {judgement.verdict for judgement in evidence.judgements} == {"inconclusive"}
    assert evidence.seen_until is None


@pytest.mark.fault(29)
def test_evidence_grows_with_each_look_and_is_the_same_after_a_restart(log):
    log.deliver("a", *map(request, range(200)))
    first = log.evidence.judge(RUNNING, NOW)
    assert (flips(first).n, flips(first).verdict) == (200, "pass")
    assert first.seen_until == START + timedelta(seconds=199)
    # Again, late, and in another order.
    log.deliver("b", *map(request, range(220, 190, -1)))
    second = log.evidence.judge(RUNNING, NOW)
    assert (flips(second).n, second.seen_until) == (221, START + timedelta(seconds=220))
    assert log.begin().judge(RUNNING, NOW) == second


@pytest.mark.fault(29)
def test_a_log_that_takes_longer_than_a_round_is_read_on_in_the_next_ones_and_nothing_passes_meanwhile(log):
    log.deliver("a", {"kind": "prediction"}, *map(request, range(100)))
    log.deliver("b", *map(request, range(90, 220)))
    whole = log.begin().judge(RUNNING, NOW)
    # A line takes a second and a round twenty, so nine rounds fold twenty lines each and leave some over.
    log.seconds_a_look = 1
    looks = [log.evidence.judge(RUNNING, NOW) for _ in range(9)]
    assert [flips(look).n for look in looks] == [*range(20, 200, 20)]
    assert [look.seen_until for look in looks[:2]] == [START + timedelta(seconds=19), START + timedelta(seconds=39)]
    problem = looks[0].judgements[-1]
    assert (problem.guard, problem.verdict) == ("prediction_log", "inconclusive")
    assert problem.sentence == "The prediction log is still being read, 5 minutes behind. It goes on by itself."
    # What arrives meanwhile is read too, before the log counts as read.
    log.deliver("aa", *map(request, range(220, 230)))
    looks = [log.evidence.judge(RUNNING, NOW) for _ in range(3)]
    assert [look.judgements[-1].guard == "prediction_log" for look in looks] == [True, True, False]
    assert flips(looks[-1]).n == flips(whole).n + 10 == 230
    assert log.evidence.damage(RUNNING.alias).lines == 1


@pytest.mark.fault(30)
def test_a_bucket_that_stops_answering_midway_loses_no_line_and_nothing_passes_on_half_of_the_log(log):
    log.deliver("a", *map(request, range(100)))
    log.deliver("b", *map(request, range(100, 200)))
    log.missing = "b.gz"
    evidence = log.evidence.judge(RUNNING, NOW)
    assert (flips(evidence).n, evidence.judgements[-1].guard) == (100, "prediction_log")
    log.missing = None
    assert log.evidence.judge(RUNNING, NOW) == log.begin().judge(RUNNING, NOW)


def test_lines_of_another_rollout_dont_count_as_news(log):
    log.deliver("a", *(request(number, "live-1") for number in range(10)))
    evidence = log.evidence.judge(RUNNING, NOW)
    assert (flips(evidence).n, evidence.seen_until) == (0, None)


def test_another_rollout_of_the_alias_begins_anew(log):
    log.deliver("a", *map(request, range(10)))
    assert flips(log.evidence.judge(RUNNING, NOW)).n == 10
    assert flips(log.evidence.judge(replace(RUNNING, id="live-next"), NOW)).n == 0


@pytest.mark.fault(30)
def test_a_log_that_cant_be_read_leaves_the_verdicts_and_one_open_question(log):
    log.deliver("a", *map(request, range(200)))
    log.evidence.judge(RUNNING, NOW)
    log.is_down = True
    evidence = log.evidence.judge(RUNNING, NOW)
    assert flips(evidence).verdict == "pass"
    problem = evidence.judgements[-1]
    assert (problem.guard, problem.verdict) == ("prediction_log", "inconclusive")
    assert "no network" in problem.to_document()["sentence"]


@pytest.mark.fault(33)
def test_requests_count_whatever_their_environments_clock_says_and_one_that_is_ahead_is_no_news(log):
    lines = [*map(request, range(30))]
    for line, hours in zip(lines, [-1, 0, 1] * 10, strict=True):
        line["timestamp"] = (datetime.fromisoformat(line["timestamp"]) + timedelta(hours=hours)).isoformat()
    log.deliver("a", *lines)
    evidence = log.evidence.judge(RUNNING, NOW)
    assert flips(evidence).n == 30
    assert evidence.seen_until == START + timedelta(seconds=28)


def test_settings_that_cant_be_used_are_an_error(log):
    with pytest.raises(InvalidRolloutError, match="guards"):
        log.evidence.judge(replace(RUNNING, guards={}), NOW)
