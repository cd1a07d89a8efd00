"""HTTP APIs of templates: events, OpenAPI, resources by hand."""

from __future__ import annotations

import pytest

from emulator.template.errors import UnsupportedError
from emulator.template.http_api_spec import Authorizer, CorsPolicy, IamAuthorizer, JwtAuthorizer, Throttle
from tests.unit.emulator.template.template_pieces import FUNCTION, FUNCTIONS, by_hand


@pytest.mark.fidelity("http-api-definitions")
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
    (api,) = project.apis
    assert api.cors == CorsPolicy(("https://a.test",), ("GET", "POST"), ("x-a",), ("x-b",), True, 60)
    (stage,) = api.stages
    assert (stage.name, stage.default_throttle) == ("dev", Throttle(10, 5))
    assert stage.throttles == {"GET /open": Throttle(burst=1)}
    authorizer = Authorizer("Asked", "Auth", None, "2.0", True, ("$request.header.X-Key", "$context.routeKey"), 9)
    routes = {route.key: route for route in stage.routes}
    assert (routes["GET /closed"].authorizer, routes["GET /open"].authorizer) == (authorizer, None)
    assert (routes["$default"].authorizer, routes["$default"].payload_format) == (authorizer, "1.0")


@pytest.mark.fidelity("http-api-definitions")
def test_jwt_and_iam_authorizers_of_a_sam_api(load) -> None:  # type: ignore[no-untyped-def]
    project = load(
        FUNCTIONS
        + """
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        EnableIamAuthorizer: true
        DefaultAuthorizer: Tokens
        Authorizers:
          Tokens:
            AuthorizationScopes: [read]
            IdentitySource: $request.querystring.token
            JwtConfiguration: {Issuer: https://issuer.test/, Audience: [a, b]}
  More:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Read: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /read, Method: get}}
        Write:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Path: /write, Method: get, Auth: {AuthorizationScopes: [w, x]}}
        Signed: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /signed, Method: get, Auth: {Authorizer: AWS_IAM}}}
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /open, Method: get, Auth: {Authorizer: NONE}}}
"""
    )
    tokens = JwtAuthorizer("Tokens", "https://issuer.test/", ("a", "b"), ("$request.querystring.token",))
    routes = {route.path: (route.authorizer, route.scopes) for route in project.apis[0].stages[0].routes}
    assert routes == {
        "/read": (tokens, ("read",)),
        "/write": (tokens, ("w", "x")),
        "/signed": (IamAuthorizer(), ()),
        "/open": (None, ()),
    }


@pytest.mark.fidelity("http-api-definitions")
def test_a_jwt_authorizer_and_iam_written_by_hand(load) -> None:  # type: ignore[no-untyped-def]
    authorizer = """
  Tokens:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      Name: tokens
      AuthorizerType: JWT
      IdentitySource: [$request.header.Authorization]
      JwtConfiguration: {Issuer: "http://127.0.0.1:0/_emulator/oidc", Audience: [loans]}
"""
    words = "AuthorizationType: JWT\n      AuthorizerId: !Ref Tokens\n      AuthorizationScopes: [predict]"
    (route,) = load(by_hand(authorizer, route=words)).apis[0].stages[0].routes
    assert route.authorizer == JwtAuthorizer("tokens", "http://127.0.0.1:0/_emulator/oidc", ("loans",))
    assert route.scopes == ("predict",)
    (signed,) = load(by_hand(route="AuthorizationType: AWS_IAM")).apis[0].stages[0].routes
    assert signed.authorizer == IamAuthorizer()


@pytest.mark.fidelity("http-api-definitions")
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
    assert first.stages[0].routes == first.stages[1].routes
    (route,) = first.stages[0].routes
    assert (route.key, route.function, route.qualifier, route.timeout_s) == ("GET /a", "F", None, 1.5)
    assert route.authorizer == Authorizer("Asked", "Auth", "steady", "1.0")
    assert first.stages[0].throttles == {"GET /a": Throttle(rate=3)}
    assert [(route.key, route.function) for route in quick.stages[0].routes] == [("$default", "Auth")]
    auth = project.functions["Auth"]
    assert (auth.alias, auth.provisioned_concurrency) == ("steady", 2)


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
    assert [(stage.name, stage.variables) for stage in api.stages] == [("v1", {"COLOUR": "blue"})]
    assert [(route.key, route.qualifier) for route in api.stages[0].routes] == [("GET /a", None)]


@pytest.mark.fidelity("several-stages")
def test_a_stage_variable_names_the_alias(load, load_strictly) -> None:  # type: ignore[no-untyped-def]
    uri = '!Join ["", [!GetAtt F.Arn, ":${stageVariables.alias}"]]'
    stage = "ApiId: !Ref Api, StageName: next, StageVariables: {alias: '1'}"
    more = f"  Other: {{Type: AWS::ApiGatewayV2::Stage, Properties: {{{stage}}}}}"
    text = by_hand(more, stage="StageVariables: {alias: live}").replace("!GetAtt F.Arn", uri)
    (api,) = load(text).apis
    assert [(stage.name, stage.routes[0].qualifier) for stage in api.stages] == [("$default", "live"), ("next", "1")]
    with pytest.raises(UnsupportedError, match="only functions of this template"):
        load_strictly(text.replace("alias: '1'", "other: '1'"))


def test_an_api_without_a_stage_is_noted(load) -> None:  # type: ignore[no-untyped-def]
    text = by_hand()
    project = load(text[: text.index("  Stage:")])
    (part,) = project.left_out
    assert str(part) == "Api, property Stage: no stage of the template names the API; it is served as $default"
    assert [stage.name for stage in project.apis[0].stages] == ["$default"]
