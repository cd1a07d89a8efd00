"""The values of the commands' options, and the refused ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.cli.settings.options import (
    OptionError,
    parse_parameter_overrides,
    read_env_vars,
    read_event,
    read_values,
    with_variables,
)
from tests.unit.emulator.template.template_pieces import FUNCTION


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["A=1 B=2"], {"A": "1", "B": "2"}),
        (["A=1", "B=x=y"], {"A": "1", "B": "x=y"}),
        (['A="two words"'], {"A": "two words"}),
        (["ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue="], {"A": "1", "B": ""}),
    ],
)
def test_parameter_overrides(words: list[str], expected: dict[str, str]) -> None:
    assert parse_parameter_overrides(words) == expected


def test_bad_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'A'"):
        parse_parameter_overrides(["A"])
    with pytest.raises(OptionError, match="No closing quotation"):
        parse_parameter_overrides(["A='b"])
    bad = tmp_path / "bad.json"
    bad.write_text('{"F": 1}')
    with pytest.raises(OptionError, match=r"bad\.json"):
        read_env_vars(bad)
    with pytest.raises(OptionError, match=r"--values .*missing\.json"):
        read_values(tmp_path / "missing.json")
    bad.write_text("[]")
    with pytest.raises(OptionError, match="must be an object"):
        read_values(bad)
    with pytest.raises(OptionError, match=r"missing\.json"):
        read_env_vars(tmp_path / "missing.json")
    bad.write_text("no")
    with pytest.raises(OptionError, match=r"bad\.json"):
        read_event(str(bad), None)
    assert read_event(None, None) == b"{}"


def test_a_variable_that_the_user_gives_is_not_listed(load) -> None:  # type: ignore[no-untyped-def]
    project = load(FUNCTION + "      Environment: {Variables: {A: !ImportValue a, B: !ImportValue b}}\n")
    changed = with_variables(project, {"F": {"A": "mine"}}, None)
    assert changed.functions["F"].environment["A"] == "mine"
    assert [part.property for part in changed.left_out] == ["Environment.Variables.B"]


def test_variables_are_overridden_as_sam_does(load) -> None:  # type: ignore[no-untyped-def]
    project = load(FUNCTION + "      Environment: {Variables: {A: '1', B: '2', AWS_ENDPOINT_URL_S3: ''}}\n")
    variables = {"Parameters": {"A": "all", "C": "x"}, "F": {"B": "own", "D": "y"}}
    changed = with_variables(project, variables, "http://s3")
    assert changed.functions["F"].environment == {"A": "all", "B": "own", "AWS_ENDPOINT_URL_S3": "http://s3"}
    assert "D" in changed.notes[0]
    project = with_variables(project, {"F": {"AWS_ENDPOINT_URL_S3": "http://mine"}}, "http://s3")
    assert project.functions["F"].environment["AWS_ENDPOINT_URL_S3"] == "http://mine"
