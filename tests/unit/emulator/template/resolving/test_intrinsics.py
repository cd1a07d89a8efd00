"""Intrinsic functions: their values, and what can't be resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.template.read import load_project
from emulator.template.resolving.intrinsics import Resolver
from emulator.template.values import Unresolvable
from tests.unit.emulator.template.template_pieces import FUNCTION, FUNCTIONS


def test_intrinsics_that_cannot_be_resolved() -> None:
    resolver = Resolver({"A": "1"}.__getitem__, lambda *_: "x", {}, {})
    for value, text in (
        ({"Ref": "B"}, "unresolved-ref-b"),
        ({"Fn::Select": [3, ["a"]]}, "unresolved-select-3-a"),
        ({"Fn::If": ["No", 1, 2]}, "unresolved-if-no-1-2"),
        ({"Fn::Cidr": []}, "unresolved-cidr"),
    ):
        assert resolver.resolve(value) == text
        assert isinstance(resolver.resolve_document(value), Unresolvable)
    assert resolver.resolve({"Fn::Base64": {"Fn::Sub": "${A}"}}) == "MQ=="
    assert resolver.resolve({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}) == {"b": [1]}


def test_keys_that_yaml_makes_numbers_of_and_names_like_functions(load) -> None:  # type: ignore[no-untyped-def]
    function = load(
        """
        Parameters: {Account: {Type: String, Default: "1"}, Resource: {Type: String, Default: F}}
        Mappings: {Sizes: {1: {2: 512}}}
        """
        + FUNCTION.replace("\n", "\n        ")
        + """      MemorySize: !FindInMap [Sizes, !Ref Account, 2]
              Environment: {Variables: {Condition: fair}}
        """
    ).functions["F"]
    assert (function.memory_mb, function.environment) == (512, {"Condition": "fair"})


def test_an_attribute_may_be_named_by_a_parameter() -> None:
    resolver = Resolver({"P": "Arn"}.__getitem__, lambda *words: ".".join(words), {}, {})
    assert resolver.resolve({"Fn::GetAtt": ["R", {"Ref": "P"}]}) == "R.Arn"


def test_unresolvable_functions_are_marked_in_the_document() -> None:
    resolver = Resolver({"A": "1"}.__getitem__, lambda *_: "x", {}, {})
    document = {"a": [{"Fn::ImportValue": "x"}, {"Ref": "A"}], "b": {"Fn::Sub": "${Unknown}-${A}"}}
    resolved = resolver.resolve_document(document)
    assert resolved["a"][1] == "1"
    assert isinstance(resolved["a"][0], Unresolvable)
    assert "another stack" in resolved["a"][0].reason
    reason = "Ref 'Unknown' names no parameter and no resource"
    assert resolved["b"] == Unresolvable(reason, "unresolved-ref-unknown-1")


@pytest.mark.fidelity("intrinsic-functions")
def test_the_language_extensions(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = FUNCTIONS.replace(
        "Properties: {AutoPublishAlias: live}",
        """
    Properties:
      Environment:
        Variables:
          LENGTH: {Fn::Length: [a, b]}
          TEXT: {Fn::ToJsonString: {a: !Ref AWS::Region}}
          MAPPED: !FindInMap [Sizes, none, x, {DefaultValue: 7}]
          BLOCKS: !Join [",", !Cidr [10.0.0.0/16, 2, 8]]
""",
    )
    path = tmp_path / "extended.yaml"
    path.write_text(
        "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\nMappings: {Sizes: {a: {x: 1}}}\n" + text
    )
    assert load_project(path).functions["F"].environment == {
        "LENGTH": "2", "TEXT": '{"a":"us-east-1"}', "MAPPED": "7", "BLOCKS": "10.0.0.0/24,10.0.1.0/24",
    }  # fmt: skip
