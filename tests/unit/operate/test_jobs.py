"""Which job an event asks for."""

from __future__ import annotations

from typing import Any

import pytest

from operate.jobs import PING_CODE, ROLLOUTS, Job, Jobs, UnknownJobError


def test_an_event_runs_the_job_that_it_names_and_eventbridges_own_the_rollouts() -> None:
    made: list[str] = []

    def making(name: str) -> Job:
        made.append(name)
        return lambda event, context: {"job": name, "event": event}

    jobs = Jobs({name: lambda name=name: making(name) for name in (ROLLOUTS, PING_CODE)})  # type: ignore[misc]
    event: dict[str, Any] = {"source": "aws.events", "detail-type": "Scheduled Event"}
    assert jobs(event, None) == {"job": ROLLOUTS, "event": event}
    assert made == [ROLLOUTS], "a round must not wait for the client of another job"
    for _ in range(2):
        assert jobs({"job": PING_CODE}, None)["job"] == PING_CODE
    assert made == [ROLLOUTS, PING_CODE]
    with pytest.raises(UnknownJobError, match="'ping'; there are rollouts, ping-code"):
        jobs({"job": "ping"}, None)
