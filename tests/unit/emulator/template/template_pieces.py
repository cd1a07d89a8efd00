"""Pieces of templates: functions, and HTTP APIs in SAM's words or written by hand."""

from __future__ import annotations

from textwrap import dedent, indent

FUNCTION = """
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: app.handler
      Runtime: python3.13
"""
FUNCTIONS = """
Globals: {Function: {CodeUri: code, Handler: a.b, Runtime: python3.13}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {AutoPublishAlias: live}
  Auth:
    Type: AWS::Serverless::Function
"""
URI = '!Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}/invocations"'
INTEGRATION = f'{{type: aws_proxy, payloadFormatVersion: "2.0", uri: {URI}}}'


def api(properties: str) -> str:
    return (
        FUNCTIONS
        + "  Api:\n    Type: AWS::Serverless::HttpApi\n    Properties:\n"
        + indent(dedent(properties), "      ")
    )


def by_hand(more: str = "", integration: str = "", route: str = "", stage: str = "") -> str:
    return (
        FUNCTIONS
        + f"""
  Api: {{Type: AWS::ApiGatewayV2::Api, Properties: {{Name: n, ProtocolType: HTTP}}}}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt F.Arn
      PayloadFormatVersion: "2.0"
      {integration}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: GET /a
      Target: !Sub integrations/${{Integration}}
      {route}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties:
      ApiId: !Ref Api
      StageName: $default
      AutoDeploy: true
      {stage}
{more}
"""
    )
