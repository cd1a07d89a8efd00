"""The template's schedules call functions in a real emulator."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.emulator.conftest import Start
from tests.integration.emulator.lambda_client import until

RULE = "arn:aws:events:us-east-1:123456789012:rule/TickingOften"


def read_notes(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.fidelity("schedules", "scheduled-event", "schedule-interval")
def test_schedules_call_functions_until_the_emulator_stops(start: Start, functions: Path, tmp_path: Path) -> None:
    running = start(
        "start-lambda", "-p", "0", "-t", str(functions / "scheduled" / "template.yaml"), "--schedule-interval", "0.2",
        "--async-retry-waits", "0.05,0.05", "--parameter-overrides", f"Notes={tmp_path}",
    )  # fmt: skip
    ticking, failing = tmp_path / "ticking", tmp_path / "failing"
    until(lambda: len(read_notes(ticking)) >= 3 and len(read_notes(failing)) >= 4)
    notes = read_notes(ticking)
    assert all(note["arn"].endswith(":function:Ticking:live") for note in notes)
    events = [note["event"] for note in notes]
    assert {(event["source"], event["detail-type"], *event["resources"]) for event in events} == {
        ("aws.events", "Scheduled Event", RULE)
    }
    assert [event["id"] for event in events] == [note["id"] for note in notes]
    # A failed event of a shortened schedule isn't tried again: the next one follows at once.
    assert set(Counter(note["id"] for note in read_notes(failing)).values()) == {1}
    assert running.stop() == 0
    assert running.descendants() == set()
    # The tracebacks are the function's own.
    assert running.log.count("Traceback") == running.log.count("in handler")
    assert "background task" not in running.log
    told = len(read_notes(ticking))
    assert told == len({note["id"] for note in read_notes(ticking)})
