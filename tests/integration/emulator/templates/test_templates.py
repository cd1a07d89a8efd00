"""Kinds of templates as public SAM projects have them: each starts, its Python functions answer, the rest is named."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.data_plane.invoke_service import Limits, open_service
from emulator.lambda_service.log_groups.sink import LogSink
from emulator.template.left_out import summary
from emulator.template.project import Project
from emulator.template.read import load_project

pytestmark = pytest.mark.fidelity("kinds-of-templates")
HERE = Path(__file__).parent
ACCOUNT = "123456789012"


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is expected of a template."""

    # Of each function that runs, its variables whose names begin with X_.
    functions: Mapping[str, Mapping[str, str]]
    # One pattern for each line that says what is left out.
    left_out: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()
    file: str = ""


def likely(variable: str, resource: str) -> str:
    """Return the pattern of the line about a variable that has a likely name."""
    return rf"property Environment\.Variables\.{variable}: {resource} .*--env-vars gives another value"


SQS = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}"
KINDS = {
    "rest_beside_http": Kind(
        {"ListItems": {}, "Ping": {"X_REST": "https://local-RestApi.execute-api.us-east-1.amazonaws.com/prod"}},
        (r"^RestApi and ServerlessRestApi, property Type: REST APIs are not imitated", likely("X_REST", "RestApi")),
        routes=("GET /ping",),
    ),
    "node_beside_python": Kind(
        {"Score": {"X_RENDER": "Render", "X_RENDER_ARN": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:Render"}},
        (r"^Render, property Runtime: nodejs22\.x: only functions in Python 3 are imitated; calls are refused",),
        routes=("GET /page", "POST /score"),
        unavailable=("Render",),
    ),
    "nested_stack": Kind(
        {"Worker": {"X_TABLE": "unresolved-getatt-tables-outputs-tablename", "X_STAGE": "dev"}},
        (
            r"^Tables and Network, property Type: nested stacks are not imitated",
            r"Variables\.X_TABLE: Fn::GetAtt Tables",
        ),
    ),
    "step_functions": Kind(
        {
            "Check": {},
            "Starter": {
                "X_MACHINE": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:local-Trades",
                "X_NAME": "local-Trades",
            },
        },
        (
            r"^Trades, property Type: state machines are not imitated",
            likely("X_MACHINE", "Trades"),
            likely("X_NAME", "Trades"),
        ),
    ),
    "queue": Kind(
        {
            "Producer": {
                "X_QUEUE": f"{SQS}/local-Jobs",
                "X_NAME": "local-Jobs",
                "X_TOPIC": f"arn:aws:sns:us-east-1:{ACCOUNT}:local-Topic",
            },
            "Consumer": {},
        },
        (
            r"^ConsumerJob, property Type: event sources are not imitated; nothing is read; invoke the function",
            r"^Topic and ConsumerTold, property Type: AWS::SNS is not imitated",
            likely("X_QUEUE", "Jobs"),
            likely("X_NAME", "Jobs"),
            likely("X_TOPIC", "Topic"),
        ),
    ),
    "image": Kind(
        {"Light": {}},
        (r"^Heavy, property PackageType: only Zip functions are imitated: images need Docker; calls are ref",),
        routes=("GET /light", "POST /heavy"),
        unavailable=("Heavy",),
    ),
    "zips": Kind(
        {"Packed": {}, "Raw": {}},
        (r"^Uploaded, property CodeUri: only inline code and code in a local folder or zip file can be run",),
        unavailable=("Uploaded",),
    ),
    "layers": Kind(
        {"Fn": {}},
        (
            r"^Fn, property Layers: .*AWSLambdaPowertoolsPythonV3:4 is not in the template",
            r"Layers: .*LambdaInsightsExtension",
        ),
    ),
    "globals": Kind(
        {
            "Fn": {"X_STAGE": "dev", "X_TABLE": "local-Table", "X_OWN": "1"},
            "Other": {"X_STAGE": "dev", "X_TABLE": "local-Table", "X_OWN": "2"},
        },
        (
            likely("X_TABLE", "Table"),
            r"^Fn, property FileSystemConfigs: file systems are not imitated; nothing is mounted",
            r"property VpcConfig: networks are not imitated",
            r"^ServerlessHttpApi, property CorsConfiguration: '\*' has quotes within its quotes",
            r"^Table, property Type: AWS::DynamoDB is not imitated",
        ),
        routes=("GET /other",),
    ),
    "conditions": Kind(
        {
            "Fn": {
                "X_STAGE": "development",
                "X_ZONE": "us-east-1b",
                "X_OWNER": "unresolved-parameter-owner",
                "X_VPC": "unresolved-importvalue-shared-vpc",
                "X_QUEUE": "none",
            },
            "Debug": {},
        },
        (
            r"^Owner, property Default: the parameter has no value",
            r"^Ami, property Default: the parameter has no value",
            r"Variables\.X_OWNER: parameter Owner has no default",
            r"Variables\.X_VPC: Fn::ImportValue needs the output",
        ),
    ),
    "graphql": Kind({"Resolve": {}}, (r"^Api.*, property Type: AWS::AppSync is not imitated",)),
    "cognito": Kind(
        {"Mine": {"X_POOL": "users", "X_CLIENT": "local-Client"}, "Welcome": {}},
        (
            r"^Rest, property Type: REST APIs are not imitated",
            r"^Users and Client, property Type: AWS::Cognito is not imitated",
            likely("X_POOL", "Users"),
            likely("X_CLIENT", "Client"),
        ),
        routes=("GET /mine", "GET /open"),
    ),
    "event_rules": Kind(
        {"OnOrder": {"X_BUS": "orders", "X_ARN": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/orders"}},
        (
            r"^OnOrderOrder and OnOrderState, property EventPattern: nothing publishes events here",
            likely("X_BUS", "Bus"),
            likely("X_ARN", "Bus"),
        ),
    ),
    "table_stream": Kind(
        {"OnChange": {"X_TABLE": "local-Table"}},
        (
            r"^OnChangeChange and OnChangeRecord, property Type: event sources are not imitated",
            likely("X_TABLE", "Table"),
            likely("X_STREAM", "Table"),
        ),
    ),
    "bucket_notification": Kind({"Thumbnail": {}}),
    "function_url": Kind({"Fn": {}}, (r"^FnUrl, property Type: function URLs are not imitated",)),
    "openapi_body": Kind(
        {"Fn": {}},
        (
            r"POST /items: the operation has no x-amazon-apigateway-integration",
            r"GET /elsewhere: .*'http_proxy' are not imitated",
        ),
        routes=("GET /items", "GET /elsewhere", "GET /more"),
    ),
    "websocket": Kind(
        {"OnConnect": {}},
        (r"^Chat, property ProtocolType: only HTTP APIs are imitated; the API is not served",),
    ),
    "secrets": Kind(
        {"Fn": {"X_SINCE": "2026-01-31", "X_SETTING": "local-Setting", "X_URL": "unresolved-ssm-app-url-1"}},
        (
            likely("X_SECRET", "Password"),
            likely("X_SETTING", "Setting"),
            r"Variables\.X_URL: .* is in the SSM parameter store",
            r"Variables\.X_PASSWORD: .* is in Secrets Manager",
        ),
    ),
    "rollout": Kind(
        {"Fn": {}, "After": {}},
        (
            r"^FnAliaslive, property AfterAllowTrafficHook: .* isn't called",
            r"^FnAliaslive, property TriggerConfigurations: notifications are not imitated",
        ),
    ),
    "for_each": Kind({"Fn": {}}, (r"^Fn::ForEach::Queues, property Resources: Fn::ForEach is not imitated",)),
    "inline_code": Kind(
        {"Fn": {"X_SETUP": "unresolved-getatt-setup-result"}, "Inline": {}},
        (r"Variables\.X_SETUP: Fn::GetAtt Setup",),
    ),
    "cdk": Kind({"Fn9270CBC0": {}}, (r"^BootstrapVersion, property Default",), file="cdk.template.json"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the templates, with the zip files that a build would leave there."""
    folder = tmp_path_factory.mktemp("project") / "templates"
    shutil.copytree(HERE, folder)
    (folder / "build").mkdir()
    for name in ("code", "layer"):
        with zipfile.ZipFile(folder / "build" / f"{name}.zip", "w") as archive:
            for path in (folder / name).rglob("*.py"):
                archive.write(path, path.relative_to(folder / name))
    return folder


@pytest.fixture(scope="module")
def projects(folder: Path) -> dict[str, Project]:
    return {name: load_project(folder / (kind.file or f"{name}.yaml")) for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
def answers(projects: Mapping[str, Project], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each function of each template answers, by template and logical id; one service runs them all."""
    functions = {
        f"{kind}-{logical_id}": dataclasses.replace(spec, name=f"{kind}-{logical_id}", alias=None)
        for kind, project in projects.items()
        for logical_id, spec in project.functions.items()
    }
    log = os.open(tmp_path_factory.mktemp("log") / "log.txt", os.O_CREAT | os.O_WRONLY)

    async def invoke_all() -> dict[str, Any]:
        service = open_service(
            functions, LogSink(log), os.environ, region="us-east-1", account_id=ACCOUNT,
            limits=Limits(1000, 600, 10, None), draw=random.random,
        )  # fmt: skip
        # A few at a time, since each is a process.
        places = asyncio.Semaphore(4)

        async def invoke(name: str) -> Any:
            async with places:
                return json.loads((await service.submit(name, b'{"a": 1}')).payload)

        try:
            return dict(zip(functions, await asyncio.gather(*map(invoke, functions)), strict=True))
        finally:
            await service.close()

    try:
        return asyncio.run(invoke_all())
    finally:
        os.close(log)


def test_every_template_here_is_one_of_the_kinds() -> None:
    files = {path.name for path in HERE.iterdir() if path.suffix in (".yaml", ".json")}
    assert files == {kind.file or f"{name}.yaml" for name, kind in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_it_starts_and_its_python_functions_answer(
    projects: Mapping[str, Project], answers: Mapping[str, Any], name: str
) -> None:
    kind, project = KINDS[name], projects[name]
    assert sorted(project.functions) == sorted(kind.functions)
    assert sorted(project.unavailable) == sorted(kind.unavailable)
    routes = [route.key for api in project.apis for stage in api.stages for route in stage.routes]
    assert sorted(routes) == sorted(kind.routes)
    for logical_id, variables in kind.functions.items():
        answer = answers[f"{name}-{logical_id}"]
        assert answer["event"] == {"a": 1}, answer
        assert variables.items() <= answer["variables"].items()


@pytest.mark.parametrize("name", KINDS)
def test_each_thing_without_effect_is_named(projects: Mapping[str, Project], name: str) -> None:
    lines = summary(projects[name].left_out)
    for pattern in KINDS[name].left_out:
        assert any(re.search(pattern, line) for line in lines), (pattern, lines)


def test_layers_in_folders_and_zip_files_are_on_the_path(answers: Mapping[str, Any]) -> None:
    assert answers["layers-Fn"]["layer"] == answers["zips-Packed"]["layer"] == "from the layer"
    assert answers["queue-Producer"]["layer"] is None


def test_a_rest_api_beside_an_http_api_is_said_at_the_start(start: Callable[..., Any], folder: Path) -> None:
    server = start("start-api", "-p", "0", "--lambda-port", "0", "-t", str(folder / "rest_beside_http.yaml"))
    assert "emulator: RestApi and ServerlessRestApi, property Type: REST APIs are not imitated" in server.log
    assert server.get("/ping").json["event"]["rawPath"] == "/ping"
    assert server.get("/items").status == 404
