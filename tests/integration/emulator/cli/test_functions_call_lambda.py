"""A function's own boto3 reaches the emulator: it calls the versions of another function, and lists them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.emulator.conftest import Start

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.13, Handler: app.handler, Timeout: 20}
Resources:
  Called:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: called, AutoPublishAlias: live}
  Caller:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: caller
      Environment: {Variables: {VERSION: !Ref Called.Version}}
      Events:
        Page: {Type: HttpApi, Properties: {Path: /, Method: get}}
"""
CALLED = """
def handler(event, context):
    return context.function_version
"""
CALLER = """
import json, os, boto3

def handler(event, context):
    client, version = boto3.client("lambda"), os.environ["VERSION"]
    versions = client.list_versions_by_function(FunctionName=version.rpartition(":")[0])["Versions"]
    answers = [
        client.invoke(FunctionName=entry["FunctionArn"], Payload=b"{}")["Payload"].read().decode() for entry in versions
    ]
    return {"newest": version.rpartition(":")[2], "answers": list(map(json.loads, answers))}
"""


@pytest.mark.fidelity("functions-call-lambda")
def test_a_function_calls_each_version_of_another_whose_newest_its_variable_names(start: Start, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    for name, code in (("called", CALLED), ("caller", CALLER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(code)
    command = ("start-api", "-p", "0", "-t", str(tmp_path / "template.yaml"), "--state-dir", str(tmp_path / "state"))
    running = start(*command)
    assert running.get("/").json == {"newest": "1", "answers": ["$LATEST", "1"]}
    running.stop()
    (tmp_path / "called" / "app.py").write_text(CALLED + "# New code.\n")
    running = start(*command)
    assert running.get("/").json == {"newest": "2", "answers": ["$LATEST", "1", "2"]}
    assert "Local Lambda Service" not in running.log
    running.stop()
    # Nothing has changed, so nothing is deployed.
    assert "it is deployed" not in start(*command).log


@pytest.mark.fidelity("functions-call-lambda")
def test_a_variable_of_its_own_stands_against_the_emulators_address(start: Start, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        TEMPLATE.replace("{VERSION: !Ref Called.Version}", "{AWS_ENDPOINT_URL_LAMBDA: 'http://mine'}")
    )
    for name in ("called", "caller"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(
            "import json, os\n\n\ndef handler(event, context):\n"
            "    return {name: os.environ[name] for name in os.environ if name.startswith('AWS_ENDPOINT_URL')}\n"
        )
    endpoints = json.loads(start("start-api", "-p", "0", "-t", str(tmp_path / "template.yaml")).get("/").body)
    assert endpoints.pop("AWS_ENDPOINT_URL_LAMBDA") == "http://mine"
    assert endpoints.pop("AWS_ENDPOINT_URL_CODEDEPLOY").startswith("http://127.0.0.1:")
