"""`sam local start-api` and the emulator answer one corpus of requests alike, but for what the table allows."""

from __future__ import annotations

import pytest

from tests.e2e.differential.allowance import Allowed
from tests.e2e.differential.allowed import HTTP_API as ALLOWED
from tests.e2e.differential.case import Case
from tests.e2e.differential.conftest import Answers
from tests.e2e.differential.exchange import Difference, differences

pytestmark = pytest.mark.sam


@pytest.fixture(scope="module")
def found(answers_of_sam: Answers, answers_of_the_emulator: Answers) -> dict[str, list[Difference]]:
    """Case → its differences."""
    return {name: differences(answer, answers_of_the_emulator[name]) for name, answer in answers_of_sam.items()}


def test_the_emulator_answers_with_awss_status(case: Case, answers_of_the_emulator: Answers) -> None:
    assert answers_of_the_emulator[case.name]["status"] == case.status


def test_every_difference_is_in_the_table(case: Case, found: dict[str, list[Difference]]) -> None:
    unexplained = [
        str(difference)
        for difference in found[case.name]
        if not any(allowed.explains(case.name, difference) for allowed in ALLOWED)
    ]
    assert unexplained == []


@pytest.mark.parametrize("allowed", ALLOWED, ids=[allowed.what for allowed in ALLOWED])
def test_every_entry_of_the_table_still_occurs(allowed: Allowed, found: dict[str, list[Difference]]) -> None:
    assert allowed.missing(found) == []


def test_request_ids_are_fresh_here_and_frozen_in_sam(
    answers_of_sam: Answers, answers_of_the_emulator: Answers
) -> None:
    place = "event.requestContext.requestId"
    events = [answer for answer in answers_of_the_emulator.values() if answer.has_event]
    assert len({answer[place] for answer in events}) == len(events)
    assert all(answer[place] == answer["header.apigw-requestid"] for answer in events)
    assert len({answer[place] for answer in answers_of_sam.values() if answer.has_event}) == 1
