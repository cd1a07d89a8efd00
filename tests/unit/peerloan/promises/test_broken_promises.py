"""Records of runs that break each promise, in several ways, and what the checker says of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from math import inf

import pytest

from model_registry.routing import routing_point
from peerloan.load import Answer
from peerloan.promises.checks import Report, check_run
from peerloan.promises.shares import share_bounds
from peerloan.promises.timeline import AliasChange

TTL_S = 1.0
SPLIT = "live-2"


def change(revision: int, at: float, version: int, weight: float | None = None, candidate: int = 2) -> AliasChange:
    """A change that takes 0.1 s from request to acknowledgement."""
    additional = {} if weight is None else {candidate: weight}
    return AliasChange(revision, at, at + 0.1, version, additional, SPLIT, "the rollout")


def ok(sent: float, version: int | None, key: str = "", took: float = 0.01) -> Answer:
    return Answer(sent, sent + took, 200, version, "", key)


def failed(sent: float, status: int, version: int | None = None, key: str = "") -> Answer:
    return Answer(sent, sent + 0.01, status, version, "a problem", key)


def keys_at(low: float, high: float, count: int = 1) -> list[str]:
    """Return keys whose points lie between two weights."""
    numbers = (f"loan-{number}" for number in range(100_000))
    return list(islice((key for key in numbers if low <= routing_point(SPLIT, key) < high), count))


START = AliasChange(1, -inf, -inf, 1, {}, "live-1", "live-1")
TO_TWO = [START, replace(change(2, 10.0, 2), rollout="another")]
CANARY = [START, change(2, 10.0, 1, 0.1), change(3, 20.0, 1, 0.5), change(4, 30.0, 1)]
(LOW,) = keys_at(0.0, 0.1)
(MIDDLE,) = keys_at(0.1, 0.5)
(HIGH,) = keys_at(0.5, 1.0)


def check(answers, changes, unable=frozenset()) -> Report:
    return check_run(answers, changes, TTL_S, unable=unable)


def broken(report: Report) -> list[int]:
    return [violation.promise for violation in report.violations]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ok(5.0, 2), "got version 2; the alias pointed to version 1 between 1 s before its start and its end"),
        (ok(15.0, 7), "got version 7; the alias pointed to version 2"),
        (ok(10.5, 7), "the alias pointed to version 1 or 2"),
        (ok(5.0, None), "names no version"),
        (ok(9.0, 2, took=0.9), "got version 2"),
    ],
)
def test_promise_1_an_answer_names_a_version_of_its_time(answer: Answer, words: str) -> None:
    report = check([answer], TO_TWO)
    assert broken(report) == [1]
    assert words in report.violations[0].sentence
    assert report.violations[0].answer is answer


@pytest.mark.parametrize("sent", [11.2, 15.0, 1000.0])
def test_promise_2_no_removed_version_answers_after_the_ttl(sent: float) -> None:
    report = check([ok(sent, 1)], TO_TWO)
    assert broken(report) == [2]
    assert "got version 1; revision 2 had removed it, acknowledged" in report.violations[0].sentence


def test_promise_2_holds_for_a_version_that_came_back_and_was_removed_again() -> None:
    changes = [START, change(2, 10.0, 2), change(3, 20.0, 1), change(4, 30.0, 2)]
    assert broken(check([ok(25.0, 1), ok(31.0, 1)], changes)) == []
    report = check([ok(12.0, 1), ok(35.0, 1), ok(25.0, 2)], changes)
    assert broken(report) == [2, 2, 2]
    for violation, revision in zip(report.violations, (2, 4, 3), strict=True):
        assert f"revision {revision} had removed it" in violation.sentence


def test_a_candidate_that_was_taken_back_may_not_answer_any_more() -> None:
    assert broken(check([ok(30.5, 2, LOW)], CANARY)) == []
    assert broken(check([ok(32.0, 2, LOW)], CANARY)) == [2]


@pytest.mark.parametrize("status", [0, 500, 502, 503, 504])
def test_promise_7_a_candidate_takes_no_answer_from_the_version_in_charge(status: int) -> None:
    for answer in (failed(15.0, status, None, MIDDLE), failed(15.0, status, 1), failed(15.0, status, 1, MIDDLE)):
        report = check([answer], CANARY)
        assert 7 in broken(report), answer
        assert "it belongs to version 1, and version 2 was a candidate then" in report.violations[0].sentence
        assert report.candidate_failures == 0


def test_failures_of_the_candidate_count_apart() -> None:
    answers = [failed(15.0, 500, 2, LOW), failed(15.0, 500, None, LOW), failed(25.0, 502, None, MIDDLE)]
    report = check(answers, CANARY)
    assert (broken(report), report.failed, report.candidate_failures) == ([], 3, 3)
    assert 7 not in broken(check([failed(5.0, 500, 1, MIDDLE)], CANARY))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ok(15.0, 2, MIDDLE), "got version 2; its key belongs to version 1 in revision 2"),
        (ok(15.0, 1, LOW), "got version 1; its key belongs to version 2 in revision 2"),
        (ok(25.0, 1, MIDDLE), "got version 1; its key belongs to version 2 in revision 3"),
        (ok(20.5, 2, HIGH), "got version 2; its key belongs to version 1 in revisions 2 to 3"),
    ],
)
def test_promise_8_a_key_gets_its_version(answer: Answer, words: str) -> None:
    report = check([answer], CANARY)
    assert broken(report) == [8]
    assert words in report.violations[0].sentence


def test_promise_8_a_restart_under_another_name_moves_keys() -> None:
    restarted = [*CANARY, replace(change(5, 40.0, 1, 0.5), split="live-5")]
    moved = [key for key in keys_at(0.0, 0.5, 1000) if routing_point("live-5", key) >= 0.5]
    answers = [ok(25.0, 2, moved[0]), ok(45.0, 1, moved[0])]
    report = check(answers, restarted)
    assert broken(report) == [8]
    assert "a key only moves to version 2, as the weight rises" in report.violations[0].sentence
    assert report.violations[0].answer is answers[1]
    # With its name kept, each key stays over the stop, the restart and the new weights.
    assert (
        broken(check([ok(25.0, 2, LOW), ok(35.0, 1, LOW), ok(45.0, 2, LOW)], [*CANARY, change(5, 40.0, 1, 0.2)])) == []
    )


def test_promise_8_the_order_of_two_answers_of_a_key_does_not_matter() -> None:
    constant = replace(CANARY[1], split="x")
    for versions in ((1, 2), (2, 1)):
        answers = [ok(15.0 + number, version, "any key") for number, version in enumerate(versions)]
        assert 8 in broken(check(answers, [START, constant]))


@pytest.mark.parametrize(("gained", "is_right"), [(100, True), (130, True), (300, False), (0, False)])
def test_promise_8_shares_match_the_weights(gained: int, is_right: bool) -> None:
    answers = [ok(15.0, 2 if number < gained else 1) for number in range(1000)]
    report = check(answers, CANARY)
    assert broken(report) == ([] if is_right else [8])
    if not is_right:
        assert f"gives version 2 the weight 0.1; it got {gained} of 1000 keys" in report.violations[0].sentence
        assert report.violations[0].answer is None


def test_a_key_that_asks_often_counts_once() -> None:
    answers = [ok(15.0, 2, LOW)] * 500 + [ok(15.0, 1, key) for key in keys_at(0.1, 1.0, 9)]
    assert broken(check(answers, CANARY)) == []


@pytest.mark.parametrize(
    ("answer", "is_broken"),
    [
        (failed(5.0, 0), True),
        (failed(5.0, 500), True),
        (failed(5.0, 502, 1), True),
        (failed(15.0, 0, None, LOW), True),
        (failed(15.0, 500, 1, MIDDLE), True),
        (failed(5.0, 429), False),
        (failed(5.0, 503), False),
        (failed(5.0, 504), False),
        (failed(5.0, 422), False),
    ],
)
def test_promise_11_a_request_is_answered_or_refused(answer: Answer, is_broken: bool) -> None:
    assert (11 in broken(check([answer], CANARY))) == is_broken


def test_an_update_that_nobody_acknowledged_may_hold_or_not() -> None:
    changes = [START, replace(change(2, 10.0, 2), acknowledged=inf)]
    assert broken(check([ok(15.0, 1), ok(15.0, 2), ok(500.0, 1)], changes)) == []
    later = [*changes, change(3, 20.0, 3)]
    assert broken(check([ok(15.0, 1), ok(20.5, 1), ok(25.0, 1)], later)) == [2]


def test_another_version_may_answer_for_one_that_is_unable() -> None:
    answers = [ok(15.0, 1, LOW), ok(25.0, 1, LOW), ok(25.0, 1, MIDDLE)]
    assert broken(check(answers, CANARY, frozenset({2}))) == []
    assert broken(check([ok(15.0, 1)], TO_TWO, frozenset({2}))) == []
    assert broken(check([ok(15.0, 9)], TO_TWO, frozenset({2}))) == [1]


def test_propagation_is_the_last_answer_by_a_removed_version() -> None:
    changes = [START, change(2, 10.0, 2), change(3, 20.0, 1)]
    answers = [ok(9.0, 1), ok(10.9, 1, took=0.1), ok(11.2, 2), ok(20.4, 2, took=0.1), ok(21.0, 1)]
    assert round(check(answers, changes).propagation_s, 6) == 0.9
    assert check([], changes).propagation_s == 0


def test_the_bounds_of_a_share_are_the_binomial_distributions() -> None:
    low, high = share_bounds(10_000, 0.1)
    assert (low, high) == (903, 1100)
