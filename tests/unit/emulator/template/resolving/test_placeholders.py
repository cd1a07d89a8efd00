"""Values that nobody knows here: marked placeholders, likely names, and what the user gives instead."""

from __future__ import annotations

import pytest

from emulator.template.project import Project
from emulator.template.resolving.likely_names import likely_attribute, likely_ref
from tests.unit.emulator.template.template_pieces import FUNCTION

SCOPE = {"region": "eu-west-1", "account": "123456789012"}
SECRET = "{{resolve:secretsmanager:db:SecretString:%s}}"
ELSEWHERE = {
    "ssm:/app/url": "https://app.test",
    "secretsmanager:db": {"password": "secret", "port": 5432},
    "ImportValue:vpc": "vpc-1",
}


def function(*variables: str, more: str = "", parameters: str = "") -> str:
    return f"{parameters}{FUNCTION}      Environment: {{Variables: {{{', '.join(variables)}}}}}\n{more}"


def left_out(project: Project) -> dict[str, str]:
    return {part.property: f"{part.reason}; {part.consequence}" for part in project.left_out if part.logical_id == "F"}


@pytest.mark.fidelity("placeholders")
@pytest.mark.parametrize(
    ("written", "value", "reason"),
    [
        ("!ImportValue shared-vpc", "unresolved-importvalue-shared-vpc", "another stack"),
        ("!Sub '{{resolve:ssm:/app/${AWS::Region}:1}}'", "unresolved-ssm-app-us-east-1-1", "SSM parameter store"),
        ("'x-{{resolve:ssm-secure:k}}'", "x-unresolved-ssm-secure-k", "SSM parameter store"),
        ("'{{resolve:secretsmanager:db}}'", "unresolved-secretsmanager-db", "Secrets Manager"),
        ("!GetAtt Nowhere.Arn", "unresolved-getatt-nowhere-arn", "names no resource"),
        ("!Sub '${Nowhere.Arn}/a'", "unresolved-getatt-nowhere-arn/a", "names no resource"),
        ("!Join ['', [a, !Ref Nowhere]]", "aunresolved-ref-nowhere", "no parameter and no resource"),
        ("!Select [1, !ImportValue subnets]", "unresolved-importvalue-subnets", "another stack"),
        ("{Fn::Nothing: [1]}", "unresolved-nothing-1", "Fn::Nothing is not imitated"),
    ],
)
def test_a_variable_has_a_placeholder_that_is_listed(load, written: str, value: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    project = load(function(f"A: {written}", "B: b"))
    assert project.functions["F"].environment == {"A": value, "B": "b"}
    (place,) = left_out(project)
    assert place == "Environment.Variables.A"
    assert reason in left_out(project)[place]
    assert left_out(project)[place].endswith(f"it is {value} here; --env-vars gives another value")


@pytest.mark.fidelity("placeholders")
def test_values_from_elsewhere_are_the_users(load) -> None:  # type: ignore[no-untyped-def]
    project = load(
        function(
            "URL: '{{resolve:ssm:/app/url:3}}'",
            f"LOGIN: '{SECRET % 'password'}@{SECRET % 'port'}'",
            "VPC: !ImportValue vpc",
            "LOOKED_UP: !Ref Url",
            parameters="Parameters: {Url: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /app/url}}",
        ),
        values=ELSEWHERE,
    )
    assert project.functions["F"].environment == {
        "URL": "https://app.test", "LOGIN": "secret@5432", "VPC": "vpc-1", "LOOKED_UP": "https://app.test",
    }  # fmt: skip
    assert project.left_out == ()


@pytest.mark.fidelity("placeholders")
def test_a_parameter_without_a_value_is_listed_and_its_function_runs(load) -> None:  # type: ignore[no-untyped-def]
    parameters = "Parameters: {Stage: {Type: String}, Zones: {Type: CommaDelimitedList}}"
    named = "      FunctionName: !Sub '${Stage}-f'\n      AutoPublishAlias: !Ref Stage\n"
    project = load(
        function("A: !Select [0, !Ref Zones]", parameters=parameters).replace("      Handler", f"{named}      Handler")
    )
    assert (project.functions["F"].name, project.functions["F"].alias) == (
        "unresolved-parameter-stage-f", "unresolved-parameter-stage",
    )  # fmt: skip
    assert [str(part) for part in project.left_out if part.logical_id == "Stage"] == [
        "Stage, property Default: the parameter has no value; unresolved-parameter-… stands for it; "
        'give a value with --parameter-overrides "NAME=…"'
    ]
    assert project.functions["F"].environment == {"A": "unresolved-parameter-zones"}


@pytest.mark.fidelity("placeholders")
@pytest.mark.parametrize("line", ["Handler: app.handler", "CodeUri: code", "Runtime: python3.13"])
def test_a_function_that_needs_a_placeholder_is_left_out(load, line: str) -> None:  # type: ignore[no-untyped-def]
    name, _, _ = line.partition(":")
    project = load("Parameters: {P: {Type: String}}" + FUNCTION.replace(line, f"{name}: !Ref P"))
    assert project.functions == {}
    assert project.unavailable["F"].left_out.property == name
    assert "parameter P has no default" in project.unavailable["F"].left_out.reason


@pytest.mark.fidelity("likely-names")
def test_resources_that_are_not_imitated_have_likely_names(load) -> None:  # type: ignore[no-untyped-def]
    resources = """
  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${AWS::StackName}-jobs"}}
  Orders: {Type: AWS::DynamoDB::Table}
  Bucket: {Type: AWS::S3::Bucket}
"""
    names = ("QUEUE: !Ref Jobs", "ARN: !GetAtt Jobs.Arn", "TABLE: !Sub 'of ${Orders}'", "BUCKET: !Ref Bucket")
    project = load(function(*names, more=resources))
    assert project.functions["F"].environment == {
        "QUEUE": "https://sqs.us-east-1.amazonaws.com/123456789012/local-jobs",
        "ARN": "arn:aws:sqs:us-east-1:123456789012:local-jobs", "TABLE": "of local-Orders", "BUCKET": "local-bucket",
    }  # fmt: skip
    assert left_out(project)["Environment.Variables.TABLE"] == (
        "Orders (AWS::DynamoDB::Table) isn't imitated; it has local-Orders here; --env-vars gives another value"
    )
    assert set(left_out(project)) == {f"Environment.Variables.{name}" for name in ("QUEUE", "ARN", "TABLE")}


def test_a_bucket_has_a_name_that_a_bucket_may_have(load) -> None:  # type: ignore[no-untyped-def]
    parameters = "Parameters: {P: {Type: String}}"
    buckets = """
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "${P}_b"}}
  Wrong: {Type: AWS::S3::Bucket, Properties: {BucketName: a_b}}
"""
    project = load(function("BUCKET: !Ref B", more=buckets, parameters=parameters))
    assert project.buckets == ("local-b",)
    assert project.functions["F"].environment == {"BUCKET": "local-b"}
    assert [str(part) for part in project.left_out if part.logical_id == "Wrong"] == [
        "Wrong, property BucketName: 'a_b' can't name a bucket; the bucket isn't made"
    ]


@pytest.mark.parametrize(
    ("kind", "attribute", "value"),
    [
        ("AWS::SNS::Topic", "TopicArn", "arn:aws:sns:eu-west-1:123456789012:n"),
        ("AWS::StepFunctions::StateMachine", "Arn", "arn:aws:states:eu-west-1:123456789012:stateMachine:n"),
        ("AWS::Kinesis::Stream", "Arn", "arn:aws:kinesis:eu-west-1:123456789012:stream/n"),
        ("AWS::DynamoDB::Table", "Arn", "arn:aws:dynamodb:eu-west-1:123456789012:table/n"),
        ("AWS::KMS::Key", "Arn", "arn:aws:kms:eu-west-1:123456789012:key/n"),
        ("AWS::SQS::Queue", "QueueName", "n"),
        ("AWS::RDS::DBInstance", "Endpoint.Address", None),
        ("Custom::Thing", "Arn", None),
        ("AWS::CloudFormation::Stack", "Outputs.QueueArn", None),
    ],
)
def test_likely_attributes(kind: str, attribute: str, value: str | None) -> None:
    assert likely_attribute(kind, "n", attribute, SCOPE) == value


def test_a_likely_reference_is_the_arn_where_aws_gives_it() -> None:
    assert likely_ref("AWS::SNS::Topic", "n", SCOPE) == "arn:aws:sns:eu-west-1:123456789012:n"
    assert likely_ref("AWS::DynamoDB::Table", "n", SCOPE) == "n"
