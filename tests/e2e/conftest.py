"""SAM CLI and Docker for real: the project built, a bucket that containers reach, two models, and every door open.

Everything is started once, on free ports, and ended at the end; containers that SAM leaves behind are removed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from model_registry.stores.s3 import S3Store, make_s3_client
from peerloan.stack import docker_bridge_address
from registry_kit import PUBLISHER
from tests.contract.predict_api.api_kit import Registry, inspect_and_compile
from tests.contract.predict_api.loans_kit import pickled
from tests.e2e import docker
from tests.e2e.answers import Answer, from_event_answer
from tests.e2e.limits import MARGIN_S, TTL_S
from tests.e2e.processes import BackgroundCommand, Bucket, free_port

ROOT = Path(__file__).resolve().parents[2]
BUCKET_NAME = "peerloan-models"

Invoke = Callable[[Path], dict[str, Any]]


@pytest.fixture(scope="session")
def plain_environ() -> dict[str, str]:
    """This process's environment without AWS's variables: neither an account nor a region may be needed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**environ, "SAM_CLI_TELEMETRY": "0"}


@pytest.fixture(scope="session")
def sam_environ(plain_environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """What SAM CLI is run with; whatever containers it leaves are removed afterwards."""
    for tool, remedy in {"sam": "run make sam-test", "docker": "install Docker"}.items():
        if shutil.which(tool) is None:
            pytest.fail(f"{tool} is not on the PATH: {remedy}")
    before = docker.container_ids()
    # A base image that was built here is in no registry: SAM CLI must not ask one about it.
    offline = {"SAM_SKIP_PULL_IMAGE": "true"} if docker.is_base_image_our_own() else {}
    yield {**plain_environ, **offline}
    for container_id in docker.container_ids() - before:
        docker.remove_container(container_id)


@pytest.fixture(scope="session")
def built(sam_environ: Mapping[str, str]) -> Path:
    """The folder that `sam build` made, typed without flags."""
    done = subprocess.run(["sam", "build"], cwd=ROOT, env=sam_environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ROOT / ".aws-sam" / "build"


@pytest.fixture(scope="session")
def bucket(plain_environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """The project's own local bucket, on loopback and on Docker's bridge."""
    folder = tmp_path_factory.mktemp("bucket")
    bridge = docker_bridge_address()
    hosts = ["127.0.0.1", *([bridge] if bridge else [])]
    port = free_port(hosts)
    listen = [word for host in hosts for word in ("--host", host)]
    listen += ["--allow-host", "host.docker.internal"]
    words = [*listen, "--port", str(port), "--data-dir", str(folder / "data"), "--bucket", BUCKET_NAME]
    command = [sys.executable, "-m", "emulator", "bucket", *words]
    with BackgroundCommand(command, environ=plain_environ, cwd=ROOT, log=folder / "log") as process:
        process.wait_until_answering(f"http://127.0.0.1:{port}", timeout_s=60)
        yield Bucket(f"http://127.0.0.1:{port}", f"http://host.docker.internal:{port}")


@pytest.fixture(scope="session")
def store(bucket: Bucket) -> S3Store:
    """The bucket, by its S3 protocol, with credentials that mean nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return S3Store(BUCKET_NAME, make_s3_client(bucket.url))


@pytest.fixture(scope="session")
def registry(store: S3Store) -> Registry:
    """Two small models: version 1 is a forest's pickle, version 2 boosted trees as arrays; ``live`` points to 1."""
    registry = Registry(store)
    assert registry.publish(pickled("forest")) == 1
    assert registry.publish(pickled("boosted"), inspect=inspect_and_compile) == 2
    registry.writer.assign("live", 1, reason="the tests begin")
    return registry


@pytest.fixture
def live_version_1(registry: Registry) -> None:
    """``live`` points to version 1, and whoever runs knows."""
    if registry.writer.reader.get_alias("live").alias.version != 1:
        registry.writer.assign("live", 1, reason="the next test")
        time.sleep(TTL_S + MARGIN_S)


@pytest.fixture(scope="session")
def variables(bucket: Bucket) -> dict[str, str]:
    """The function's environment in a container: the project's own file, with this bucket and a short TTL."""
    document = json.loads((ROOT / "env-setup/sam-local-env.json").read_text())["PredictFunction"]
    assert document["MODEL_BUCKET"] == BUCKET_NAME
    return {
        **document,
        "AWS_ENDPOINT_URL_S3": bucket.url_for_containers,
        "ALIAS_TTL_SECONDS": str(TTL_S),
        "TRUSTED_PUBLISHERS": PUBLISHER.public_key,
    }


@pytest.fixture(scope="session")
def env_vars_file(variables: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``variables`` as `--env-vars` takes them."""
    path = tmp_path_factory.mktemp("sam") / "env.json"
    path.write_text(json.dumps({"PredictFunction": variables}))
    return path


@pytest.fixture(scope="session")
def invoke(sam_environ: Mapping[str, str], built: Path, registry: Registry, env_vars_file: Path) -> Invoke:
    """Return a function that runs `sam local invoke` with an event file and returns what the handler returned."""

    def invoke_with(event: Path) -> dict[str, Any]:
        command = ["sam", "local", "invoke", "PredictFunction", "-e", str(event), "--env-vars", str(env_vars_file)]
        done = subprocess.run(command, cwd=ROOT, env=sam_environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return invoke_with


@pytest.fixture(scope="session")
def sam_api(
    sam_environ: Mapping[str, str],
    built: Path,
    registry: Registry,
    env_vars_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of a running `sam local start-api`, which has answered once."""
    port = free_port()
    command = ["sam", "local", "start-api", "--port", str(port), "--env-vars", str(env_vars_file)]
    log = tmp_path_factory.mktemp("start-api") / "log"
    with BackgroundCommand(command, environ=sam_environ, cwd=ROOT, log=log) as process:
        process.wait_until_answering(f"http://127.0.0.1:{port}/livez", timeout_s=180)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def local_environ(plain_environ: Mapping[str, str]) -> dict[str, str]:
    """What the project's own programs are run with: no account, and credentials that mean nothing."""
    return {
        **plain_environ,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in (".", "functions/predict", "layers/shared")),
    }


@pytest.fixture(scope="session")
def emulator_api(
    local_environ: Mapping[str, str],
    registry: Registry,
    variables: Mapping[str, str],
    bucket: Bucket,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of the project's own emulator, serving the same template."""
    folder = tmp_path_factory.mktemp("emulator")
    env_vars = folder / "env.json"
    env_vars.write_text(json.dumps({"PredictFunction": {**variables, "AWS_ENDPOINT_URL_S3": bucket.url}}))
    port = free_port()
    words = ["--no-config", "--template", "template.yaml", "--port", str(port), "--env-vars", str(env_vars)]
    words += ["--state-dir", str(folder / "state"), "--parameter-overrides", "AuthMode=open"]
    command = [sys.executable, "-m", "emulator", "start-api", *words]
    with BackgroundCommand(command, environ=local_environ, cwd=ROOT, log=folder / "log") as process:
        process.wait_until_answering(f"http://127.0.0.1:{port}/livez", timeout_s=60)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def handle(
    local_environ: Mapping[str, str],
    registry: Registry,
    variables: Mapping[str, str],
    bucket: Bucket,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Sequence[Mapping[str, Any]]], list[Answer]]:
    """Return a function that answers events with the handler itself, in a fresh process of this Python."""
    environ = {**local_environ, **variables, "AWS_ENDPOINT_URL_S3": bucket.url, "OMP_NUM_THREADS": "1"}
    target = tmp_path_factory.mktemp("handler") / "answers.json"

    def answer_all(events: Sequence[Mapping[str, Any]]) -> list[Answer]:
        command = [sys.executable, str(ROOT / "tests/e2e/in_process_handler.py"), str(target)]
        done = subprocess.run(
            command, env=environ, input=json.dumps(events), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [from_event_answer(answer) for answer in json.loads(target.read_text())]

    return answer_all
