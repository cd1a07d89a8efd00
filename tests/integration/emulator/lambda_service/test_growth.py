"""Many environments at once, and a soak of a few thousand requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.load.soak import soak

AT_ONCE = 32


@pytest.mark.fidelity("scaling-from-zero")
def test_32_calls_at_once_each_get_an_environment_of_their_own(
    start: Callable[..., Any], functions: Path, tmp_path: Path
) -> None:
    api = start("start-api", "-p", "0", "-t", str(functions / "environments" / "template.yaml"))
    gate = tmp_path / "open"
    with ThreadPoolExecutor(AT_ONCE) as clients:
        calls = [clients.submit(api.get, f"/forked?act=wait&file={gate}") for _ in range(AT_ONCE)]
        deadline = time.monotonic() + 15
        # Each is in its handler before any of them may end: none is queued behind another.
        while api.log.count("START RequestId") < AT_ONCE and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(call.done() for call in calls)
        gate.touch()
        answers = [call.result() for call in calls]
    assert [answer.status for answer in answers] == [200] * AT_ONCE
    facts = [answer.json for answer in answers]
    assert len({fact["pid"] for fact in facts}) == AT_ONCE
    assert max(fact["began"] for fact in facts) < min(fact["ended"] for fact in facts)


@pytest.mark.fault(25)
@pytest.mark.fidelity("concurrency")
def test_fault_25_beyond_a_reservation_requests_are_turned_away_and_the_rest_is_free(
    start: Callable[..., Any], functions: Path
) -> None:
    api = start("start-api", "-p", "0", "-t", str(functions / "environments" / "template.yaml"))
    with ThreadPoolExecutor(12) as clients:
        reserved = [clients.submit(api.get, "/reserved?act=sleep&s=2") for _ in range(10)]
        others = [clients.submit(api.get, "/worker?act=sleep&s=0") for _ in range(2)]
        statuses = sorted(call.result().status for call in reserved)
        assert statuses == [200] * 4 + [503] * 6
        assert [call.result().status for call in others] == [200] * 2
    assert api.get("/reserved").status == 200


@pytest.mark.fault(27)
@pytest.mark.fidelity("thousands-of-requests")
def test_fault_27_a_soak_loses_only_killed_requests_and_leaves_nothing_behind() -> None:
    figures = soak(3000, 60)
    assert (figures.requests, figures.faults()) == (3000, [])
    assert figures.kills > 30
    assert 0 < figures.failed <= figures.kills
