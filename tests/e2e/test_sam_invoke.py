"""`sam local invoke PredictFunction -e events/…` answers what the handler answers. Each is a new container."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.answers import from_event_answer

pytestmark = [pytest.mark.sam, pytest.mark.usefixtures("live_version_1")]

EVENTS = Path(__file__).resolve().parents[2] / "events"


@pytest.mark.parametrize("name", ["one-record", "base64-body", "model", "invalid-422-out-of-range"])
def test_invoke_answers_what_the_handler_answers(
    name: str, invoke: Callable[[Path], dict[str, Any]], handle: Callable[..., list[Any]]
) -> None:
    event = EVENTS / f"{name}.json"
    assert [from_event_answer(invoke(event))] == handle([json.loads(event.read_text())])
