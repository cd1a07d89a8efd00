"""Reading a resolved template: all parts of a project, and resources without effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.emulator.template.template_pieces import FUNCTION, by_hand


@pytest.mark.fidelity("intrinsic-functions")
def test_a_project_has_all_parts_of_its_template(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    project = load(
        """
        Parameters:
          Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
          Bucket: {Type: String, Default: ""}
          Zones: {Type: CommaDelimitedList, Default: "a, b"}
        Mappings:
          Sizes: {dev: {Memory: 256}, prod: {Memory: 1024}}
        Conditions:
          Named: !Not [!Equals [!Ref Bucket, ""]]
          Production: !Equals [!Ref Stage, prod]
        Globals:
          Function: {Runtime: python3.13, Timeout: 7}
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties:
              FunctionName: !Sub "${Stage}-f"
              CodeUri: code
              Handler: app.handler
              MemorySize: !FindInMap [Sizes, !Ref Stage, Memory]
              Layers: [!Ref L]
              AutoPublishAlias: live
              SnapStart: {ApplyOn: PublishedVersions}
              ReservedConcurrentExecutions: 3
              LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: DEBUG}
              Environment:
                Variables:
                  BUCKET: !Ref B
                  ARN: !GetAtt B.Arn
                  JOINED: !Join ["-", [!Ref AWS::Region, !Select [1, !Ref Zones]]]
                  SUB: !Sub ["${x}/${!literal}/${Stage}", {x: !If [Production, p, d]}]
                  NUMBER: 5
                  FLAG: true
                  SELF: !Sub "${AWS::StackName}"
                  OMITTED: !If [Production, x, !Ref AWS::NoValue]
              Events:
                Get: {Type: HttpApi, Properties: {Method: get, Path: "/x/{id}", TimeoutInMillis: 2000}}
                Any: {Type: HttpApi}
                Timer: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
          Never:
            Type: AWS::Serverless::Function
            Condition: Production
            Properties: {CodeUri: nowhere, Handler: a.b, Runtime: nodejs22.x}
          L:
            Type: AWS::Serverless::LayerVersion
            Properties: {ContentUri: layer}
          B:
            Type: AWS::S3::Bucket
            Properties: {BucketName: !If [Named, !Ref Bucket, !Ref AWS::NoValue]}
        """,
        Bucket="my-bucket",
    )
    assert list(project.functions) == ["F"]
    function = project.functions["F"]
    assert (function.name, function.memory_mb, function.timeout_s) == ("dev-f", 256, 7)
    assert (function.alias, function.snap_start, function.reserved_concurrency) == ("live", True, 3)
    assert (function.log_format, function.log_level) == ("JSON", "DEBUG")
    assert function.code_dir == (tmp_path / "code").resolve()
    assert function.layer_dirs == ((tmp_path / "layer").resolve(),)
    assert function.environment == {
        "BUCKET": "my-bucket", "ARN": "arn:aws:s3:::my-bucket", "JOINED": "us-east-1-b", "SUB": "d/${literal}/dev",
        "NUMBER": "5", "FLAG": "true", "SELF": "local",
    }  # fmt: skip
    assert project.buckets == ("my-bucket",)
    (api,) = project.apis
    assert {(route.key, route.function, route.qualifier, route.timeout_s) for route in api.stages[0].routes} == {
        ("GET /x/{id}", "F", "live", 2.0),
        ("$default", "F", "live", 30.0),
    }


def test_a_property_that_is_no_value_has_its_default(load) -> None:  # type: ignore[no-untyped-def]
    absent = "!If [Never, 1, !Ref AWS::NoValue]"
    names = ("Timeout", "MemorySize", "ReservedConcurrentExecutions", "Environment", "Layers", "LoggingConfig")
    properties = "".join(f"      {name}: {absent}\n" for name in names)
    function = load('Conditions: {Never: !Equals ["a", "b"]}' + FUNCTION + properties).functions["F"]
    assert (function.timeout_s, function.memory_mb, function.reserved_concurrency) == (3, 128, None)
    assert (function.environment, function.layer_dirs, function.log_format) == ({}, (), "Text")


def test_a_resource_without_effect_is_noted(load) -> None:  # type: ignore[no-untyped-def]
    url = by_hand("  U: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref F, AuthType: NONE}}")
    (part,) = load(url).left_out
    assert str(part) == (
        "U, property Type: function URLs are not imitated; call the function by its API or by Lambda's"
    )


def test_a_shown_property_that_cannot_be_resolved_is_left_out(load) -> None:  # type: ignore[no-untyped-def]
    text = FUNCTION + "      Role: !GetAtt R.Arn\n      Description: !ImportValue x\n  R: {Type: AWS::IAM::Role}\n"
    assert load(text).functions["F"].properties == {"Role": "arn:aws:iam::123456789012:role/R"}


def test_retries_of_asynchronous_events(load) -> None:  # type: ignore[no-untyped-def]
    config = "      EventInvokeConfig: {MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60}\n"
    settings = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert load(FUNCTION + config).functions["F"].event_invoke == {"$LATEST": settings}
    assert load(FUNCTION + config + "      AutoPublishAlias: live\n").functions["F"].event_invoke == {"live": settings}


def test_a_variable_that_is_no_text_is_empty_and_said(load) -> None:  # type: ignore[no-untyped-def]
    project = load(FUNCTION + "      Environment: {Variables: {A: , B: [1], C: {d: e}, D: 1, E: true}}")
    assert project.functions["F"].environment == {"A": "", "B": "", "C": "", "D": "1", "E": "true"}
    assert list(map(str, project.left_out)) == [
        f"F, property Environment.Variables.{name}: it is {value}, and CloudFormation takes only text here; "
        "it is empty here"
        for name, value in (("A", None), ("B", [1]), ("C", {"d": "e"}))
    ]


@pytest.mark.fidelity("tags")
def test_tags_and_what_lambdas_api_shows_are_read(load) -> None:  # type: ignore[no-untyped-def]
    lines = ("Tags: {team: risk}", "FileSystemConfigs: [{Arn: a, LocalMountPath: /mnt/a}]", "KmsKeyArn: k")
    function = load(FUNCTION + "".join(f"      {line}\n" for line in lines)).functions["F"]
    assert function.tag_values["team"] == "risk"
    assert function.tag_values["lambda:createdBy"] == "SAM"
    assert function.properties["KMSKeyArn"] == "k"
    assert function.properties["FileSystemConfigs"] == [{"Arn": "a", "LocalMountPath": "/mnt/a"}]
