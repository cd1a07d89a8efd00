"""What --require may say, and that a candidate is inspected once for its gates and its publication."""

from __future__ import annotations

import pytest

from peerloan.errors import UsageError
from peerloan.gating import Asked, GateRefusedError, InspectedOnce, parse_requirement
from registry_kit import believe
from training.gates import Requirement, Verdict


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("better-than=live", Asked(Requirement.BETTER_THAN, "live")),
        ("no-worse-than=staging", Asked(Requirement.NO_WORSE_THAN, "staging")),
    ],
)
def test_a_requirement_is_a_rule_and_an_alias(text: str, asked: Asked) -> None:
    assert parse_requirement(text) == asked
    assert str(asked) == text


@pytest.mark.parametrize("text", ["", "live", "better-than", "better-than=", "worse-than=live", "better-than:live"])
def test_anything_else_is_told_what_may_be_asked_for(text: str) -> None:
    with pytest.raises(UsageError, match="better-than=ALIAS or no-worse-than=ALIAS"):
        parse_requirement(text)


def test_the_refusal_names_rules_figures_and_the_way_around() -> None:
    error = GateRefusedError("better-than=live", [Verdict("monotonicity", False, "as grade rises it falls")])
    assert "  monotonicity: as grade rises it falls" in str(error)
    assert "--force --reason" in str(error)


def test_a_pickle_is_inspected_once_and_another_one_again() -> None:
    asked = []

    def inspect(pickle, probe_records):
        asked.append(pickle)
        return believe(pickle, probe_records)

    once = InspectedOnce(inspect)
    assert once(b"one", [{}]) is once(b"one", [{}])
    once(b"other", [{}])
    assert asked == [b"one", b"other"]
