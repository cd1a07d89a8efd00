"""The unchanged AWS CLI, with only ``--endpoint-url``, against Lambda's API."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.emulator.aws_cli import AwsCli, find_second_version

pytestmark = [pytest.mark.awscli, pytest.mark.fidelity("aws-cli")]


@pytest.fixture(scope="module")
def server(start_for_module: Callable[..., Any], functions: Path) -> Any:
    return start_for_module("start-lambda", "-p", "0", "-t", str(functions / "control" / "template.yaml"))


@pytest.fixture
def aws(server: Any, tmp_path: Path) -> AwsCli:
    return AwsCli(tmp_path, server.url)


def saying(folder: Path, word: str) -> str:
    with zipfile.ZipFile(folder / f"{word}.zip", "w") as archive:
        archive.writestr("app.py", f"def handler(event, context):\n    return {word!r}\n")
    return f"fileb://{word}.zip"


def test_invoke(aws: AwsCli, tmp_path: Path) -> None:
    payload = ["--payload", '{"act": "print", "text": "said here"}']
    answer = aws("lambda", "invoke", "--function-name", "Plain", "--log-type", "Tail", *payload, "out.json")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "said here" in base64.b64decode(answer["LogResult"]).decode()
    assert json.loads((tmp_path / "out.json").read_text())["event"]["act"] == "print"
    error = aws("lambda", "invoke", "--function-name", "Plain", "--payload", '{"act": "raise"}', "out.json")
    assert error["FunctionError"] == "Unhandled"
    event = aws("lambda", "invoke", "--function-name", "Plain", "--invocation-type", "Event", "out.json")
    assert event == {"StatusCode": 202}
    dry = aws("lambda", "invoke", "--function-name", "Plain", "--invocation-type", "DryRun", "out.json")
    assert dry == {"StatusCode": 204}
    message = aws.refused("lambda", "invoke", "--function-name", "Nobody", "out.json")
    assert (
        "(ResourceNotFoundException) when calling the Invoke operation: Function not found: arn:aws:lambda" in message
    )


def test_a_rollout(aws: AwsCli, tmp_path: Path) -> None:
    function = ["--function-name", "Published"]
    code = saying(tmp_path, "new")
    updated = aws("lambda", "update-function-code", *function, "--zip-file", code)
    aws("lambda", "wait", "function-updated-v2", *function)
    version = aws("lambda", "publish-version", *function, "--code-sha256", updated["CodeSha256"])["Version"]
    aws("lambda", "wait", "published-version-active", *function, "--qualifier", version)
    live = ["lambda", "update-alias", *function, "--name", "live"]
    weighted = aws(*live, "--routing-config", json.dumps({"AdditionalVersionWeights": {version: 0.5}}))
    assert weighted["RoutingConfig"] == {"AdditionalVersionWeights": {version: 0.5}}
    moved = aws(*live, "--function-version", version, "--routing-config", '{"AdditionalVersionWeights": {}}',
                "--revision-id", weighted["RevisionId"])  # fmt: skip
    assert moved["FunctionVersion"] == version
    aws("lambda", "invoke", *function, "--qualifier", "live", "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == "new"
    assert "(PreconditionFailedException)" in aws.refused(*live, "--revision-id", weighted["RevisionId"])
    versions = aws("lambda", "list-versions-by-function", *function)["Versions"]
    assert [version_body["Version"] for version_body in versions] == ["$LATEST", "1", version]
    assert aws("lambda", "get-alias", *function, "--name", "live")["FunctionVersion"] == version
    assert len(aws("lambda", "list-functions")["Functions"]) == 5


def test_settings(aws: AwsCli) -> None:
    function = ["--function-name", "Limited"]
    changed = aws("lambda", "update-function-configuration", *function, "--timeout", "7",
                  "--environment", "Variables={GREETING=bye}")  # fmt: skip
    assert (changed["Timeout"], changed["Environment"]["Variables"]) == (7, {"GREETING": "bye"})
    aws("lambda", "put-function-concurrency", *function, "--reserved-concurrent-executions", "0")
    assert "(TooManyRequestsException)" in aws.refused("lambda", "invoke", *function, "out.json")
    aws("lambda", "delete-function-concurrency", *function)
    aws("lambda", "put-function-event-invoke-config", *function, "--maximum-retry-attempts", "1")
    provisioned = ["lambda", "put-provisioned-concurrency-config", *function, "--qualifier", "live"]
    assert aws(*provisioned, "--provisioned-concurrent-executions", "1")["Status"] in {"IN_PROGRESS", "READY"}
    assert aws("lambda", "get-account-settings")["AccountLimit"]["ConcurrentExecutions"] > 0
    message = aws.refused("lambda", "create-alias", *function, "--name", "7", "--function-version", "1")
    assert "(ValidationException)" in message
    assert aws("lambda", "list-layers") == {"Layers": []}
    assert "(NotImplementedException)" in aws.refused("lambda", "create-function-url-config", *function,
                                                      "--auth-type", "NONE")  # fmt: skip


@pytest.mark.fidelity("sam-commands")
def test_stack_and_log(aws: AwsCli) -> None:
    aws("lambda", "invoke", "--function-name", "Plain", "out.json")
    (described,) = aws("cloudformation", "describe-stacks", "--stack-name", "local")["Stacks"]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    aws("cloudformation", "wait", "stack-exists", "--stack-name", "local")
    events = aws("logs", "filter-log-events", "--log-group-name", "/aws/lambda/Plain")["events"]
    assert any(event["message"].startswith("START RequestId: ") for event in events)
    refused = aws.run("ec2", "describe-instances")
    assert "The emulator does not imitate DescribeInstances of ec2." in refused.stderr


@pytest.mark.fidelity("sam-commands")
def test_a_tail_of_the_log(aws: AwsCli, server: Any, tmp_path: Path) -> None:
    command = find_second_version()
    if command is None:
        pytest.skip("needs the AWS CLI's second version on the path: Debian's package awscli, for one")
    aws("lambda", "invoke", "--function-name", "Plain", "out.json")
    second = AwsCli(tmp_path, server.url, command)
    assert "START RequestId: " in second("logs", "tail", "/aws/lambda/Plain")
