"""Templates: what they come down to, and what is refused with resource and property."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.cli.options import OptionError, parse_parameter_overrides, read_env_vars, read_event, with_variables
from emulator.template.intrinsics import IntrinsicError, Resolver
from emulator.template.load import TemplateError, load_project
from emulator.template.project import ProjectError, UnsupportedError

FUNCTION = """
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: app.handler
      Runtime: python3.13
"""


@pytest.mark.fidelity("intrinsic-functions-fn-length-fn")
def test_everything_that_a_project_is(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
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
    assert {(route.key, route.function, route.qualifier, route.timeout_s) for route in api.routes} == {
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
    resolver = Resolver({"P": "Arn"}.__getitem__, lambda *words: ".".join(words), {}, {})
    assert resolver.resolve({"Fn::GetAtt": ["R", {"Ref": "P"}]}) == "R.Arn"


def test_an_explicit_api_with_an_inline_definition_and_a_stage(load) -> None:  # type: ignore[no-untyped-def]
    project = load(
        FUNCTION
        + """
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: v1
      StageVariables: {COLOUR: blue}
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /a:
            get:
              x-amazon-apigateway-integration:
                type: aws_proxy
                payloadFormatVersion: "2.0"
                uri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}/invocations"
"""
    )
    (api,) = project.apis
    assert [(one.name, one.variables) for one in api.stages] == [("v1", {"COLOUR": "blue"})]
    assert [(route.key, route.qualifier) for route in api.routes] == [("GET /a", None)]


@pytest.mark.parametrize(
    ("text", "resource", "name"),
    [
        (FUNCTION.replace("python3.13", "nodejs22.x"), "F", "Runtime"),
        (FUNCTION.replace("CodeUri: code", "CodeUri: nowhere"), "F", "CodeUri"),
        (FUNCTION.replace("CodeUri: code", "InlineCode: pass"), "F", "CodeUri"),
        (FUNCTION.replace("CodeUri: code", "CodeUri: s3://bucket/key"), "F", "CodeUri"),
        (FUNCTION + "      Timeout: 901\n", "F", "Timeout"),
        (FUNCTION + "      MemorySize: 127\n", "F", "MemorySize"),
        (FUNCTION + "      MemorySize: !Sub much\n", "F", "MemorySize"),
        (
            "Conditions: {A: !Not [Condition: B], B: !Not [Condition: A]}"
            + FUNCTION
            + "      Timeout: !If [A, 1, 2]\n",
            "F",
            "Timeout",
        ),
        (FUNCTION + "      Environment: {Variables: {A: !GetAtt F.Nothing}}\n", "F", "Environment"),
        (FUNCTION + "      Environment: {Variables: {A: !ImportValue x}}\n", "F", "Environment"),
        (
            FUNCTION + "      Events: {E: {Type: Api, Properties: {Path: /a, Method: get}}}\n",
            "ServerlessRestApi",
            "Type",
        ),
    ],
)
@pytest.mark.fidelity("refused-resource-property")
def test_what_is_not_imitated_is_named(load, text: str, resource: str, name: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError) as refused:
        load(text)
    assert (refused.value.resource, refused.value.property) == (resource, name)
    assert resource in str(refused.value)
    assert name in str(refused.value)


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("Parameters: {P: {Type: String}}" + FUNCTION, {}, "parameter P has no default"),
        ("Parameters: {P: {Type: String, AllowedValues: [a]}}" + FUNCTION, {"P": "b"}, "allowed are a"),
        ("Parameters: {P: {Type: String, AllowedPattern: '[a-z]+'}}" + FUNCTION, {"P": "1"}, "does not match"),
        (FUNCTION.replace("Handler: app.handler", "Handlr: x"), {}, "Handlr"),
        ("Resources: {F: {Type: AWS::Serverless::Function}}", {}, "F"),
        ("Nothing: 1", {}, "has no Resources"),
        ("a: [", {}, "is not YAML"),
    ],
)
def test_a_bad_template_says_what_is_wrong(load, text: str, overrides: dict[str, str], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ProjectError, match=message):
        load(text, **overrides)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="there is no template"):
        load_project(tmp_path / "nothing.yaml")


def test_intrinsics_that_cannot_be_resolved() -> None:
    resolver = Resolver({"A": "1"}.__getitem__, lambda *_: "x", {}, {})
    for value in ({"Ref": "B"}, {"Fn::Select": [3, ["a"]]}, {"Fn::If": ["No", 1, 2]}, {"Fn::Cidr": []}):
        with pytest.raises(IntrinsicError):
            resolver.resolve(value)
    assert resolver.resolve({"Fn::Base64": {"Fn::Sub": "${A}"}}) == "MQ=="
    assert resolver.resolve({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}) == {"b": [1]}


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
    bad = tmp_path / "bad.json"
    bad.write_text('{"F": 1}')
    with pytest.raises(OptionError, match=r"bad\.json"):
        read_env_vars(bad)
    with pytest.raises(OptionError, match=r"missing\.json"):
        read_env_vars(tmp_path / "missing.json")
    bad.write_text("no")
    with pytest.raises(OptionError, match=r"bad\.json"):
        read_event(str(bad), None)
    assert read_event(None, None) == b"{}"


def test_variables_are_overridden_as_sam_does(load) -> None:  # type: ignore[no-untyped-def]
    project = load(FUNCTION + "      Environment: {Variables: {A: '1', B: '2', AWS_ENDPOINT_URL_S3: ''}}\n")
    variables = {"Parameters": {"A": "all", "C": "x"}, "F": {"B": "own", "D": "y"}}
    changed = with_variables(project, variables, "http://s3")
    assert changed.functions["F"].environment == {"A": "all", "B": "own", "AWS_ENDPOINT_URL_S3": "http://s3"}
    assert "D" in changed.notes[0]
    kept = with_variables(project, {"F": {"AWS_ENDPOINT_URL_S3": "http://mine"}}, "http://s3")
    assert kept.functions["F"].environment["AWS_ENDPOINT_URL_S3"] == "http://mine"
