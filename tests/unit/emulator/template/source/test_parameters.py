"""Parameters of a template: every type, and what isn't allowed."""

from __future__ import annotations

import pytest

from emulator.template.source.parameters import ParameterError, parameter_values
from tests.unit.emulator.template.template_pieces import FUNCTIONS


@pytest.mark.parametrize(
    ("declared", "override", "expected"),
    [
        ("Type: Number, Default: 5", None, 5),
        ("Type: Number, MinValue: 1, MaxValue: 9", "9", "9"),
        ("Type: List<Number>, Default: '1, 2'", None, ["1", "2"]),
        ("Type: CommaDelimitedList, AllowedValues: [a, b]", "b,a", ["b", "a"]),
        ("Type: AWS::EC2::VPC::Id, Default: vpc-1", None, "vpc-1"),
        # YAML's true is the text "true", as in CloudFormation.
        ("Type: String, Default: true, AllowedValues: ['true', 'false']", None, True),
        ("Type: String, Default: 'false', AllowedValues: [true, false]", None, "false"),
        ("Type: String, AllowedValues: [true, false]", "true", "true"),
        # Patterns are Java's; one that Python doesn't read, or reads otherwise, isn't checked.
        (r"Type: String, Default: a, AllowedPattern: '\p{L}+'", None, "a"),
        (r"Type: String, Default: a, AllowedPattern: '(?<first>b)'", None, "a"),
        ("Type: String, Default: a, AllowedPattern: '[a-z&&[^b]]'", None, "a"),
        ("Type: 'List<AWS::EC2::Subnet::Id>', Default: 's-1,s-2'", None, ["s-1", "s-2"]),
        ("Type: AWS::SSM::Parameter::Name, Default: /a/b", None, "/a/b"),
        ("Type: AWS::SSM::Parameter::Value<String>, Default: /a/b", "looked up", "looked up"),
        ("Type: AWS::SSM::Parameter::Value<List<String>>, Default: /a/b", "x,y", ["x", "y"]),
    ],
)
@pytest.mark.fidelity("template-parameters")
def test_parameters_of_every_type(load, declared: str, override: str | None, expected: object) -> None:  # type: ignore[no-untyped-def]
    from samtranslator.yaml_helper import yaml_parse

    declarations = yaml_parse(f"P: {{{declared}}}")
    assert parameter_values(declarations, {} if override is None else {"P": override}) == {"P": expected}


@pytest.mark.parametrize(
    ("declared", "override", "message"),
    [
        ("Type: Number", "x", "not a number"),
        ("Type: Number, MinValue: 2", "nan", "not a number"),
        ("Type: Number", "1_000", "not a number"),
        ("Type: Number, MinValue: 2", "1", "at least 2"),
        ("Type: Number, MaxValue: 2", "3", "at most 2"),
        ("Type: List<Number>", "1,x", "not a number"),
        ("Type: String, MinLength: 2", "a", "at least 2 characters"),
        ("Type: String, MaxLength: 2", "abc", "at most 2 characters"),
        ("Type: String, MinLength: many", "a", "the declaration of parameter P can't be read"),
        ("Type: String, AllowedValues: 5", "a", "the declaration of parameter P can't be read"),
        ("Type: String, AllowedPattern: [a]", "a", "the declaration of parameter P can't be read"),
        ("Type: CommaDelimitedList, AllowedValues: [a]", "a,b", "'b'; allowed are a"),
        ("Type: CommaDelimitedList, AllowedPattern: '[a-z]'", "a,1", "does not match"),
        ("Type: String, Default: true, AllowedValues: [false, 'no']", None, "'true'; allowed are false, no"),
        ("Type: AWS::SSM::Parameter::Value<String>, Default: /a/b", None, "SSM parameter store"),
    ],
)
@pytest.mark.fidelity("template-parameters")
def test_a_parameter_that_is_not_allowed(load_strictly, declared: str, override: str | None, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match=message):
        load_strictly(f"Parameters: {{P: {{{declared}}}}}" + FUNCTIONS, **({} if override is None else {"P": override}))
