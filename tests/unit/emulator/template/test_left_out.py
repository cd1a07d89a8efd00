"""A template starts without what isn't imitated, and each such part is named."""

from __future__ import annotations

import pytest

from emulator.template.http_api_spec import CorsPolicy, HttpRoute, Throttle, UnknownAuthorizer
from emulator.template.left_out import LeftOut, summary
from emulator.template.project import Project
from tests.unit.emulator.template.template_pieces import FUNCTION, FUNCTIONS, INTEGRATION, api, by_hand

OPERATION = f"{{x-amazon-apigateway-integration: {INTEGRATION}}}"
SECURED = f"{{security: [{{A: []}}], x-amazon-apigateway-integration: {INTEGRATION}}}"
PROXY = OPERATION.replace("aws_proxy", "http_proxy")

REST = FUNCTION + "      Events: {E: {Type: Api, Properties: {Path: /a, Method: get}}}\n"


def body(paths: str, more: str = "info: {}") -> str:
    return api(f"DefinitionBody: {{openapi: 3.0.1, paths: {{{paths}}}, {more}}}")


def routes(project: Project) -> dict[str, HttpRoute]:
    return {route.key: route for api in project.apis for stage in api.stages for route in stage.routes}


def named(project: Project) -> list[tuple[str, str, str]]:
    return [(part.logical_id, part.property, part.consequence) for part in project.left_out]


@pytest.mark.fidelity("refused-properties")
def test_a_function_that_cannot_run_leaves_the_others_running(load) -> None:  # type: ignore[no-untyped-def]
    project = load(FUNCTIONS + "  Node: {Type: AWS::Serverless::Function, Properties: {Runtime: nodejs22.x}}\n")
    assert list(project.functions) == ["F", "Auth"]
    (part,) = project.left_out
    assert str(part) == (
        "Node, property Runtime: nodejs22.x: only functions in Python 3 are imitated; calls are refused"
    )
    assert project.unavailable["Node"].left_out == part
    assert project.unavailable["Node"].properties["Handler"] == "a.b"
    assert project.function_names == {"F": "F", "Auth": "Auth", "Node": "Node"}


@pytest.mark.parametrize(
    ("text", "resource", "place"),
    [
        (REST, "ServerlessRestApi", "Type"),
        (FUNCTION + "      Events: {E: {Type: SNS, Properties: {Topic: 'arn:a'}}}\n", "FE", "Type"),
        (FUNCTION + "  Q: {Type: AWS::SQS::Queue}\n", "Q", "Type"),
        (FUNCTION + "  S: {Type: AWS::StepFunctions::StateMachine}\n", "S", "Type"),
        (FUNCTION + "  N: {Type: AWS::Serverless::Application, Properties: {Location: a.yaml}}\n", "N", "Type"),
        (FUNCTION + "  C: {Type: Custom::Thing, Properties: {ServiceToken: a}}\n", "C", "Type"),
        (FUNCTION + "  Fn::ForEach::All: [X, [a], {}]\n", "Fn::ForEach::All", "Resources"),
        (FUNCTION + "  B: {Type: AWS::S3::Bucket, Condition: Nothing}\n", "B", "Condition"),
        (FUNCTION + "      FileSystemConfigs: [{Arn: a, LocalMountPath: /mnt/a}]\n", "F", "FileSystemConfigs"),
        (FUNCTION + "      VpcConfig: {SubnetIds: [a], SecurityGroupIds: [b]}\n", "F", "VpcConfig"),
        (FUNCTION + "      KmsKeyArn: 'arn:aws:kms:us-east-1:1:key/k'\n", "F", "KmsKeyArn"),
        (FUNCTION + "      Layers: [!ImportValue x]\n", "F", "Layers"),
        (FUNCTION + "      LoggingConfig: !ImportValue x\n", "F", "LoggingConfig"),
        (
            FUNCTION
            + "      Layers: [!Ref L]\n  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: nowhere}}\n",
            "L",
            "ContentUri",
        ),
        (FUNCTION + "  B: {Type: AWS::S3::Bucket, Properties: {Fn::Transform: {Name: Mine}}}\n", "B", "Fn::Transform"),
    ],
)
def test_a_part_without_effect_is_named_and_the_function_runs(load, text: str, resource: str, place: str) -> None:  # type: ignore[no-untyped-def]
    project = load(text)
    assert list(project.functions) == ["F"]
    assert [(part.logical_id, part.property) for part in project.left_out] == [(resource, place)]


def test_permissions_and_log_groups_are_not_named(load) -> None:  # type: ignore[no-untyped-def]
    resources = "".join(
        f"  {name}: {{Type: {kind}}}\n"
        for name, kind in {"R": "AWS::IAM::Role", "L": "AWS::Logs::LogGroup", "P": "AWS::SQS::QueuePolicy"}.items()
    )
    assert load(FUNCTION + resources).left_out == ()


@pytest.mark.fidelity("left-out-calls")
def test_an_operation_that_is_not_imitated_answers_and_the_others_are_served(load) -> None:  # type: ignore[no-untyped-def]
    project = load(body(f"/a: {{get: {OPERATION}, post: {PROXY}, put: {{}}}}, '/a-{{b}}': {{get: {OPERATION}}}"))
    assert routes(project).keys() == {"GET /a", "POST /a"}
    assert routes(project)["GET /a"].left_out is None
    assert routes(project)["POST /a"].left_out in project.left_out
    assert named(project) == [
        ("Api", "Body, POST /a", "requests to it are answered 500"),
        ("Api", "Body, PUT /a", "the route is not served"),
        ("Api", "Body, GET /a-{b}", "the route is not served"),
    ]


@pytest.mark.fidelity("left-out-calls")
def test_a_method_that_http_apis_have_not_is_named(load) -> None:  # type: ignore[no-untyped-def]
    fields = "summary: s, parameters: [], x-mine: 1"
    project = load(body(f"/a: {{get: {OPERATION}, '*': {OPERATION}, {fields}}}"))
    assert routes(project).keys() == {"GET /a"}
    assert [str(part) for part in project.left_out] == [
        "Api, property Body, paths./a: '*' isn't a method of HTTP APIs; the route is not served"
    ]


def test_variables_that_are_all_commented_out_are_none(load) -> None:  # type: ignore[no-untyped-def]
    project = load(FUNCTION + "      Environment: {Variables: }\n")
    assert (project.functions["F"].environment, project.left_out) == ({}, ())


@pytest.mark.fidelity("left-out-calls")
@pytest.mark.parametrize(
    "text",
    [
        body(f"/a: {{get: {SECURED}}}"),
        body(
            f"/a: {{get: {SECURED}}}",
            "components: {securitySchemes: {A: {x-amazon-apigateway-authorizer: {type: token}}}}",
        ),
        by_hand(route="AuthorizationType: CUSTOM"),
        by_hand(
            "  L:\n    Type: AWS::ApiGatewayV2::Authorizer\n    Properties: {ApiId: !Ref Api, Name: L, "
            "AuthorizerType: REQUEST, AuthorizerUri: !ImportValue a, AuthorizerPayloadFormatVersion: '2.0'}\n",
            route="AuthorizationType: CUSTOM\n      AuthorizerId: !Ref L",
        ),
    ],
)
def test_an_authorizer_that_is_not_imitated_closes_its_route(load, text: str) -> None:  # type: ignore[no-untyped-def]
    project = load(text)
    (route,) = routes(project).values()
    assert (route.function, route.authorization_type) == ("F", "CUSTOM")
    assert isinstance(route.authorizer, UnknownAuthorizer)
    assert route.authorizer.left_out in project.left_out


def test_an_authorizer_may_be_named_by_a_parameter(load) -> None:  # type: ignore[no-untyped-def]
    auth = "Auth: {DefaultAuthorizer: !Ref P, Authorizers: {T: {JwtConfiguration: {Issuer: https://i, Audience: [a]},"
    event = "      Events: {E: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /a, Method: get}}}\n"
    text = api(f"{auth} IdentitySource: $request.header.Authorization}}}}}}").replace(
        "    Properties: {AutoPublishAlias: live}\n", f"    Properties:\n{event}"
    )
    (route,) = routes(load("Parameters: {P: {Type: String, Default: T}}" + text)).values()
    assert route.authorization_type == "JWT"


def test_a_route_of_its_own_that_is_not_imitated_answers(load) -> None:  # type: ignore[no-untyped-def]
    project = load(by_hand(integration="RequestParameters: {a: b}"))
    assert routes(project)["GET /a"].left_out is not None
    assert load(by_hand().replace("RouteKey: GET /a", "RouteKey: $connect")).apis == ()


def test_limits_and_cors_that_cannot_be_imitated_leave_the_api_served(load) -> None:  # type: ignore[no-untyped-def]
    settings = 'RouteSettings: {"GET /b": {ThrottlingBurstLimit: 1}, "GET /a": {ThrottlingBurstLimit: 2}}'
    project = load(by_hand(stage=settings))
    assert project.apis[0].stages[0].throttles["GET /a"] == Throttle(burst=2)
    assert named(project) == [("Stage", "RouteSettings", "its limits apply to nothing")]
    project = load(by_hand(stage="DefaultRouteSettings: {ThrottlingRateLimit: -1}"))
    assert (routes(project).keys(), project.apis[0].stages[0].default_throttle) == ({"GET /a"}, None)
    assert named(project) == [("Stage", "DefaultRouteSettings", "the stage has no limits of its own")]
    cors = "Name: n, CorsConfiguration: {AllowOrigins: ['*'], AllowCredentials: true},"
    project = load(by_hand().replace("Name: n,", cors))
    assert project.apis[0].cors is None
    assert named(project) == [("Api", "CorsConfiguration", "the API has no CORS policy")]


def test_cors_values_quoted_twice_are_named(load) -> None:  # type: ignore[no-untyped-def]
    project = load(by_hand().replace("Name: n,", """Name: n, CorsConfiguration: {AllowOrigins: ["'*'"]},"""))
    assert project.apis[0].cors == CorsPolicy(allow_origins=("'*'",))
    (part,) = project.left_out
    assert str(part) == (
        "Api, property CorsConfiguration: '*' has quotes within its quotes, as only REST APIs need them; "
        "it matches nothing; write it without them"
    )


def test_of_several_aliases_the_first_is_served(load) -> None:  # type: ignore[no-untyped-def]
    alias = "  A: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref F, Name: b, FunctionVersion: '1'}}"
    project = load(by_hand(alias))
    assert project.functions["F"].alias == "b"
    assert named(project) == [("F", "Alias", "requests to the others are refused; CreateAlias makes them")]


@pytest.mark.fidelity("inline-code")
def test_inline_python_code_is_in_a_folder_of_its_own(load) -> None:  # type: ignore[no-untyped-def]
    text = FUNCTION.replace("CodeUri: code", "InlineCode: 'handler = print'").replace("app.handler", "index.handler")
    folder = load(text).functions["F"].code_dir
    assert [path.name for path in folder.iterdir()] == ["index.py"]
    assert (folder / "index.py").read_text() == "handler = print"
    assert load(text).functions["F"].code_dir == folder
    assert load(text.replace("python3.13", "nodejs22.x")).functions == {}


@pytest.mark.fidelity("inline-code")
def test_inline_code_that_names_cfnresponse_has_it_beside(load) -> None:  # type: ignore[no-untyped-def]
    text = FUNCTION.replace("CodeUri: code", "InlineCode: 'import cfnresponse'").replace("app.handler", "index.handler")
    folder = load(text).functions["F"].code_dir
    assert sorted(path.name for path in folder.iterdir()) == ["cfnresponse.py", "index.py"]


def test_resources_that_are_left_out_for_one_reason_share_a_line() -> None:
    parts = [LeftOut(name, "Type", "no queues", "nothing is read") for name in "ABCDEFGHIJK"]
    assert summary([*parts[:2], LeftOut("Z", "Type", "no topics", "nothing is sent")]) == [
        "A and B, property Type: no queues; nothing is read",
        "Z, property Type: no topics; nothing is sent",
    ]
    assert summary(parts) == ["A, B, C, D, E, F, G, H, I and 2 others, property Type: no queues; nothing is read"]


def test_services_and_parameters_share_a_line(load) -> None:  # type: ignore[no-untyped-def]
    resources = {
        "V": "AWS::EC2::VPC", "S": "AWS::EC2::Subnet", "B": "AWS::Events::EventBus",
        "C": "Custom::Seed", "D": "AWS::CloudFormation::CustomResource",
    }  # fmt: skip
    text = "".join(f"  {name}: {{Type: {kind}}}\n" for name, kind in resources.items())
    node = "".join(
        f"  {name}: {{Type: AWS::Serverless::Function, Properties: {{Runtime: x, Handler: a.b, CodeUri: "
        "nowhere, Environment: {Variables: {V: !Ref P}}}}\n"
        for name in "NO"
    )
    parameters = "Parameters: {P: {Type: String}, Q: {Type: Number}, R: {Type: AWS::SSM::Parameter::Value<String>}}"
    assert summary(load(parameters + FUNCTION + text + node).left_out) == [
        "P and Q, property Default: the parameter has no value; unresolved-parameter-… stands for it; "
        'give a value with --parameter-overrides "NAME=…"',
        "R, property Default: the parameter has no value; unresolved-ssm-… stands for it; "
        'give a value with --parameter-overrides "NAME=…"',
        "V and S, property Type: AWS::EC2 is not imitated; nothing of it exists here",
        "B, property Type: AWS::Events::EventBus is not imitated; nothing of it exists here",
        "C and D, property Type: custom resources are not imitated; no function is called",
        "N and O, property Runtime: x: only functions in Python 3 are imitated; calls are refused",
    ]
