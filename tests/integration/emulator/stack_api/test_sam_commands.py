"""The unchanged SAM CLI's commands for a deployed stack, with only AWS_ENDPOINT_URL set. They need no Docker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.emulator.lambda_client import until
from tests.integration.emulator.stack_api.conftest import RunningStack

pytestmark = [pytest.mark.samcli, pytest.mark.fidelity("sam-commands")]


class SamCli:
    """The command, in a folder without samconfig.toml unless it is told another one."""

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        self.folder = folder
        shutil.copy(stack.folder / "template.yaml", folder)
        shutil.copytree(stack.folder / "code", folder / "code")
        self.environ: Mapping[str, str] = {
            **os.environ,
            "AWS_ENDPOINT_URL": stack.aws_url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "HOME": str(folder),
            "SAM_CLI_TELEMETRY": "0",
        }

    def command(self, *words: str) -> list[str]:
        sam = shutil.which("sam")
        assert sam, "SAM CLI is not on the path: make sam-commands-test"
        return [sam, *words]

    def __call__(self, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words), cwd=folder or self.folder, env=self.environ,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture
def sam(stack: RunningStack, tmp_path: Path) -> SamCli:
    return SamCli(stack, tmp_path)


def test_remote_invoke_by_name_and_by_logical_id(sam: SamCli, stack: RunningStack) -> None:
    event = ["--event", json.dumps({"print": ["said here"], "unfinished": "said here"})]
    by_name = sam("remote", "invoke", "named-function", *event)
    assert json.loads(by_name.stdout) == {"said": 1}
    assert "said here" in by_name.stderr.splitlines()
    by_id = sam("remote", "invoke", "Named", "--stack-name", "local", "--output", "json", *event)
    assert json.loads(by_id.stdout)["Payload"] == '{"said": 1}'
    # The project's samconfig.toml names the stack.
    assert json.loads(sam("remote", "invoke", "Hello", folder=stack.folder).stdout) == {"said": 1}


def test_lists(sam: SamCli, stack: RunningStack) -> None:
    def listed(kind: str) -> dict[str, dict[str, object]]:
        items = json.loads(sam("list", kind, "--stack-name", "local", "--output", "json").stdout)
        return {item.get("LogicalResourceId") or item["OutputKey"]: item for item in items}

    resources = listed("resources")
    assert resources["Named"]["PhysicalResourceId"] == "named-function"
    assert resources["OnlyInProduction"]["PhysicalResourceId"] == "-"
    api = listed("endpoints")["ServerlessHttpApi"]
    # SAM CLI makes this address itself, of the id and the stage.
    assert api["CloudEndpoint"] == ["https://ServerlessHttpApi.execute-api.us-east-1.amazonaws.com/$default"]
    assert api["Methods"] == ["/hello['get']"]
    assert listed("stack-outputs")["HelloApi"]["OutputValue"] == f"{stack.running.url}/hello"


def test_logs(sam: SamCli, stack: RunningStack) -> None:
    stack.invoke(print=["a line of the log"])
    stack.invoke("named-function", print=["a line of another"])
    one = sam("logs", "--name", "Hello", "--stack-name", "local").stdout
    assert "a line of the log" in one
    assert "a line of another" not in one
    everything = sam("logs", "--stack-name", "local").stdout
    assert "a line of the log" in everything
    assert "a line of another" in everything
    found = sam("logs", "--stack-name", "local", "--filter", "another").stdout
    assert "a line of the log" not in found
    assert "a line of another" in sam("logs", "--cw-log-group", "/shared/logs").stdout


def test_a_tail_follows_the_log(sam: SamCli, stack: RunningStack) -> None:
    command = sam.command("logs", "--tail", "--name", "Hello", "--stack-name", "local", "--start-time", "5s ago")
    process = subprocess.Popen(command, cwd=sam.folder, env=sam.environ, stdout=subprocess.PIPE, text=True)
    lines: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lines.extend, args=(process.stdout,))
    reader.start()
    try:
        for word in ("first", "second"):
            stack.invoke(print=[f"followed {word}"])
            until(lambda word=word: any(f"followed {word}" in line for line in lines))
    finally:
        process.terminate()
        process.wait(timeout=20)
        reader.join()
        process.stdout.close()
    assert sum("followed" in line for line in lines) == 2, "each once"


def test_what_it_cannot_do_is_said(sam: SamCli) -> None:
    command = sam.command("deploy", "--no-confirm-changeset", "--stack-name", "local", "--s3-bucket", "b")
    done = subprocess.run(
        command, cwd=sam.folder, env=sam.environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "The emulator does not imitate" in done.stderr
    assert "Traceback" not in done.stderr
