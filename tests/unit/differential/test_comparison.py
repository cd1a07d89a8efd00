"""The differential test can fail: it sees differences, takes none for another, and notices what no longer occurs."""

from __future__ import annotations

import pytest

from tests.e2e.differential.allowance import Allowed, are, like
from tests.e2e.differential.case import Case, all_named_once
from tests.e2e.differential.corpus import HTTP_API
from tests.e2e.differential.doors import DOORS, Door
from tests.e2e.differential.exchange import ABSENT, Difference, Exchange, differences

EVENT = {"status": 200, "header.x-echo": "event", "event.body": "a", "event.rawPath": "/"}


def test_alike_is_alike() -> None:
    assert differences(Exchange({"status": 200, "body": b""}), Exchange({"status": 200, "body": b""})) == []


def test_a_part_that_differs_or_is_on_one_side_alone_is_a_difference() -> None:
    sam, emulator = Exchange({"status": 200, "header.a": "1", "body": b""}), Exchange({"status": 201, "body": b""})
    assert differences(sam, emulator) == [Difference("header.a", "1", ABSENT), Difference("status", 200, 201)]


def test_an_event_is_compared_place_by_place() -> None:
    assert differences(Exchange(EVENT), Exchange({**EVENT, "event.rawPath": "//"})) == [
        Difference("event.rawPath", "/", "//")
    ]


def test_where_one_answers_no_event_the_other_ones_body_is_kept() -> None:
    refusal = Exchange({"status": 413, "body": b"too large"})
    parts = [difference.part for difference in differences(Exchange(EVENT), refusal)]
    assert parts == ["body", "event.body", "header.x-echo", "status"]


def _allowed(*cases: str) -> Allowed:
    return Allowed("it", "a", "b", "b", {"status": are(403, 404), "body": like("a+", None)}, cases)


@pytest.mark.parametrize(
    ("case", "difference", "is_explained"),
    [
        ("one", Difference("status", 403, 404), True),
        ("one", Difference("status", 404, 403), False),
        ("one", Difference("status", 403, 500), False),
        ("one", Difference("header.a", 403, 404), False),
        ("other", Difference("status", 403, 404), False),
        ("one", Difference("body", b"aaa", ABSENT), True),
        ("one", Difference("body", b"aab", ABSENT), False),
        ("one", Difference("body", b"aaa", b""), False),
    ],
)
def test_an_entry_explains_its_own_difference_alone(case: str, difference: Difference, is_explained: bool) -> None:
    assert _allowed("one").explains(case, difference) is is_explained


def test_an_entry_of_cases_misses_each_part_of_each_case() -> None:
    by_case = {"one": [Difference("status", 403, 404)], "two": []}
    assert _allowed("one", "two").missing(by_case) == ["one: body", "two: status", "two: body"]


def test_an_entry_of_any_case_misses_a_part_that_occurs_nowhere() -> None:
    by_case = {"one": [Difference("status", 403, 404)], "two": [Difference("status", 403, 404)]}
    assert _allowed().missing(by_case) == ["body"]


def test_names_are_given_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        all_named_once((Case("twice"), Case("once")), (Case("twice"),))


def test_the_corpus_is_large() -> None:
    assert len(HTTP_API) >= 60


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_entries_are_named_once_and_name_cases_that_there_are(door: Door) -> None:
    names = [allowed.what for allowed in door.allowed]
    assert len(names) == len(set(names))
    assert {case for allowed in door.allowed for case in allowed.cases} <= {case.name for case in door.cases}


def test_two_doors_give_one_name_to_one_entry_alone() -> None:
    entries = {id(allowed): allowed.what for door in DOORS for allowed in door.allowed}
    assert len(set(entries.values())) == len(entries)
