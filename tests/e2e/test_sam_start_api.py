"""`sam local start-api` and the emulator answer every event, sent over HTTP, as the handler answers it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.answers import Answer, from_response, send

pytestmark = [pytest.mark.sam, pytest.mark.usefixtures("live_version_1")]

EVENTS = Path(__file__).resolve().parents[2] / "events"
# A flag that only a gateway sets: no request becomes this event.
NOT_A_REQUEST = "invalid-400-not-base64"
# SAM CLI reads every JSON body as UTF-8, and fails by itself where it is not.
NOT_UTF_8 = "invalid-400-not-utf-8"
NAMES = sorted(path.stem for path in EVENTS.glob("*.json") if path.stem != NOT_A_REQUEST)


@pytest.fixture(scope="module")
def events() -> dict[str, Any]:
    return {name: json.loads((EVENTS / f"{name}.json").read_text()) for name in NAMES}


@pytest.fixture(scope="module")
def expected(events: Mapping[str, Any], handle: Callable[..., list[Answer]]) -> dict[str, Answer]:
    """The handler's own answers, all from one process."""
    return dict(zip(events, handle(list(events.values())), strict=True))


@pytest.mark.parametrize("name", [name for name in NAMES if name != NOT_UTF_8])
def test_sam_answers_what_the_handler_answers(
    name: str, sam_api: str, events: Mapping[str, Any], expected: Mapping[str, Answer]
) -> None:
    assert from_response(send(sam_api, events[name])) == expected[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_emulator_answers_what_the_handler_answers(
    name: str, emulator_api: str, events: Mapping[str, Any], expected: Mapping[str, Answer]
) -> None:
    assert from_response(send(emulator_api, events[name])) == expected[name]


def test_a_body_that_is_not_utf_8_ends_in_sam_itself(sam_api: str, events: Mapping[str, Any]) -> None:
    answer = send(sam_api, events[NOT_UTF_8])
    assert (answer.status_code, answer.json()) == (502, {"message": "Internal server error"})
