"""A template as a stack: its resources, outputs and parameters."""

from __future__ import annotations

from pathlib import Path

from emulator.template.read import load_project

TEMPLATE = """
Parameters:
  Names: {Type: CommaDelimitedList, Default: "a, b"}
  Port: {Type: Number, Default: 80}
Conditions:
  Never: !Equals [a, b]
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Absent: {Type: AWS::SQS::Queue, Condition: Never}
  Api: {Type: AWS::ApiGateway::RestApi}
Outputs:
  Name: {Value: !Join ["-", !Ref Names], Description: Both names., Export: {Name: !Sub "${AWS::StackName}-name"}}
  Port: {Value: !Ref Port}
  Missing: {Value: !Ref Absent, Condition: Never}
  Elsewhere: {Value: !ImportValue shared-vpc}
  Wrong: {Value: 1, Condition: Unknown}
"""


def test_resources_outputs_and_parameters(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    stack = load_project(tmp_path / "template.yaml", {"Port": "81"}).stack
    resources = {resource.logical_id: resource for resource in stack.resources}
    assert list(resources) == ["Queue", "Api"]
    assert resources["Queue"].type == "AWS::SQS::Queue"
    assert resources["Api"].left_out is not None
    outputs = {output.key: output for output in stack.outputs}
    assert list(outputs) == ["Name", "Port", "Elsewhere"]
    name = outputs["Name"]
    assert (name.value, name.description, name.export_name) == ("a-b", "Both names.", "local-name")
    assert outputs["Port"].value == "81"
    assert "shared-vpc" in outputs["Elsewhere"].value
    assert [(parameter.key, parameter.value) for parameter in stack.parameters] == [("Names", "a,b"), ("Port", "81")]
    assert stack.source == tmp_path / "template.yaml"
