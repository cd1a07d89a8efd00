"""`sam local` and the emulator answer one corpus of requests alike, but for what the tables allow."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.differential.allowance import Allowed
from tests.e2e.differential.case import Case
from tests.e2e.differential.conftest import Ask
from tests.e2e.differential.doors import DOORS, Door
from tests.e2e.differential.exchange import Difference, differences

pytestmark = pytest.mark.sam

Find = Callable[[Door], dict[str, list[Difference]]]

_CASES = [pytest.param(door, case, id=f"{door.name}-{case.name}") for door in DOORS for case in door.cases]
_ENTRIES = [pytest.param(door, allowed, id=f"{door.name}-{allowed.what}") for door in DOORS for allowed in door.allowed]


@pytest.fixture(scope="module")
def find(ask_sam: Ask, ask_the_emulator: Ask) -> Find:
    """Return the differences of each case of a door."""

    def find_in(door: Door) -> dict[str, list[Difference]]:
        by_emulator = ask_the_emulator(door)
        return {name: differences(answer, by_emulator[name]) for name, answer in ask_sam(door).items()}

    return find_in


@pytest.mark.parametrize(("door", "case"), _CASES)
def test_the_emulator_answers_with_awss_status(door: Door, case: Case, ask_the_emulator: Ask) -> None:
    assert ask_the_emulator(door)[case.name]["status"] == case.status


@pytest.mark.parametrize(("door", "case"), _CASES)
def test_every_difference_is_in_the_table(door: Door, case: Case, find: Find) -> None:
    unexplained = [
        str(difference)
        for difference in find(door)[case.name]
        if not any(allowed.explains(case.name, difference) for allowed in door.allowed)
    ]
    assert unexplained == []


@pytest.mark.parametrize(("door", "allowed"), _ENTRIES)
def test_every_entry_of_the_table_still_occurs(door: Door, allowed: Allowed, find: Find) -> None:
    assert allowed.missing(find(door)) == []


@pytest.mark.parametrize("door", [door for door in DOORS if door.command == "start-api"], ids=lambda door: door.name)
def test_request_ids_are_fresh_here_and_frozen_in_sam(door: Door, ask_sam: Ask, ask_the_emulator: Ask) -> None:
    place = "event.requestContext.requestId"
    events = [answer for answer in ask_the_emulator(door).values() if answer.has_event]
    assert len({answer[place] for answer in events}) == len(events)
    assert all(answer[place] == answer["header.apigw-requestid"] for answer in events)
    assert len({answer[place] for answer in ask_sam(door).values() if answer.has_event}) == 1


def test_an_error_names_the_request_that_the_header_names(ask_the_emulator: Ask) -> None:
    door = next(door for door in DOORS if door.command == "start-lambda")
    answer = ask_the_emulator(door)["raise"]
    assert answer["error.requestId"] == answer["header.x-amzn-requestid"]
