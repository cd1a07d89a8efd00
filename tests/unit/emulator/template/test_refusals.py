"""Refusals of templates name the resource and the property."""

from __future__ import annotations

import pytest

from emulator.template.errors import UnsupportedError
from tests.unit.emulator.template.template_pieces import FUNCTION, FUNCTIONS, INTEGRATION, URI, api, by_hand

BODY = "DefinitionBody: {{openapi: 3.0.1, paths: {{{paths}}}, {more}}}"


def body(operation: str, more: str = "info: {}", path: str = "/a") -> str:
    return api(BODY.format(paths=f'"{path}": {{get: {operation}}}', more=more))


def alias(function: str, words: str) -> str:
    properties = f"FunctionName: !Ref {function}, Name: b, {words}"
    return by_hand(f"  A: {{Type: AWS::Lambda::Alias, Properties: {{{properties}}}}}")


def cors(words: str) -> str:
    return by_hand().replace("Name: n,", f"Name: n, CorsConfiguration: {{{words}}},")


def integration(words: str) -> str:
    return f"{{x-amazon-apigateway-integration: {{type: aws_proxy, payloadFormatVersion: '2.0', uri: {URI}, {words}}}}}"


def scheme(words: str) -> str:
    return f"components: {{securitySchemes: {{A: {{x-amazon-apigateway-authorizer: {{{words}}}}}}}}}"


def secured(words: str) -> str:
    return body(f"{{security: [{{A: []}}], x-amazon-apigateway-integration: {INTEGRATION}}}", scheme(words))


AUTHORIZER_URI = f"type: request, authorizerUri: {URI}"
SOURCED = f"{AUTHORIZER_URI}, identitySource: $context.path"
ASKED = f"{AUTHORIZER_URI}, authorizerPayloadFormat"
TOKENS = "type: jwt, jwtConfiguration: {issuer: https://a.test, audience: [b]}"
LAMBDA = """  L:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties: {ApiId: !Ref Api, Name: L, AuthorizerType: REQUEST, AuthorizerUri: !GetAtt F.Arn,
      AuthorizerPayloadFormatVersion: "2.0"}
"""
SECURED = f"x-amazon-apigateway-integration: {INTEGRATION}"
MOUNTED = "{FileSystemConfigs: [{Arn: a, LocalMountPath: /mnt/a}]}"


@pytest.mark.parametrize(
    ("text", "resource", "named"),
    [
        (body("{}"), "Api", "Body, GET /a"),
        (body(integration("requestParameters: {a: b}")), "Api", "requestParameters"),
        (body(integration("responseParameters: {a: b}")), "Api", "responseParameters"),
        (body(integration("integrationSubtype: SQS-SendMessage")), "Api", "integrationSubtype"),
        (body(integration("timeoutInMillis: 30001")), "Api", "timeoutInMillis"),
        (body(integration("x: y").replace("aws_proxy", "http_proxy")), "Api", "http_proxy"),
        (body(integration("x: y").replace("'2.0'", "'3.0'")), "Api", "payload format 3.0"),
        (body(integration("x: y").replace("F.Arn", "AWS::StackName")), "Api", "only functions of this template"),
        (body(integration("x: y"), path="/a-{b}"), "Api", "whole segment"),
        (body(integration("x: y"), "security: [{A: []}]"), "Api", "Body, security"),
        (body("{$ref: '#/nowhere'}"), "Api", "#/nowhere"),
        (secured("type: token"), "Api", "token authorizers are not imitated"),
        (secured("type: jwt"), "Api", "JwtConfiguration"),
        (secured("type: jwt, jwtConfiguration: {issuer: https://a.test}"), "Api", "[Aa]udience"),
        (secured("type: jwt, jwtConfiguration: {issuer: https://a.test, audience: []}"), "Api", "1 to 50 audiences"),
        (secured("type: jwt, jwtConfiguration: {issuer: http://a.test, audience: [b]}"), "Api", "begins with https://"),
        (secured(f"{TOKENS}, identitySource: '$request.header.A, $request.header.B'"), "Api", "one header or one"),
        (secured(f"{TOKENS}, identitySource: $context.path"), "Api", "one header or one"),
        (secured(f"{ASKED}Version: '3.0'"), "Api", "payload format"),
        (secured(f"{ASKED}Version: '1.0', enableSimpleResponses: true"), "Api", "simple"),
        (secured(f"{AUTHORIZER_URI}, identitySource: $request.body.a"), "Api", r"\$request.body.a"),
        (secured(f"{AUTHORIZER_URI}, authorizerResultTtlInSeconds: 5"), "Api", "identity sources"),
        (secured(f"{SOURCED}, authorizerResultTtlInSeconds: 3601"), "Api", "ResultTtlInSeconds.*3601"),
        (body(f"{{security: [{{B: []}}], {SECURED}}}"), "Api", "scheme B"),
        (body(f"{{security: [{{A: [], B: []}}], {SECURED}}}"), "Api", "one authorizer"),
        (secured("type: jwt").replace("authorizer:", "authorizers:"), "Api", "A has no x-amazon-apigateway-authorizer"),
        (api("DefinitionUri: s3://bucket/key"), "Api", "DefinitionUri"),
        (api("DefinitionUri: missing.yaml"), "Api", "missing.yaml"),
        (by_hand(stage='RouteSettings: {"GET /b": {ThrottlingBurstLimit: 1}}'), "Stage", "GET /b"),
        (by_hand(stage="DefaultRouteSettings: {ThrottlingRateLimit: -1}"), "Stage", "ThrottlingRateLimit"),
        (by_hand(stage="DefaultRouteSettings: {ThrottlingBurstLimit: much}"), "Stage", "ThrottlingBurstLimit"),
        (by_hand().replace("StageName: $default", "StageName: a/b"), "Stage", "StageName"),
        (by_hand().replace("RouteKey: GET /a", "RouteKey: FETCH /a"), "Route", "RouteKey"),
        (by_hand().replace("RouteKey: GET /a", "RouteKey: $connect"), "Route", "RouteKey"),
        (by_hand().replace("integrations/${Integration}", "integrations/else"), "Route", "Target"),
        (by_hand(route="AuthorizationType: COGNITO"), "Route", "AuthorizationType"),
        (by_hand(route="AuthorizationType: JWT"), "Route", "AuthorizerId"),
        (by_hand(LAMBDA, route="AuthorizationType: JWT\n      AuthorizerId: !Ref L"), "Route", "another type"),
        (by_hand(route="AuthorizationType: CUSTOM"), "Route", "AuthorizerId"),
        (by_hand(route="RequestParameters: {route.request.header.a: {Required: true}}"), "Route", "RequestParameters"),
        (by_hand(integration="RequestParameters: {a: b}"), "Integration", "RequestParameters"),
        (by_hand().replace("ProtocolType: HTTP", "ProtocolType: WEBSOCKET"), "Api", "ProtocolType"),
        (cors("AllowOrigins: ['*'], AllowCredentials: true"), "Api", "CorsConfiguration"),
        (by_hand(stage="DefaultRouteSettings: {ThrottlingRateLimit: .inf}"), "Stage", "finite number"),
        (by_hand(stage="DefaultRouteSettings: {ThrottlingBurstLimit: '1_0'}"), "Stage", "whole number"),
        (by_hand("  R: {Type: AWS::ApiGateway::RestApi}"), "R", "Type"),
        (by_hand("  S: {Type: AWS::CloudFormation::Stack}"), "S", "Type"),
        (alias("F", "FunctionVersion: '1'"), "F", "only one is imitated"),
        (alias("Auth", "FunctionVersion: $LATEST"), "A", "FunctionVersion"),
        (alias("Auth", "FunctionVersion: '1', RoutingConfig: {a: b}"), "A", "RoutingConfig"),
        (FUNCTIONS + f"    Properties: {MOUNTED}\n", "Auth", "FileSystemConfigs"),
        (FUNCTIONS + "    Properties: {MemorySize: !ImportValue x}\n", "Auth", "another stack"),
        (FUNCTIONS + "    Properties: {MemorySize: {Fn::Length: [1]}}\n", "Auth", "AWS::LanguageExtensions"),
        (FUNCTIONS + "  Fn::ForEach::All: [X, [a], {}]\n", "Fn::ForEach::All", "write the resources out"),
    ],
)  # fmt: skip
@pytest.mark.fidelity("refused-properties")
def test_a_property_that_is_not_imitated_is_named(load_strictly, text: str, resource: str, named: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError, match=named) as refused:
        load_strictly(text)
    assert refused.value.resource == resource


@pytest.mark.parametrize(
    ("text", "resource", "name"),
    [
        (FUNCTION.replace("python3.13", "nodejs22.x"), "F", "Runtime"),
        (FUNCTION.replace("CodeUri: code", "CodeUri: nowhere"), "F", "CodeUri"),
        (FUNCTION.replace("CodeUri: code", "CodeUri: template.yaml"), "F", "CodeUri"),
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
        (FUNCTION + "      Environment: {Variables: {A: !GetAtt F.Nothing}}\n", "F", "Environment.Variables.A"),
        (FUNCTION + "      Environment: {Variables: {A: !ImportValue x}}\n", "F", "Environment.Variables.A"),
        (FUNCTION + "      LoggingConfig: !ImportValue x\n", "F", "LoggingConfig"),
        (FUNCTION + "      Layers: !ImportValue x\n", "F", "Layers"),
        (FUNCTION + "      Layers: [!ImportValue x]\n", "F", "Layers"),
        (
            "Resources: {F: {Type: AWS::Lambda::Function, Properties: {Handler: a.b, Runtime: python3.13}}}",
            "F",
            "CodeUri",
        ),
        (
            FUNCTION + "      Events: {E: {Type: Api, Properties: {Path: /a, Method: get}}}\n",
            "ServerlessRestApi",
            "Type",
        ),
    ],
)
@pytest.mark.fidelity("refused-properties")
def test_a_functions_property_that_is_not_imitated_is_named(load_strictly, text: str, resource: str, name: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError) as refused:
        load_strictly(text)
    assert (refused.value.resource, refused.value.property) == (resource, name)
    assert resource in str(refused.value)
    assert name in str(refused.value)


def test_a_refusal_says_where_in_the_property(load_strictly) -> None:  # type: ignore[no-untyped-def]
    text = FUNCTION + "      Environment: {Variables: {A: a, B: !ImportValue x}}\n"
    with pytest.raises(UnsupportedError, match=r"F, property Environment\.Variables\.B: Fn::ImportValue"):
        load_strictly(text)
