"""The emulator starts and stops, and leaves nothing behind: real processes and sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.sandbox.process_tree import kill_tree
from processes import is_running, wait_until

TEMPLATE_WITH_AN_ALIAS = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: app.handler
      Runtime: python3.13
      AutoPublishAlias: live
      Events:
        Get: {Type: HttpApi, Properties: {Path: /, Method: get}}
"""


@pytest.fixture(scope="module")
def api(start_for_module: Callable[..., Any], functions: Path) -> Any:
    return start_for_module("start-api", "-p", "0", "-t", str(functions / "basic" / "template.yaml"))


def test_a_process_without_a_group_of_its_own_is_ended_too() -> None:
    newborn = subprocess.Popen(["sleep", "300"])
    kill_tree(newborn.pid)
    assert newborn.wait(30) == -signal.SIGKILL


@pytest.mark.fidelity("handler-children")
def test_processes_that_a_handler_starts_end_with_its_environment(api: Any) -> None:
    pid, child = api.get("/do?act=child").json
    assert is_running(child)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not is_running(child))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.fidelity("signals-end-all")
def test_stopping_leaves_no_process_and_no_port(start: Callable[..., Any], functions: Path, number: int) -> None:
    api = start("start-api", "-p", "0", "-t", str(functions / "basic" / "template.yaml"))
    child = api.get("/do?act=child").json[1]
    waiting = ThreadPoolExecutor(1).submit(lambda: api.get("/do?act=sleep&s=1.5").status)
    time.sleep(0.2)
    processes = api.descendants()
    assert child in processes
    assert api.stop(number) == 0
    assert wait_until(lambda: not any(map(is_running, processes | {child})))
    with pytest.raises(ConnectionError):
        api.get("/do")
    waiting.exception()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_that_is_stopped_while_it_deploys_never_says_that_it_is_ready(
    start: Callable[..., Any], tmp_path: Path, number: int
) -> None:
    code, template, began, ready = (tmp_path / name for name in ("code", "template.yaml", "began", "ready.json"))
    code.mkdir()
    (code / "app.py").write_text("def handler(event, context):\n    return {}\n")
    template.write_text(TEMPLATE_WITH_AN_ALIAS)
    arguments = ["start-api", "-p", "0", "-t", str(template), "--state-dir", str(tmp_path / "state")]
    assert start(*arguments).stop() == 0
    # The changed function is deployed at the next start, and its initialisation takes long.
    (code / "app.py").write_text(f"import pathlib, time\npathlib.Path({str(began)!r}).touch()\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", *arguments, "--ready-file", str(ready)], stderr=subprocess.PIPE, text=True
    )
    try:
        assert wait_until(began.exists)
        process.send_signal(number)
        _, log = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "You can now browse" not in log
    assert "Running on" not in log
    assert "Traceback" not in log
    assert not ready.exists()


@pytest.mark.fidelity("kill-leaves-no-process")
def test_kill_9_of_the_emulator_leaves_no_process(start: Callable[..., Any], functions: Path, tmp_path: Path) -> None:
    api = start(
        "-p", "0", "--lambda-port", "0", "--bucket-port", "0", "--data-dir", str(tmp_path / "data"),
        "-t", str(functions / "basic" / "template.yaml"),
    )  # fmt: skip
    child = api.get("/do?act=child").json[1]
    busy = ThreadPoolExecutor(2)
    waiting = [busy.submit(lambda: api.get("/do?act=sleep&s=1.5")) for _ in range(2)]
    time.sleep(0.4)
    processes = api.descendants()
    assert child in processes
    api.kill()
    assert wait_until(lambda: not any(map(is_running, processes)))
    for request in waiting:
        assert isinstance(request.exception(), OSError)


def test_bucket_and_api_together(start: Callable[..., Any], functions: Path, tmp_path: Path) -> None:
    arguments = ["-p", "0", "--lambda-port", "0", "--bucket-port", "0", "--data-dir", str(tmp_path / "data")]
    variables = tmp_path / "env.json"
    variables.write_text(json.dumps({"Basic": {"UNDECLARED": "1"}}))
    both = start(*arguments, "-t", str(functions / "basic" / "template.yaml"), "--env-vars", str(variables))
    assert both.log.count("--env-vars sets UNDECLARED") == 1
    stored = both.get("/do?act=store")
    assert (stored.status, stored.body) == (200, b"from the function"), both.log
    assert both.stop(signal.SIGINT) == 0


@pytest.mark.fidelity("bucket-end-stops-all")
def test_a_bucket_that_ends_by_itself_ends_everything(
    start: Callable[..., Any], functions: Path, tmp_path: Path
) -> None:
    template = str(functions / "basic" / "template.yaml")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    both = start(
        "-p", "0", "--lambda-port", "0", "--bucket-port", "0", "--data-dir", str(tmp_path / "data"), "-t", template,
        env={"TMPDIR": str(temporary)},
    )  # fmt: skip
    assert list(temporary.iterdir()) == [], "what kill -9 would leave behind"
    child = both.get("/do?act=child").json[1]
    (bucket,) = [
        pid for pid in both.descendants() if b"--life-fd" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]  # fmt: skip
    os.kill(bucket, signal.SIGKILL)
    assert both.process.wait(timeout=5) == 1
    assert "the bucket's process has ended unexpectedly" in both.log
    assert wait_until(lambda: not is_running(child))


def test_taken_port_is_named_with_its_flag(api: Any, functions: Path, tmp_path: Path) -> None:
    port = api.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "emulator", "-t", str(functions / "basic" / "template.yaml")]
    command += ["--data-dir", str(tmp_path / "data")]
    taken = subprocess.run([*command, "--bucket-port", "0", "-p", port], capture_output=True, text=True, check=False)
    assert taken.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken" in taken.stderr
    assert "with -p" in taken.stderr
    bucket = subprocess.run([*command, "--bucket-port", port], capture_output=True, text=True, check=False)
    assert bucket.returncode == 1
    assert "with --bucket-port" in bucket.stderr


@pytest.mark.fidelity("idle-environments")
def test_idle_environments_are_reaped(start: Callable[..., Any], functions: Path) -> None:
    api = start("start-api", "-p", "0", "--idle-timeout", "0.4", "-t", str(functions / "basic" / "template.yaml"))
    pid = api.get("/do").json["pid"]
    assert wait_until(lambda: not is_running(pid))
    assert api.get("/do").json["pid"] != pid


def test_invoke_prints_the_answer_on_stdout_and_the_log_on_stderr(functions: Path, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"act": "print", "text": "a line"}))
    variables = tmp_path / "env.json"
    variables.write_text(json.dumps({"Basic": {"GREETING": "hi", "UNDECLARED": "1"}}))
    command = [sys.executable, "-m", "emulator", "invoke", "Basic", "-t", str(functions / "basic" / "template.yaml")]
    done = subprocess.run(
        [*command, "-e", str(event), "--env-vars", str(variables)], capture_output=True, text=True, check=True
    )
    facts = json.loads(json.loads(done.stdout)["body"])
    assert facts["environ"]["GREETING"] == "hi"
    assert "UNDECLARED" not in facts["environ"]
    assert "a line\n" in done.stderr
    assert "REPORT RequestId" in done.stderr
    failed = subprocess.run([*command, "-e", "-"], input='{"act": "raise"}', capture_output=True, text=True, check=True)
    assert json.loads(failed.stdout)["errorType"] == "ValueError"
    unknown = subprocess.run([*command[:4], "Nope", *command[5:]], capture_output=True, text=True, check=False)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "Basic, Single, Hurried" in unknown.stderr


def test_an_interrupted_invoke_ends_quietly(functions: Path) -> None:
    command = [sys.executable, "-m", "emulator", "invoke", "Basic", "-t", str(functions / "basic" / "template.yaml")]
    process = subprocess.Popen([*command, "-e", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write('{"act": "sleep", "s": 1.5}')
    process.stdin.close()
    assert any(line.startswith("START") for line in process.stderr)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == 130
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
