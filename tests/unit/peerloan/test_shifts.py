"""The arithmetic behind the demonstration's verdict."""

from __future__ import annotations

from peerloan.commands.demo import demo_figures
from peerloan.load import Answer
from peerloan.shifts import Shift, failed_answers, propagation_s, untrue_answers

NEVER = float("-inf")
SHIFTS = [Shift(1, NEVER, NEVER), Shift(2, 10.0, 10.1), Shift(1, 20.0, 20.1)]


def ok(sent: float, answered: float, version: int) -> Answer:
    return Answer(sent, answered, 200, version)


def test_propagation_is_the_last_old_answer_after_an_acknowledgement() -> None:
    answers = [ok(9.0, 9.1, 1), ok(10.9, 11.0, 1), ok(11.2, 11.3, 2), ok(20.4, 20.5, 2), ok(21.0, 21.1, 1)]
    assert round(propagation_s(answers, SHIFTS), 6) == 0.9
    assert propagation_s([], SHIFTS) == 0.0


def test_an_answer_may_only_name_a_version_of_its_time() -> None:
    early = ok(9.0, 9.5, 2)  # before anybody asked for version 2
    in_time = ok(11.0, 11.2, 1)  # within the TTL after the shift
    late = ok(11.5, 11.6, 1)  # later than the TTL
    assert untrue_answers([early, in_time, late], SHIFTS, ttl_s=1.0) == [early, late]


def test_every_status_but_200_is_a_failure() -> None:
    answers = [ok(1, 2, 1), Answer(1, 2, 503, None), Answer(1, 2, 0, None)]
    assert failed_answers(answers) == answers[1:]


def test_the_demonstration_passes_on_its_figures() -> None:
    good = [ok(9.0, 9.1, 1), ok(11.1, 11.2, 1), ok(11.3, 11.4, 2)]
    figures = demo_figures(good, SHIFTS, 1.0)
    assert figures == {
        "passed": True,
        "requests": 3,
        "failed": 0,
        "untrue": 0,
        "versions": [1, 2],
        "shifts": 2,
        "propagation_max_ms": 1100,
        "propagation_bound_ms": 1250,
    }
    late = [*good, ok(11.05, 11.4, 1)]
    assert not demo_figures(late, SHIFTS, 1.0)["passed"]
    assert not demo_figures([*good, Answer(12.0, 12.1, 503, None)], SHIFTS, 1.0)["passed"]
    assert not demo_figures([*good, ok(9.0, 9.5, 2)], SHIFTS, 1.0)["passed"]
