"""What --require may say, and that a candidate is inspected once for its gates and its publication."""

from __future__ import annotations

import pytest

from peerloan.errors import UsageError
from peerloan.gating import AliasRequirement, GateRefusedError, InspectedOnce, compare_data, parse_requirement
from registry_kit import believe
from training.gates import Requirement, Verdict


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("better-than=live", AliasRequirement(Requirement.BETTER_THAN, "live")),
        ("no-worse-than=staging", AliasRequirement(Requirement.NO_WORSE_THAN, "staging")),
    ],
)
def test_a_requirement_is_a_rule_and_an_alias(text: str, asked: AliasRequirement) -> None:
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


@pytest.mark.parametrize(
    ("candidate", "in_charge", "is_same"),
    [(True, True, True), (False, False, True), (True, False, False), (False, True, False), (None, False, True)],
)
def test_models_of_generated_and_of_real_loans_are_not_compared_without_a_word(
    candidate: bool | None, in_charge: bool | None, is_same: bool
) -> None:
    data = [{} if is_sample is None else {"is_sample": is_sample} for is_sample in (candidate, in_charge)]
    passed, figures = compare_data(*data)
    assert passed is is_same
    assert figures.startswith("the candidate was trained on ")
    assert ("generated" in figures) is (True in (candidate, in_charge))
