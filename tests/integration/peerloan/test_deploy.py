"""``peerloan deploy`` on a running stack: under load no request is lost, and what can't be deployed changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
import requests

from forked_programs import run_program
from peerloan.stack import Stack
from peerloan.workplace import PROJECT

ALIVE, CHANGED = '"alive"', '"changed"'


class Deployed:
    """A stack without a model, whose function answers ``/livez``, and the command beside it."""

    def __init__(self, folder: Path, api_url: str, lambda_url: str) -> None:
        self.folder = folder
        self.api_url = api_url
        self.client = boto3.client("lambda", endpoint_url=lambda_url)

    def deploy(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "peerloan", "--state-dir", str(self.folder / "state"), "deploy", *words]
        return run_program(command)

    def answer(self) -> str:
        answer = requests.get(f"{self.api_url}/livez", timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["status"])

    def alias(self) -> str:
        return str(self.client.get_alias(FunctionName="PredictFunction", Name="live")["FunctionVersion"])

    def changed_code(self, file: str = "http/http_api.py", old: str = ALIVE, new: str = CHANGED) -> str:
        """Return a copy of the function's folder with something changed."""
        folder = self.folder / "code"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(PROJECT / "functions" / "predict", folder)
        path = folder / "predict_api" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return str(folder)


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    """A stack of the test's own."""
    yield from _stack(tmp_path)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A stack on which nothing is deployed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield from _stack(tmp_path_factory.mktemp("unchanged"))


def _stack(folder: Path) -> Iterator[Deployed]:
    with Stack(folder / "state", "models", dict(os.environ)) as stack:
        bucket_url = stack.start_bucket(0)
        api_url = stack.start_api(0, bucket_url, lambda_port=0)
        notes = json.loads((folder / "state" / "running.json").read_text())
        function = Deployed(folder, api_url, notes["lambda_url"])
        yield function
        function.client.close()


def test_under_load_no_request_is_lost_and_the_new_code_answers(deployed: Deployed) -> None:
    done = threading.Event()

    def load() -> list[str]:
        seen = []
        while not done.is_set():
            seen.append(deployed.answer())
            time.sleep(0.02)  # The API lets 500 requests a second through.
        return seen

    assert deployed.answer() == "alive"
    with ThreadPoolExecutor(3) as clients:
        loads = [clients.submit(load) for _ in range(3)]
        try:
            deployment = deployed.deploy("--code", deployed.changed_code(), "--json")
            assert deployment.returncode == 0, deployment.stderr
            assert deployed.answer() == "changed"
        finally:
            done.set()
        seen = [task.result() for task in loads]
    # Each client saw the old code, then the new, and every answer was one of them.
    for answers in seen:
        assert answers[0] == "alive"
        assert set(answers) <= {"alive", "changed"}
    result = json.loads(deployment.stdout)
    assert (result["previous_version"], result["version"]) == ("1", "2")
    assert set(result["seconds"]) == {"update", "publish", "ready", "alias"}
    assert deployed.alias() == "2"
    prune = [sys.executable, "-m", "peerloan", "--state-dir", str(deployed.folder / "state"), "code", "prune"]
    pruned = run_program([*prune, "--keep", "1"])
    assert "deleted version 1\n" in pruned.stdout, pruned.stderr
    versions = deployed.client.list_versions_by_function(FunctionName="PredictFunction")["Versions"]
    assert [entry["Version"] for entry in versions] == ["$LATEST", "2"]


def test_the_same_code_is_not_deployed_twice_and_the_source_is_the_default(deployed: Deployed) -> None:
    first = deployed.deploy()
    assert first.returncode == 0, first.stderr
    version = deployed.alias()
    again = deployed.deploy()
    assert again.returncode == 0, again.stderr
    assert f"is version {version}, to which 'live' points already" in again.stdout
    assert deployed.alias() == version
    assert deployed.answer() == "alive"


def test_code_that_does_not_start_leaves_the_alias_where_it_was(deployed: Deployed) -> None:
    broken = deployed.deploy("--code", deployed.changed_code("app.py", "import gc\n", "import no_such_module\n"))
    assert broken.returncode == 1
    assert "Traceback" not in broken.stderr
    assert "PredictFunction:2 isn't ready" in broken.stderr
    assert (deployed.alias(), deployed.answer()) == ("1", "alive")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--endpoint-url", "http://127.0.0.1:9"], 1, "Nothing answers at http://127.0.0.1:9. Run 'peerloan up'"),
        (["--endpoint-url", "https://lambda.us-east-1.amazonaws.com"], 2, "run 'make sam-build'"),
        (["--endpoint-url", "nowhere"], 2, "isn't an address"),
        (["--code", "nowhere"], 1, "nowhere has no code in it"),
        (["--function", "Nobody"], 1, "Name the function with --function"),
        (["--alias", "nobody"], 1, "Name the function with --function and the alias (nobody) with --alias"),
    ],
)
def test_what_cant_be_deployed_says_what_to_do(unchanged: Deployed, words: list[str], code: int, message: str) -> None:
    done = unchanged.deploy(*words)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert message in done.stderr
