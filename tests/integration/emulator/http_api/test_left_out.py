"""A project of which only a part can run here: what works, what a call of the rest answers, and what the start says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from forked_programs import run_program
from tests.integration.emulator.lambda_client import ONE_ATTEMPT, until

NODE = "Node, property Runtime: nodejs22.x: only functions in Python 3 are imitated; calls are refused"
REST_ONLY = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: prod}}
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: "def handler(event, context): return event"
      Events: {Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /, Method: get}}}
"""


@pytest.fixture(scope="module")
def api(start_for_module: Callable[..., Any], functions: Path) -> Any:
    template = functions / "partial" / "template.yaml"
    return start_for_module("start-api", "-p", "0", "--lambda-port", "0", "-t", str(template))


@pytest.fixture
def client(api: Any) -> Iterator[Any]:
    url = next(line.split()[-1] for line in reversed(api.log.splitlines()) if "Running on" in line)
    client = boto3.client("lambda", endpoint_url=url, config=ONE_ATTEMPT)
    yield client
    client.close()


@pytest.mark.fidelity("refused-properties")
def test_what_can_run_answers_and_the_rest_is_named(api: Any) -> None:
    assert api.get("/open").json == {
        "X_QUEUE": "arn:aws:sqs:us-east-1:123456789012:local-Jobs",
        "X_KEY": "unresolved-ssm-app-key",
        "X_MODE": "plain",
    }
    for resource in ("Node", "Image", "Jobs", "Nested", "Machine", "FnRead", "ServerlessRestApi", "Api"):
        assert f"emulator: {resource}, property " in api.log
    assert f"emulator: {NODE}" in api.log


@pytest.mark.fidelity("left-out-calls")
@pytest.mark.parametrize(
    ("path", "headers", "logged"),
    [
        ("/node", {}, NODE),
        ("/asked", {"X_Key": "k"}, NODE),
        (
            "/imported",
            {},
            "GET /imported answers 500: Api, property Body, GET /imported, authorizer Imported: ",
        ),
    ],
)
def test_a_route_that_needs_what_is_left_out_answers_500(
    api: Any, path: str, headers: dict[str, str], logged: str
) -> None:
    before = api.log.count(logged)
    answer = api.get(path, **headers)
    assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})
    # The authorizer and a schedule may say the same meanwhile.
    until(lambda: api.log.count(logged) > before)


def test_a_rest_apis_route_is_not_found(api: Any) -> None:
    assert api.get("/rest").status == 404


def test_an_authorizer_may_be_named_by_a_parameter(api: Any) -> None:
    assert api.get("/named").status == 401


@pytest.mark.fidelity("left-out-calls")
def test_lambdas_api_shows_a_function_that_cannot_run_and_refuses_its_calls(client: Any) -> None:
    listed = {function["FunctionName"]: function for function in client.list_functions()["Functions"]}
    assert listed.keys() == {"hello", "node-hello", "Image", "Inline", "Greedy"}
    node = client.get_function(FunctionName="node-hello")["Configuration"]
    assert (node["Runtime"], node["Handler"], node["MemorySize"]) == ("nodejs22.x", "app.handler", 256)
    assert (node["State"], node["StateReason"], node["StateReasonCode"]) == ("Failed", NODE, "InvalidRuntime")
    assert client.get_function(FunctionName="Image")["Configuration"]["PackageType"] == "Image"
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName="node-hello")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502
    assert refused.value.response["Error"] == {"Code": "InvalidRuntimeException", "Message": NODE}
    assert client.invoke(FunctionName="node-hello", InvocationType="Event")["StatusCode"] == 202


@pytest.mark.fidelity("left-out-calls")
def test_a_function_that_cannot_be_deployed_leaves_the_others_running(api: Any, client: Any) -> None:
    assert "emulator: Greedy, property Properties: " in api.log
    assert client.get_function(FunctionName="Greedy")["Configuration"]["State"] == "Failed"
    with pytest.raises(ClientError, match=r"InvalidRuntimeException.* calls are refused"):
        client.invoke(FunctionName="Greedy")


def test_a_reset_shows_what_cannot_run_again(api: Any, client: Any) -> None:
    assert api.get("/_emulator/reset", "POST").status in (200, 204)
    assert client.get_function(FunctionName="node-hello")["Configuration"]["State"] == "Failed"
    assert api.get("/open").status == 200


@pytest.mark.fidelity("function-names")
def test_a_function_goes_by_its_logical_id_too(client: Any) -> None:
    assert client.get_function_configuration(FunctionName="Fn")["FunctionName"] == "hello"
    answer = client.invoke(FunctionName="Fn", Qualifier="live")
    assert json.load(answer["Payload"])["X_MODE"] == "plain"
    with pytest.raises(ClientError, match="Node, property Runtime"):
        client.invoke(FunctionName="Node")


@pytest.mark.fidelity("inline-code")
def test_inline_code_runs(client: Any) -> None:
    answer = client.invoke(FunctionName="Inline", Payload=b'{"a": 1}')
    assert json.load(answer["Payload"]) == {"inline": {"a": 1}}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["invoke", "Fn"], 0, "Fn, property Environment.Variables.X_KEY: "),
        (["invoke", "Node"], 1, NODE),
        (["start-lambda", "-p", "0", "--strict"], 1, "Nested, property Type: nested stacks are not imitated"),
    ],
)
def test_commands_say_what_is_left_out(functions: Path, words: list[str], code: int, said: str) -> None:
    command = [sys.executable, "-m", "emulator", *words, "-t", str(functions / "partial" / "template.yaml")]
    done = run_program(command)
    assert done.returncode == code
    assert said in done.stderr


def test_start_api_names_the_rest_api_that_it_cannot_serve(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(REST_ONLY)
    command = [sys.executable, "-m", "emulator", "start-api", "-p", "0"]
    done = run_program(command, cwd=tmp_path)
    assert done.returncode == 1
    assert "Api, property Type: REST APIs are not imitated; use AWS::Serverless::HttpApi" in done.stderr
    assert "Error: template.yaml has no HTTP API with a route: use start-lambda" in done.stderr
