"""What SAM or CloudFormation would refuse the whole template for is left out alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from emulator.template.errors import TemplateError
from emulator.template.project import Project

INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZER = "x-amazon-apigateway-authorizer"
TEMPLATE = """
Globals: {Function: {Runtime: python3.13, Handler: app.handler, CodeUri: code}}
Resources:
  Good:
    Type: AWS::Serverless::Function
    Properties: {Events: {H: {Type: HttpApi, Properties: {Path: /good, Method: get}}}}
"""


def _routes(project: Project) -> list[str]:
    return [route.key for api in project.apis for stage in api.stages for route in stage.routes]


@pytest.mark.fidelity("refused-by-sam")
@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("{Type: Nope, Properties: {}}", "Event Type is: Nope."),
        ("{Type: HttpApi, Properties: {Path: !ImportValue p, Method: get}}", "Property 'Path' should be a string."),
        ("{Type: Schedule, Properties: 5}", "Properties of a resource must be an object."),
    ],
)
def test_an_event_that_sam_refuses_leaves_its_function_and_the_others(load, event: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    function = f"  F: {{Type: AWS::Serverless::Function, Properties: {{Events: {{E: {event}}}}}}}\n"
    project = load(TEMPLATE + function)
    assert (list(project.functions), _routes(project)) == (["Good", "F"], ["GET /good"])
    (part,) = project.left_out
    assert (part.logical_id, part.property, part.consequence) == ("F", "Events.E", "the event is left out")
    assert part.reason.startswith("SAM refuses it: ")
    assert reason in part.reason
    with pytest.raises(TemplateError, match=r"(Event|Resource) with id"):
        load(TEMPLATE + function, strict=True)


@pytest.mark.fidelity("refused-by-sam")
def test_a_function_that_sam_refuses_is_known_and_can_not_be_called(load) -> None:  # type: ignore[no-untyped-def]
    project = load(TEMPLATE + "  F: {Type: AWS::Serverless::Function, Properties: {FunctionName: f, Policies: [[]]}}\n")
    assert list(project.functions) == ["Good"]
    function = project.unavailable["F"]
    assert (function.name, function.left_out.consequence) == ("f", "calls are refused")
    assert function.left_out.reason.startswith("SAM refuses it: ")


@pytest.mark.fidelity("refused-by-sam")
@pytest.mark.parametrize(
    ("resource", "place", "words"),
    [
        # The transform raises an error of Python's.
        (
            "F: {Type: AWS::Serverless::Function, Properties: {Events: {E: {Type: Api, "
            "Properties: {Path: /a, Method: get, RequestParameters: [{}]}}}}}",
            "Events.E",
            "StopIteration",
        ),
        # It says what is wrong, and not where.
        (
            "R: {Type: AWS::Serverless::Api, Properties: {StageName: s, DefinitionBody: {openapi: 3.0.1, "
            "paths: {/a: true}}, Auth: {DefaultAuthorizer: AWS_IAM}}}",
            "Properties",
            "must be a dictionary according to Swagger spec",
        ),
        # It names a resource that the template doesn't have.
        (
            "S: {Type: AWS::Serverless::StateMachine, Properties: {AutoPublishAlias: !Ref Nothing, Role: r, "
            "Definition: {StartAt: A}}}",
            "Properties",
            "Logical ids must be alphanumeric",
        ),
    ],
)
def test_the_culprit_is_found_where_sam_names_none(load, resource: str, place: str, words: str) -> None:  # type: ignore[no-untyped-def]
    project = load(f"{TEMPLATE}  {resource}\n")
    assert next(iter(project.functions)) == "Good"
    part = next(part for part in project.left_out if part.property == place)
    assert part.logical_id == resource[0]
    assert words in part.reason
    with pytest.raises(TemplateError, match=words):
        load(f"{TEMPLATE}  {resource}\n", strict=True)


def test_a_template_of_which_sam_refuses_everything_starts(load) -> None:  # type: ignore[no-untyped-def]
    project = load("Resources: {L: {Type: AWS::Serverless::LayerVersion, Properties: {}}}")
    assert ([part.logical_id for part in project.left_out], project.functions) == (["L"], {})


@pytest.mark.fidelity("refused-by-sam")
@pytest.mark.parametrize(
    ("resource", "place", "consequence"),
    [
        ("L: {Type: AWS::Serverless::LayerVersion, Properties: {}}", "Properties", "the resource is left out"),
        ("R: {Properties: {}}", "Type", "the resource is left out"),
        ("R: text", "Type", "the resource is left out"),
        ("Q: {Type: AWS::SQS::Queue, Condition: [C]}", "Condition", "the resource is left out"),
        ("F: {Type: AWS::Serverless::Function, Condition: 7}", "Condition", "the resource is left out"),
        ("Q: {Type: AWS::SQS::Queue, Properties: }", "Properties", "the resource is read without"),
        ("Q: {Type: AWS::SQS::Queue, Properties: !If [C, {}, {}]}", "Properties", "the resource is read without"),
    ],
)
def test_a_resource_that_is_none_leaves_the_others(load, resource: str, place: str, consequence: str) -> None:  # type: ignore[no-untyped-def]
    project = load(f"{TEMPLATE}  {resource}\n")
    part = next(part for part in project.left_out if part.property == place)
    assert (list(project.functions), part.logical_id, part.consequence) == (["Good"], resource[0], consequence)
    with pytest.raises(TemplateError):
        load(f"{TEMPLATE}  {resource}\n", strict=True)


@pytest.mark.fidelity("refused-by-sam")
@pytest.mark.parametrize(
    ("sections", "place", "words"),
    [
        ("Function: !If [C, {Timeout: 5}, {Timeout: 6}]", "Globals.Function.Fn::If", "supported property"),
        ("Function: {Timeot: 5}", "Globals.Function.Timeot", "supported property"),
        ("State: {}", "Globals.State", "not supported"),
        ("HttpApi: !Ref Settings", "Globals.HttpApi.Ref", "supported property"),
        ("HttpApi: {Auth: !If [C, {}, {}]}", "Globals.HttpApi", "Invalid value for 'Auth'"),
        ("HttpApi: {Auth: {Authorizers: {A: text}}}", "Globals.HttpApi", "'Auth.Authorizers.A' should be a map"),
        ("HttpApi: {Auth: {Authorizers: [A]}}", "Globals.HttpApi", "'Auth.Authorizers' should be a map"),
    ],
)
def test_what_sam_refuses_of_the_globals_is_left_out_alone(load, sections: str, place: str, words: str) -> None:  # type: ignore[no-untyped-def]
    template = TEMPLATE.partition("\n")[2].partition("\n")[2]
    code = "Runtime: python3.13, Handler: app.handler, CodeUri: code, Events"
    whole = f"Globals: {{{sections}}}\n{template.replace('Events', code)}"
    project = load(whole)
    assert (list(project.functions), _routes(project)) == (["Good"], ["GET /good"])
    (part,) = project.left_out
    assert part.property == place
    assert words in part.reason
    with pytest.raises(TemplateError, match="is invalid"):
        load(whole, strict=True)


@pytest.mark.fidelity("refused-by-sam")
def test_empty_sections_and_members_are_left_out(load) -> None:  # type: ignore[no-untyped-def]
    sections = TEMPLATE.replace("Globals: {", "Globals: {HttpApi: , ") + "Outputs:\nConditions:\nParameters: []\n"
    project = load(sections)
    places = {part.property for part in project.left_out}
    assert places == {"Globals.HttpApi", "Outputs", "Conditions", "Parameters"}
    assert list(project.functions) == ["Good"]


def _replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    *above, last = path
    place = document
    for name in above:
        place = place[name]
    place[last] = value
    return document


@pytest.mark.parametrize(
    "path",
    [
        ("Resources", "F", "Properties", "Environment"),
        ("Resources", "F", "Properties", "LoggingConfig"),
        ("Resources", "F", "Properties", "CodeUri"),
        ("Resources", "F", "Properties", "Events"),
        ("Resources", "Open", "Properties", "DefinitionBody"),
        ("Resources", "Open", "Properties", "DefinitionBody", "paths"),
        ("Resources", "Open", "Properties", "DefinitionBody", "paths", "/o"),
        ("Resources", "Open", "Properties", "DefinitionBody", "paths", "/o", "get"),
        ("Resources", "Open", "Properties", "DefinitionBody", "paths", "/o", "get", INTEGRATION),
        ("Resources", "Open", "Properties", "DefinitionBody", "paths", "/o", "get", "security"),
        ("Resources", "Open", "Properties", "DefinitionBody", "paths", "/o", "get", "security", 0),
        ("Resources", "Open", "Properties", "DefinitionBody", "components"),
        ("Resources", "Open", "Properties", "DefinitionBody", "components", "securitySchemes"),
        ("Resources", "Open", "Properties", "DefinitionBody", "components", "securitySchemes", "A"),
        ("Resources", "Open", "Properties", "DefinitionBody", "components", "securitySchemes", "A", AUTHORIZER),
        ("Resources", "Api", "Properties", "CorsConfiguration"),
        ("Resources", "Raw", "Properties"),
        ("Outputs", "O", "Export"),
        ("Outputs", "O"),
        ("Parameters", "P"),
        ("Conditions", "C"),
    ],
)
@pytest.mark.parametrize("value", [None, 5, "text" * 1000, {"Fn::ImportValue": "x"}])
def test_odd_values_never_stop_the_start(load, path: tuple[str, ...], value: Any) -> None:  # type: ignore[no-untyped-def]
    document = yaml.safe_load(f"""{TEMPLATE}
  F:
    Type: AWS::Serverless::Function
    Condition: C
    Properties: {{Events: {{H: {{Type: HttpApi, Properties: {{Path: /f, Method: get, ApiId: {{Ref: Api}}}}}}}}}}
  Api: {{Type: AWS::Serverless::HttpApi, Properties: {{}}}}
  Raw: {{Type: AWS::Events::Rule, Properties: {{}}}}
  Open:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        paths:
          /o: {{get: {{security: [{{A: []}}], {INTEGRATION}: {{type: aws_proxy, payloadFormatVersion: "2.0"}}}}}}
        components: {{securitySchemes: {{A: {{{AUTHORIZER}: {{type: request}}}}}}}}
Parameters: {{P: {{Type: String, Default: x}}}}
Conditions: {{C: {{"Fn::Equals": [{{Ref: P}}, x]}}}}
Outputs: {{O: {{Value: a, Export: {{Name: n}}}}}}
""")
    assert "Good" in load(yaml.safe_dump(_replaced(document, path, value))).functions


def test_a_variable_may_name_a_resource_whose_condition_doesnt_hold(load) -> None:  # type: ignore[no-untyped-def]
    project = load(f"""{TEMPLATE}
  F: {{Type: AWS::Serverless::Function, Properties: {{Environment: {{Variables: {{Q: !Ref Queue}}}}}}}}
  Queue: {{Type: AWS::SQS::Queue, Condition: Never}}
Conditions: {{Never: !Equals [a, b]}}
""")
    assert list(project.functions) == ["Good", "F"]


def test_a_bucket_that_s3_refuses_is_left_out(load) -> None:  # type: ignore[no-untyped-def]
    names = ["my..bucket", "192.168.1.1", "xn--a", "a_b", "mine"]
    buckets = "".join(
        f"  B{number}: {{Type: AWS::S3::Bucket, Properties: {{BucketName: {name}}}}}\n"
        for number, name in enumerate(names)
    )
    project = load(TEMPLATE + buckets)
    assert project.buckets == ("mine",)
    assert [part.logical_id for part in project.left_out] == ["B0", "B1", "B2", "B3"]
