"""The verdict of the demonstration on its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerloan.commands.demo import demo_figures
from peerloan.promises.checks import Report, Violation
from rollout_kit import make_rollout

REPORT = Report(requests=1000, failed=3, candidate_failures=3, propagation_s=0.8, violations=())
ENDED = [make_rollout(state=state) for state in ("promoted", *["rolled_back"] * 4)]


def test_it_passes_if_the_good_version_is_promoted_and_the_bad_ones_are_taken_back() -> None:
    figures = demo_figures(REPORT, ENDED, 1, ttl_s=1.0)
    assert figures["passed"]
    assert (figures["failed"], figures["candidate_failures"], figures["rolled_back"]) == (0, 3, 4)


@pytest.mark.parametrize(
    "report",
    [
        replace(REPORT, failed=4),
        replace(REPORT, failed=11, candidate_failures=11),
        replace(REPORT, propagation_s=1.3),
        replace(REPORT, violations=(Violation(2, "an answer came from a removed version"),)),
    ],
    ids=["failed", "candidate", "propagation", "promise"],
)
def test_it_fails_on_requests(report: Report) -> None:
    assert not demo_figures(report, ENDED, 1, ttl_s=1.0)["passed"]


def test_it_fails_on_rollouts() -> None:
    assert not demo_figures(REPORT, [*ENDED[:4], make_rollout(state="held")], 1, ttl_s=1.0)["passed"]
    assert not demo_figures(REPORT, ENDED[::-1], 1, ttl_s=1.0)["passed"]
    assert not demo_figures(REPORT, ENDED, 0, ttl_s=1.0)["passed"]
