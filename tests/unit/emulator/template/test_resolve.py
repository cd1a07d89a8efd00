"""Resolving a template: names and attributes of resources, in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.template.errors import UnsupportedError
from emulator.template.left_out import LeftOutParts
from emulator.template.load import LoadedTemplate
from emulator.template.resolve import Resource, resolve_template
from emulator.template.values import Reference, Unresolvable


def resolve(resources: dict[str, Any], **sections: Any) -> dict[str, Resource]:
    document = {"Resources": resources, **sections}
    template = LoadedTemplate(Path(), document, {"AWS::Region": "eu-west-3", "P": "p"})
    return resolve_template(template, LeftOutParts(strict=True))


def test_a_reference_has_its_resource_and_its_text() -> None:
    resources = resolve(
        {
            "F": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": {"Fn::Sub": "${P}-f"}}},
            "V": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}},
            "A": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Fn::GetAtt": ["F", "Arn"]},
                    "FunctionVersion": {"Fn::GetAtt": ["V", "Version"]},
                    "Name": "live",
                    "Description": {"Fn::Sub": "of ${F}"},
                },
            },
        }
    )
    arn = "arn:aws:lambda:eu-west-3:123456789012:function:p-f"
    assert (resources["F"].name, resources["F"].arn) == ("p-f", arn)
    assert resources["V"].properties == {"FunctionName": Reference("F", "p-f")}
    assert resources["A"].properties == {
        "FunctionName": Reference("F", arn), "FunctionVersion": Reference("V", "1"), "Name": "live",
        "Description": "of p-f",
    }  # fmt: skip
    assert (resources["V"].name, resources["A"].name) == (f"{arn}:1", f"{arn}:live")


def test_a_property_that_cannot_be_resolved_becomes_a_marker() -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"Policy": {"Fn::GetAtt": ["Q", "Arn"]}}}
    (resource,) = resolve({"Q": queue}).values()
    reason = "Fn::GetAtt Q.Arn (AWS::SQS::Queue) is not imitated"
    assert resource.properties == {"Policy": Unresolvable(reason, "unresolved-getatt-q-arn")}


def test_resources_whose_condition_does_not_hold_are_left_out() -> None:
    resources = {
        "Here": {"Type": "AWS::S3::Bucket", "Condition": "Yes"},
        "Gone": {"Type": "AWS::S3::Bucket", "Condition": "No"},
    }
    conditions = {"Yes": {"Fn::Equals": [{"Ref": "P"}, "p"]}, "No": {"Fn::Not": [{"Condition": "Yes"}]}}
    assert list(resolve(resources, Conditions=conditions)) == ["Here"]
    with pytest.raises(UnsupportedError, match="Gone, property Condition: the template has no condition 'No'"):
        resolve(resources, Conditions={"Yes": conditions["Yes"]})


def test_a_name_that_depends_on_itself_is_refused() -> None:
    function = {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": {"Fn::Sub": "${F}-x"}}}
    with pytest.raises(UnsupportedError, match="F, property FunctionName: the name of F depends on itself"):
        resolve({"F": function})
