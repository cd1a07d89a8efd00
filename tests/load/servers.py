"""The servers that are measured, each in processes of its own on loopback, and how each is asked."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import run
from typing import Any

from http_load import Target, make_request

from peerloan.stack import UNTHROTTLED, docker_bridge_address
from tests.e2e import docker
from tests.e2e.processes import BackgroundCommand, free_port

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
IMPORTS = [str(ROOT / part) for part in ("", "layers/shared", "functions/predict")]
BUCKET = "models"
RECORD = json.loads(json.loads((ROOT / "events/one-record.json").read_text())["body"])
_JSON = {"Content-Type": "application/json"}
_START_LIMIT_S = 180.0
_SAM_SLOWNESS = 2.0


@dataclass(frozen=True)
class Server:
    """One of the servers.

    Parameters
    ----------
    name : str
        One of `bench_service.NAMES`.
    target : Target
        How it is asked.
    pid : int
        Its first process.
    expected : Any
        What its answer holds: a probability, or the record itself.
    patience : float
        How much longer than others it is measured, since it answers less often.
    """

    name: str
    target: Target
    pid: int
    expected: Any
    patience: float = 1.0

    def check(self, body: bytes) -> None:
        """Raise ``AssertionError`` if an answer is not what was asked for."""
        answer = json.loads(body)
        if isinstance(self.expected, float):
            probability = answer["late_probability"] if "late_probability" in answer else _probability(answer)
            assert abs(probability - self.expected) < 1e-9, f"{self.name} answers {probability}, not {self.expected}"
        else:
            assert answer == self.expected, f"{self.name} answers {answer}"


@dataclass(frozen=True)
class Bench:
    """Where everything is: a folder for logs, the model's file, the bucket, and the probability that is expected."""

    folder: Path
    model_file: Path
    bucket_url: str
    expected: float

    def variables(self, bucket_host: str = "127.0.0.1") -> dict[str, str]:
        """Return the variables of the project's function."""
        url = self.bucket_url.replace("127.0.0.1", bucket_host)
        return {"MODEL_BUCKET": BUCKET, "AWS_ENDPOINT_URL_S3": url}


def environ(**more: str) -> dict[str, str]:
    """Return the environment of a server: no account, one thread for each model, compiled modules kept."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    fixed = {"PYTHONPATH": os.pathsep.join(IMPORTS), "OMP_NUM_THREADS": "1", "SAM_CLI_TELEMETRY": "0"}
    return {**inherited, **fixed, **more}


@contextmanager
def serve_emulator(bench: Bench, name: str = "emulator") -> Iterator[Server]:
    """Run the project's own template, without its limits on requests, which the others have not."""
    words = (*UNTHROTTLED, "AuthMode=open")
    with start_emulator(bench, name, ROOT / "template.yaml", bench.variables(), words) as (port, pid):
        yield Server(name, _predict_target(port), pid, bench.expected)


@contextmanager
def serve_emulator_empty(bench: Bench) -> Iterator[Server]:
    """Run a function that does nothing."""
    with start_emulator(bench, "emulator-empty", HERE / "functions/template.yaml", {}) as (port, pid):
        yield Server("emulator-empty", _record_target(port, "/empty"), pid, RECORD)


@contextmanager
def serve_emulator_held(bench: Bench, *, snap_start: bool) -> Iterator[Server]:
    """Run the project's function, each call held for a second."""
    name = "held-snapstart" if snap_start else "held-plain"
    words = ["--parameter-overrides", f"SnapStart={'PublishedVersions' if snap_start else 'None'}"]
    with start_emulator(bench, name, HERE / "functions/held.yaml", bench.variables(), words) as (port, pid):
        yield Server(name, _predict_target(port), pid, bench.expected)


@contextmanager
def serve_fastapi(bench: Bench) -> Iterator[Server]:
    """Run the peer on the pickled model: two workers, no access log."""
    with _uvicorn(bench, "fastapi", "peer_fastapi:app", workers=2) as (port, pid):
        yield Server("fastapi", _predict_target(port), pid, bench.expected)


@contextmanager
def serve_echo(bench: Bench) -> Iterator[Server]:
    """Run the bare application on one worker."""
    with _uvicorn(bench, "echo", "peer_echo:app", workers=1) as (port, pid):
        yield Server("echo", _record_target(port, "/"), pid, RECORD)


@contextmanager
def serve_sam(bench: Bench) -> Iterator[Server]:
    """Build the project, and run it with SAM CLI in one warm container."""
    build = bench.folder / "sam-build"
    command = ["sam", "build", "--build-dir", str(build), "--cache-dir", str(bench.folder / "sam-cache")]
    # The interpreter that builds needs pip, which the one that measures has.
    run(command, cwd=ROOT, env=environ(PYTHON=sys.executable), capture_output=True, check=True)
    # SAM CLI sets only variables that the template declares.
    variables = bench.variables("host.docker.internal")
    with _sam(bench, "sam", build / "template.yaml", variables) as (port, pid):
        yield Server("sam", _predict_target(port), pid, bench.expected, _SAM_SLOWNESS)


@contextmanager
def serve_sam_empty(bench: Bench) -> Iterator[Server]:
    """Run the functions that do nothing with SAM CLI."""
    # A copy: what a container has mounted says whose it is.
    functions = shutil.copytree(HERE / "functions", bench.folder / "sam-functions")
    with _sam(bench, "sam-empty", functions / "template.yaml", {}) as (port, pid):
        yield Server("sam-empty", _record_target(port, "/empty"), pid, RECORD, _SAM_SLOWNESS)


def one_second_target(server: Server) -> Target:
    """Return how to ask a server of the functions that do nothing for the one that waits."""
    return _record_target(server.target.port, "/one-second")


def why_no_sam() -> str | None:
    """Return what is missing for SAM CLI, or None."""
    if shutil.which("sam") is None:
        return "sam is not on the PATH (make sam-setup installs it into .sam-venv)"
    if shutil.which("docker") is None:
        return "docker is not on the PATH"
    if run(["docker", "info"], capture_output=True, check=False).returncode:
        return "the Docker daemon does not answer"
    return None


def bucket_hosts() -> list[str]:
    """Return where the bucket listens: on loopback, and where there is SAM CLI, on Docker's bridge."""
    bridge = None if why_no_sam() else docker_bridge_address()
    return ["127.0.0.1", *([bridge] if bridge else [])]


def _predict_target(port: int) -> Target:
    return _record_target(port, "/predict")


def _record_target(port: int, path: str) -> Target:
    return Target(port, make_request("POST", path, json.dumps(RECORD).encode(), _JSON))


def _probability(answer: Mapping[str, Any]) -> float:
    (prediction,) = answer["predictions"]
    return float(prediction["late_probability"])


@contextmanager
def start_emulator(
    bench: Bench,
    name: str,
    template: Path,
    variables: Mapping[str, str],
    more: Sequence[str] = (),
    command: str = "start-api",
) -> Iterator[tuple[int, int]]:
    """Run a template in a folder of its own; yield the port of its API, or of Lambda's, and the process."""
    words = [
        command,
        "--no-config",
        "--template",
        str(template),
        "--env-vars",
        str(_env_vars(bench, name, variables)),
        *more,
    ]
    # A folder of its own, where it may keep what it keeps.
    folder = bench.folder / name
    folder.mkdir()
    with _listening(bench, name, [sys.executable, "-m", "emulator", *words], environ(), folder) as started:
        yield started


@contextmanager
def _uvicorn(bench: Bench, name: str, app: str, workers: int) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "uvicorn", app, "--workers", str(workers), "--no-access-log"]
    settings = environ(MODEL_FILE=str(bench.model_file))
    with _listening(bench, name, [*command, "--log-level", "warning"], settings, HERE) as started:
        yield started


@contextmanager
def _sam(bench: Bench, name: str, template: Path, variables: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    command = ["sam", "local", "start-api", "--template", str(template), "--warm-containers", "EAGER"]
    # SAM CLI knows neither JWT nor IAM authorizers.
    command += ["--disable-authorizer", "--add-host", "host.docker.internal:host-gateway"]
    command += ["--env-vars", str(_env_vars(bench, name, variables))]
    # A base image that was built here is in no registry: SAM CLI must not ask one about it.
    offline = {"SAM_SKIP_PULL_IMAGE": "true"} if docker.is_base_image_our_own() else {}
    try:
        with _listening(bench, name, command, environ(**offline), bench.folder) as started:
            yield started
    finally:
        for container_id in docker.containers_that_mount(template.parent):
            docker.remove_container(container_id)


@contextmanager
def _listening(
    bench: Bench, name: str, command: list[str], variables: Mapping[str, str], cwd: Path
) -> Iterator[tuple[int, int]]:
    port = free_port()
    log = bench.folder / f"{name}.log"
    with BackgroundCommand([*command, "--port", str(port)], environ=variables, cwd=cwd, log=log) as process:
        process.wait_until_answering(f"http://127.0.0.1:{port}/", timeout_s=_START_LIMIT_S)
        yield port, process.pid


def _env_vars(bench: Bench, name: str, variables: Mapping[str, str]) -> Path:
    path = bench.folder / f"{name}-env.json"
    path.write_text(json.dumps({"Parameters": dict(variables)}))
    return path
