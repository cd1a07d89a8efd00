"""The unchanged AWS CLI, with only ``--endpoint-url``, against Lambda's API and the bucket."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.awscli, pytest.mark.fidelity("aws-cli")]


class AwsCli:
    """The command, in a folder of its own."""

    def __init__(self, folder: Path, endpoint_url: str) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = shutil.which("aws")
        assert command, "the AWS CLI is not on the path: make aws-cli-test"
        environ = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1", "HOME": str(self._folder)}
        return subprocess.run(
            [command, "--endpoint-url", self._endpoint_url, *words],
            cwd=self._folder, env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def __call__(self, *words: str) -> Any:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout

    def refused(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode != 0
        return done.stderr


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
    assert "(NotImplementedException)" in aws.refused("lambda", "list-layers")


def test_the_bucket(tmp_path: Path, local_bucket_url: str) -> None:
    aws = AwsCli(tmp_path, local_bucket_url)
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    large = bytes(range(256)) * 40_000  # Over the CLI's threshold for multipart uploads.
    (folder / "large.bin").write_bytes(large)
    (folder / "deep" / "ä b.txt").write_text("grüße")
    aws("s3", "mb", "s3://by-the-cli")
    aws("s3", "cp", "--recursive", "folder", "s3://by-the-cli/a")
    listed = aws("s3", "ls", "--recursive", "s3://by-the-cli/")
    assert [line.split(maxsplit=3)[3] for line in listed.splitlines()] == ["a/deep/ä b.txt", "a/large.bin"]
    assert "PRE deep/" in aws("s3", "ls", "s3://by-the-cli/a/")
    aws("s3", "cp", "s3://by-the-cli/a/large.bin", "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == large
    aws("s3", "mv", "s3://by-the-cli/a/deep/ä b.txt", "s3://by-the-cli/moved.txt")
    assert aws("s3api", "head-object", "--bucket", "by-the-cli", "--key", "moved.txt")["ContentLength"] == 7
    (folder / "deep" / "new.txt").write_text("x")
    assert "new.txt" in aws("s3", "sync", "folder", "s3://by-the-cli/a")
    assert "(404)" in aws.refused("s3", "cp", "s3://by-the-cli/none", "none")
    aws("s3", "rb", "--force", "s3://by-the-cli")
    assert "by-the-cli" not in aws("s3", "ls")
