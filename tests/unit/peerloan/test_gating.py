"""The forms of --require, and what a refusal says."""

from __future__ import annotations

import pytest

from peerloan.errors import UsageError
from peerloan.gating import GateRefusedError, compare_data, parse_requirement
from training.gates import Requirement, Verdict


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("better-than=live", (Requirement.BETTER_THAN, "live")),
        ("no-worse-than=staging", (Requirement.NO_WORSE_THAN, "staging")),
    ],
)
def test_a_requirement_is_a_rule_and_an_alias(text: str, requirement: tuple[Requirement, str]) -> None:
    assert parse_requirement(text) == requirement


@pytest.mark.parametrize("text", ["", "live", "better-than", "better-than=", "worse-than=live", "better-than:live"])
def test_another_text_is_refused_with_the_allowed_forms(text: str) -> None:
    with pytest.raises(UsageError, match="better-than=ALIAS or no-worse-than=ALIAS"):
        parse_requirement(text)


def test_the_refusal_names_rules_figures_and_the_way_around() -> None:
    error = GateRefusedError("better-than=live", [Verdict("monotonicity", False, "as grade rises it falls")])
    assert "  monotonicity: as grade rises it falls" in str(error)
    assert "--force --reason" in str(error)


@pytest.mark.parametrize(
    ("candidate", "in_charge", "is_same"),
    [(True, True, True), (False, False, True), (True, False, False), (False, True, False), (None, False, True)],
)
def test_comparing_models_of_generated_and_of_real_loans_fails_a_rule(
    candidate: bool | None, in_charge: bool | None, is_same: bool
) -> None:
    data = [{} if is_sample is None else {"is_sample": is_sample} for is_sample in (candidate, in_charge)]
    passed, figures = compare_data(*data)
    assert passed is is_same
    assert figures.startswith("the candidate was trained on ")
    assert ("generated" in figures) is (True in (candidate, in_charge))
