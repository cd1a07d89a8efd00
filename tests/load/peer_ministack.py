"""MiniStack beside the emulator: the same two functions, called by Lambda's own Invoke."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
from elasticity import Burst, burst_of_invocations, forget_environments, median_burst
from http_load import Target, make_request
from servers import HERE, RECORD, ROOT, Bench, Server, environ, start_emulator

from tests.e2e.processes import BackgroundCommand, free_port

PYTHON = ROOT / ".ministack-venv/bin/python"
REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/bench"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
_EVENT = json.dumps({"body": json.dumps(RECORD)}).encode()
_ANSWER = {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(RECORD)}
# Servers that answer several services on one port find the service in the signature, which they don't check.
_HEADERS = {
    "Content-Type": "application/json",
    "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/lambda/aws4_request, SignedHeaders=host, "
    "Signature=0",
}
_START_LIMIT_S = 60.0
_PATIENCE = 2.0


def why_no_ministack() -> str | None:
    """Return what is missing for MiniStack, or None."""
    return None if PYTHON.exists() else f"{PYTHON.relative_to(ROOT)} is missing (make ministack-setup installs it)"


def ministack_version() -> str:
    """Return the version that is installed in the environment of its own."""
    (folder,) = PYTHON.parents[1].glob("lib/python*/site-packages/ministack-*.dist-info")
    return folder.name.removeprefix("ministack-").removesuffix(".dist-info")


def invoke_target(port: int, function: str) -> Target:
    """Return how to call a function by Lambda's API."""
    return Target(port, make_request("POST", f"/2015-03-31/functions/{function}/invocations", _EVENT, _HEADERS))


@contextmanager
def serve_emulator_invoke(bench: Bench) -> Iterator[Server]:
    """Run the functions that do next to nothing behind Lambda's API of the emulator."""
    template = HERE / "functions/invoke.yaml"
    with start_emulator(bench, "emulator-invoke", template, {}, command="start-lambda") as (port, pid):
        yield Server("emulator-invoke", invoke_target(port, "Empty"), pid, _ANSWER)


@contextmanager
def serve_ministack(bench: Bench) -> Iterator[Server]:
    """Run the same functions in MiniStack, which starts a process for each by its own Python, as the emulator does."""
    folder = bench.folder / "ministack"
    folder.mkdir()
    with start_ministack(folder) as (port, pid):
        create_function(port, "Empty", "app.empty")
        yield Server("ministack", invoke_target(port, "Empty"), pid, _ANSWER, _PATIENCE)


@contextmanager
def start_ministack(folder: Path) -> Iterator[tuple[int, int]]:
    """Run MiniStack in a folder; yield its port and the process once it answers."""
    port = free_port()
    settings = environ(
        GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", LAMBDA_EXECUTOR="local", IOT_MTLS_ENABLED="0",
        MINISTACK_REGION=REGION, TMPDIR=str(folder), PYTHONPATH="", **_CREDENTIALS,
    )  # fmt: skip
    command = [str(PYTHON), "-m", "ministack"]
    with BackgroundCommand(command, environ=settings, cwd=folder, log=folder / "ministack.log") as process:
        process.wait_until_answering(f"http://127.0.0.1:{port}/_ministack/health", timeout_s=_START_LIMIT_S)
        yield port, process.pid


def create_function(port: int, name: str, handler: str) -> None:
    """Create a function of the benchmark's code, and wait until it can be called."""
    client = _client(port)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / "functions/code/app.py", "app.py")
    client.create_function(
        FunctionName=name, Handler=handler, Runtime="python3.13", Role=ROLE, Timeout=29, MemorySize=512,
        Code={"ZipFile": package.getvalue()},
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    client.close()


def measure_bursts(ours: Server, theirs: Server | None, calls: int, times: int) -> dict[str, Burst]:
    """Return the median bursts of invocations of a function that has no environment; both are asked in turns."""
    bursts: dict[str, list[Burst]] = {}
    own = {
        name: replace(ours, target=invoke_target(ours.target.port, function))
        for name, function in (("invoke", "OneSecond"), ("invoke-snapstart", "OneSecondSnapStart:live"))
    }
    for number in range(times):
        for name, server in own.items():
            forget_environments(server, is_forked=name == "invoke-snapstart")
            bursts.setdefault(name, []).append(burst_of_invocations(server.target, calls))
        if theirs is not None:
            # A new function has no environment. It knows no SnapStart.
            function = f"OneSecond{number}"
            create_function(theirs.target.port, function, "app.one_second")
            burst = burst_of_invocations(invoke_target(theirs.target.port, function), calls)
            bursts.setdefault("ministack", []).append(burst)
    return {name: median_burst(taken) for name, taken in bursts.items()}


def _client(port: int) -> Any:
    os.environ.pop("AWS_PROFILE", None)
    return boto3.client(
        "lambda", endpoint_url=f"http://127.0.0.1:{port}", region_name=REGION, aws_access_key_id="test",
        aws_secret_access_key="test",
    )  # fmt: skip
