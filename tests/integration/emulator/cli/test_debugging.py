"""``-d PORT``: a function under debugpy, driven by the debug adapter protocol as an editor does."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from debug_client import debug_client
from processes import GENEROUS_S, wait_until

pytestmark = pytest.mark.fidelity("debugger")

ROOT = Path(__file__).parents[4]
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, CodeUri: source, Timeout: 1, MemorySize: 128}}
Resources:
  Slow:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      AutoPublishAlias: live
      SnapStart: {ApplyOn: PublishedVersions}
      Events: {Get: {Type: HttpApi, Properties: {Path: /slow, Method: GET, TimeoutInMillis: 500}}}
  Other: {Type: AWS::Serverless::Function, Properties: {Handler: app.other}}
"""
# Longer than each limit that holds without a debugger.
SOURCE = """import os, time
time.sleep(0.7)  # longer than --init-limit

def handler(event, context):
    doubled = 2 * int(event["queryStringParameters"]["n"])
    time.sleep(1.2)  # longer than Timeout and TimeoutInMillis
    left = context.get_remaining_time_in_millis()
    return {"doubled": doubled, "left": left, "pid": os.getpid(), "kind": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}

def other(event, context):
    return "other"
"""
BREAKPOINT = 6


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/app.py").write_text(SOURCE)
    return tmp_path / "source/app.py"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def documented_configurations() -> list[dict[str, Any]]:
    """Return the configurations of VS Code's launch.json in docs/debugging.md."""
    (document,) = re.findall("```json\n(.*?)```", (ROOT / "docs/debugging.md").read_text(), re.DOTALL)
    configurations: list[dict[str, Any]] = json.loads(document)["configurations"]
    assert all((entry["type"], entry["request"]) == ("debugpy", "attach") for entry in configurations)
    # The client gives its own.
    return [{name: value for name, value in entry.items() if name != "justMyCode"} for entry in configurations]


def run(*words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "emulator", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_it_stops_at_a_breakpoint_and_no_limit_of_time_ends_the_request(
    start: Callable[..., Any], source: Path, port: int
) -> None:
    api = start(
        "start-api", "-t", str(source.parents[1] / "template.yaml"), "-p", "0", "-d", str(port),
        "--debug-function", "Slow", "--init-limit", "0.5",
    )  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor() as pool, debug_client(port) as client:
        client.attach({source: [BREAKPOINT]})
        requests = [pool.submit(api.get, f"/slow?n={number}") for number in (21, 21)]
        for _ in requests:
            frame = client.frame()
            assert (frame["name"], frame["source"]["path"], frame["line"]) == ("handler", str(source), BREAKPOINT)
            assert client.local(frame, "doubled") == "42"
            client.ask("continue", threadId=frame["threadId"])
        answers = [request.result() for request in requests]
    assert [answer.status for answer in answers] == [200, 200]
    assert {answer.json["doubled"] for answer in answers} == {42}
    assert {answer.json["kind"] for answer in answers} == {"on-demand"}, "no snapshot waits for a debugger"
    assert len({answer.json["pid"] for answer in answers}) == 1, "one environment, for requests at once, too"
    assert all(answer.json["left"] > 3_600_000 for answer in answers)
    assert f"Slow waits until a debugger attaches to 127.0.0.1:{port}" in api.log
    assert api.stop() == 0


def test_saved_code_gets_an_environment_of_its_own_which_waits_again(
    start: Callable[..., Any], source: Path, port: int
) -> None:
    api = start(
        "start-api", "-t", str(source.parents[1] / "template.yaml"), "-p", "0", "-d", str(port), "--debug-function",
        "Slow",
    )  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with debug_client(port) as client:
            client.attach({})
            assert api.get("/slow?n=1").json["doubled"] == 2
        source.write_text(SOURCE.replace("2 * int", "3 * int"))
        assert wait_until(lambda: "Slow: changed code is deployed" in api.log, GENEROUS_S), api.log
        request = pool.submit(api.get, "/slow?n=7")
        assert wait_until(lambda: api.log.count("waits until a debugger attaches") == 2, GENEROUS_S), api.log
        with debug_client(port) as client:
            client.attach({source: [BREAKPOINT]}, **documented_configurations()[0])
            frame = client.frame()
            assert client.local(frame, "doubled") == "21"
            client.ask("continue", threadId=frame["threadId"])
            assert request.result().json["doubled"] == 21


def test_invoke_waits_for_the_debugger_too(source: Path, port: int) -> None:
    event = source.parent / "event.json"
    event.write_text('{"queryStringParameters": {"n": "4"}}')
    template = str(source.parents[1] / "template.yaml")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = pool.submit(run, "invoke", "Slow", "-t", template, "-e", str(event), "-d", str(port))
        with debug_client(port) as client:
            configuration = documented_configurations()[1]
            mapping = configuration["pathMappings"][0]
            local = Path(mapping["localRoot"].replace("${workspaceFolder}", "/workspace"))
            mapping.update(localRoot=str(local), remoteRoot=str(source.parent))
            client.attach({local / "app.py": [BREAKPOINT]}, **configuration)
            frame = client.frame()
            assert frame["source"]["path"] == str(local / "app.py")
            client.ask("continue", threadId=frame["threadId"])
            code, out, error = done.result()
    assert code == 0, error
    assert json.loads(out)["doubled"] == 8


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-d", "1234"], "name one with --debug-function: Slow, Other"),
        (["-d", "1234", "--debug-function", "None"], "--debug-function None: name one of the functions: Slow, Other"),
        (["-d", "0", "--debug-function", "Slow"], "-d takes a port from 1 to 65535, not 0"),
    ],
)
def test_what_cannot_be_debugged_is_refused_with_what_to_do(source: Path, words: list[str], sentence: str) -> None:
    code, _, error = run("start-lambda", "-p", "0", "-t", str(source.parents[1] / "template.yaml"), *words)
    assert (code, sentence in error) == (1, True), error


def test_a_taken_port_and_a_missing_debugger_are_refused_with_what_to_do(source: Path, tmp_path: Path) -> None:
    template = str(source.parents[1] / "template.yaml")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, _, error = run("invoke", "Slow", "-t", template, "-d", port)
        assert (code, f"port {port} on 127.0.0.1 is taken" in error, "with -d" in error) == (1, True, True), error
    hide = f"import sys; sys.modules['debugpy'] = None; sys.path.insert(0, {str(tmp_path)!r})"
    program = f"{hide}; from emulator.__main__ import main; sys.exit(main())"
    words = [sys.executable, "-c", program, "invoke", "Slow", "-t", template, "-d", port]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"-d needs debugpy, which isn't installed: {sys.executable} -m pip install debugpy" in done.stderr


def test_nothing_listens_any_more_once_the_emulator_is_killed(
    start: Callable[..., Any], source: Path, port: int
) -> None:
    template = str(source.parents[1] / "template.yaml")
    api = start("start-lambda", "-t", template, "-p", "0", "-d", str(port), "--debug-function", "Slow")
    with debug_client(port):
        api.kill()
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def is_free() -> bool:
            with contextlib.suppress(OSError):
                attempt.bind(("127.0.0.1", port))
                return True
            return False

        assert wait_until(is_free, GENEROUS_S)
