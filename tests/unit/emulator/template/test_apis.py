"""HTTP APIs of templates: events, OpenAPI, resources by hand; parameters."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from emulator.template.http_api_spec import Authorizer, CorsPolicy, Throttle
from emulator.template.load import load_project
from emulator.template.parameters import ParameterError
from emulator.template.project import ProjectError, UnsupportedError
from tests.unit.emulator.template.api_templates import FUNCTIONS, INTEGRATION, api, by_hand


@pytest.mark.fidelity("http-apis-events-inline-local")
def test_cors_authorizers_and_limits_of_a_sam_api(load) -> None:  # type: ignore[no-untyped-def]
    project = load(
        FUNCTIONS
        + """
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: dev
      FailOnWarnings: true
      CorsConfiguration:
        AllowOrigins: [https://a.test]
        AllowMethods: [get, POST]
        AllowHeaders: [x-a]
        ExposeHeaders: [x-b]
        AllowCredentials: true
        MaxAge: 60
      DefaultRouteSettings: {ThrottlingRateLimit: 10, ThrottlingBurstLimit: 5}
      RouteSettings:
        "GET /open": {ThrottlingBurstLimit: 1}
        $default: {DetailedMetricsEnabled: true}
      Auth:
        DefaultAuthorizer: Asked
        Authorizers:
          Asked:
            FunctionArn: !GetAtt Auth.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: {Headers: [X-Key], Context: [routeKey], ReauthorizeEvery: 9}
  More:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Closed: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /closed, Method: get}}
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /open, Method: get, Auth: {Authorizer: NONE}}}
        Default: {Type: HttpApi, Properties: {ApiId: !Ref Api, PayloadFormatVersion: "1.0"}}
"""
    )
    (found,) = project.apis
    assert found.cors == CorsPolicy(("https://a.test",), ("GET", "POST"), ("x-a",), ("x-b",), True, 60)
    (stage,) = found.stages
    assert (stage.name, stage.default_throttle) == ("dev", Throttle(10, 5))
    assert stage.throttles == {"GET /open": Throttle(burst=1)}
    asked = Authorizer("Asked", "Auth", None, "2.0", True, ("$request.header.X-Key", "$context.routeKey"), 9)
    routes = {route.key: route for route in stage.routes}
    assert (routes["GET /closed"].authorizer, routes["GET /open"].authorizer) == (asked, None)
    assert (routes["$default"].authorizer, routes["$default"].payload_format) == (asked, "1.0")


@pytest.mark.fidelity("http-apis-events-inline-local")
def test_resources_written_by_hand(load) -> None:  # type: ignore[no-untyped-def]
    project = load(
        by_hand(
            """
  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Auth}}
  Alias:
    Type: AWS::Lambda::Alias
    Properties:
      FunctionName: !GetAtt Auth.Arn
      FunctionVersion: !GetAtt Version.Version
      Name: steady
      ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 2}
  Asked:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      Name: Asked
      AuthorizerType: REQUEST
      AuthorizerUri: !Sub "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Alias}/invocations"
      AuthorizerPayloadFormatVersion: "1.0"
  Second:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: blue, StageVariables: {alias: live}}
  Quick: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: q, ProtocolType: HTTP, Target: !GetAtt Auth.Arn}}
""",
            integration="TimeoutInMillis: 1500",
            route="AuthorizationType: CUSTOM\n      AuthorizerId: !Ref Asked",
            stage='RouteSettings: {"GET /a": {ThrottlingRateLimit: 3}}',
        )
    )
    first, quick = project.apis
    assert (first.logical_id, quick.logical_id) == ("Api", "Quick")
    assert [stage.name for stage in first.stages] == ["$default", "blue"]
    (route,) = first.routes
    assert (route.key, route.function, route.qualifier, route.timeout_s) == ("GET /a", "F", None, 1.5)
    assert route.authorizer == Authorizer("Asked", "Auth", "steady", "1.0")
    assert first.stages[0].throttles == {"GET /a": Throttle(rate=3)}
    assert [(one.key, one.function) for one in quick.routes] == [("$default", "Auth")]
    auth = project.functions["Auth"]
    assert (auth.alias, auth.provisioned_concurrency) == ("steady", 2)


@pytest.mark.fidelity("several-stages-api-told-apart-first")
def test_a_stage_variable_names_the_alias(load) -> None:  # type: ignore[no-untyped-def]
    uri = '!Join ["", [!GetAtt F.Arn, ":${stageVariables.alias}"]]'
    stage = "ApiId: !Ref Api, StageName: next, StageVariables: {alias: '1'}"
    more = f"  Other: {{Type: AWS::ApiGatewayV2::Stage, Properties: {{{stage}}}}}"
    text = by_hand(more, stage="StageVariables: {alias: live}").replace("!GetAtt F.Arn", uri)
    (found,) = load(text).apis
    assert [(stage.name, stage.routes[0].qualifier) for stage in found.stages] == [("$default", "live"), ("next", "1")]
    with pytest.raises(UnsupportedError, match="only functions of this template"):
        load(text.replace("alias: '1'", "other: '1'"))


@pytest.mark.fidelity("http-apis-events-inline-local")
def test_definitions_in_files(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    definition = f"""
        openapi: 3.0.1
        x-amazon-apigateway-cors: {{allowOrigins: "*"}}
        components: {{x-amazon-apigateway-integrations: {{one: {INTEGRATION}}}}}
        paths:
          /a:
            get: {{x-amazon-apigateway-integration: {{$ref: "#/components/x-amazon-apigateway-integrations/one"}}}}
          /b: {{x-amazon-apigateway-any-method: {{x-amazon-apigateway-integration: {INTEGRATION}}}}}
    """
    (tmp_path / "api.yaml").write_text(dedent(definition))
    included = "DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: !Sub '${Name}.yaml'}}}"
    for text in (
        "Parameters: {Name: {Type: String, Default: api}}" + api(included),
        api("DefinitionUri: api.yaml"),
    ):
        (found,) = load(text).apis
        assert [route.key for route in found.routes] == ["GET /a", "ANY /b"]
        assert found.cors == CorsPolicy(allow_origins=("*",))


def test_a_file_that_includes_itself_is_refused(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    include = "Fn::Transform: {Name: AWS::Include, Parameters: {Location: %s.yaml}}"
    (tmp_path / "a.yaml").write_text("x: {" + include % "b" + "}")
    (tmp_path / "b.yaml").write_text("y: {" + include % "a" + "}")
    with pytest.raises(ProjectError, match=r"a\.yaml includes itself"):
        load(api("DefinitionBody: {" + include % "a" + "}"))


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        ("Type: Number, Default: 5", None, 5),
        ("Type: Number, MinValue: 1, MaxValue: 9", "9", "9"),
        ("Type: List<Number>, Default: '1, 2'", None, ["1", "2"]),
        ("Type: CommaDelimitedList, AllowedValues: [a, b]", "b,a", ["b", "a"]),
        ("Type: AWS::EC2::VPC::Id, Default: vpc-1", None, "vpc-1"),
        ("Type: 'List<AWS::EC2::Subnet::Id>', Default: 's-1,s-2'", None, ["s-1", "s-2"]),
        ("Type: AWS::SSM::Parameter::Name, Default: /a/b", None, "/a/b"),
        ("Type: AWS::SSM::Parameter::Value<String>, Default: /a/b", "looked up", "looked up"),
        ("Type: AWS::SSM::Parameter::Value<List<String>>, Default: /a/b", "x,y", ["x", "y"]),
    ],
)
@pytest.mark.fidelity("parameters-every-type-checked")
def test_parameters_of_every_type(load, declared: str, given: str | None, expected: object) -> None:  # type: ignore[no-untyped-def]
    from samtranslator.yaml_helper import yaml_parse

    from emulator.template.parameters import parameter_values

    declarations = yaml_parse(f"P: {{{declared}}}")
    assert parameter_values(declarations, {} if given is None else {"P": given}) == {"P": expected}


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ("Type: Number", "x", "no number"),
        ("Type: Number, MinValue: 2", "nan", "no number"),
        ("Type: Number", "1_000", "no number"),
        ("Type: Number, MinValue: 2", "1", "at least 2"),
        ("Type: Number, MaxValue: 2", "3", "at most 2"),
        ("Type: List<Number>", "1,x", "no number"),
        ("Type: String, MinLength: 2", "a", "at least 2 characters"),
        ("Type: String, MaxLength: 2", "abc", "at most 2 characters"),
        ("Type: CommaDelimitedList, AllowedValues: [a]", "a,b", "'b'; allowed are a"),
        ("Type: CommaDelimitedList, AllowedPattern: '[a-z]'", "a,1", "does not match"),
        ("Type: AWS::SSM::Parameter::Value<String>, Default: /a/b", None, "SSM parameter store"),
    ],
)
@pytest.mark.fidelity("parameters-every-type-checked")
def test_a_parameter_that_is_not_allowed(load, declared: str, given: str | None, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match=message):
        load(f"Parameters: {{P: {{{declared}}}}}" + FUNCTIONS, **({} if given is None else {"P": given}))


@pytest.mark.fidelity("intrinsic-functions-fn-length-fn")
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
    path.write_text("Transform: [AWS::Serverless-2016-10-31, My::Macro]\n" + text)
    with pytest.raises(UnsupportedError, match="My::Macro"):
        load_project(path)
    path.write_text("Transform: {Name: AWS::Include, Parameters: {Location: a.yaml}}\n" + text)
    with pytest.raises(UnsupportedError, match="AWS::Include"):
        load_project(path)


def test_an_include_that_is_not_local_is_refused(load) -> None:  # type: ignore[no-untyped-def]
    for location, message in (("s3://b/k", "name a local file"), ("missing.yaml", "missing.yaml")):
        include = f"DefinitionBody: {{Fn::Transform: {{Name: AWS::Include, Parameters: {{Location: {location}}}}}}}"
        with pytest.raises(ProjectError, match=message):
            load(api(include))


def test_what_has_no_effect_is_noted(load) -> None:  # type: ignore[no-untyped-def]
    notes = load(
        by_hand("  U: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref F, AuthType: NONE}}")
    ).notes
    assert notes == ("U: function URLs are not imitated; call the function by its API or by Lambda's",)


def test_an_api_without_a_stage_is_noted(load) -> None:  # type: ignore[no-untyped-def]
    text = by_hand()
    project = load(text[: text.index("  Stage:")])
    assert project.notes == ("Api: the API has no stage; it is served as $default",)
    assert [stage.name for stage in project.apis[0].stages] == ["$default"]
