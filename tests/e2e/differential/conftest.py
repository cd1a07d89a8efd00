"""One project run by SAM CLI in Docker and by the emulator, and the corpus sent through both, once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.differential.case import Case
from tests.e2e.differential.corpus import HTTP_API
from tests.e2e.differential.exchange import Exchange, send
from tests.e2e.processes import BackgroundCommand, free_port

ROOT = Path(__file__).resolve().parents[3]
PROJECT = Path(__file__).parent / "project"
SAM_START_LIMIT_S, EMULATOR_START_LIMIT_S = 180, 60

Answers = Mapping[str, Exchange]


@pytest.fixture(scope="session")
def answers_of_sam(sam_environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What `sam local start-api` answers to each case."""
    # Containers are made at the first call: making all of them at once takes longer than the corpus.
    command = ["sam", "local", "start-api", "--warm-containers", "LAZY"]
    folder = tmp_path_factory.mktemp("sam")
    with _serving(command, sam_environ, folder, SAM_START_LIMIT_S) as port:
        return _send_all(port)


@pytest.fixture(scope="session")
def answers_of_the_emulator(local_environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the emulator answers to each case."""
    command = [sys.executable, "-m", "emulator", "start-api", "--template", "template.yaml"]
    folder = tmp_path_factory.mktemp("emulator")
    with _serving(command, local_environ, folder, EMULATOR_START_LIMIT_S) as port:
        return _send_all(port)


@contextmanager
def _serving(command: list[str], environ: Mapping[str, str], folder: Path, limit_s: float) -> Iterator[int]:
    """Run a copy of the project: SAM CLI makes its containers anew if anybody writes into the code's folder."""
    project = shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    port = free_port()
    server = BackgroundCommand([*command, "--port", str(port)], environ=environ, cwd=project, log=folder / "log")
    with server:
        server.wait_until_answering(f"http://127.0.0.1:{port}/not/a/route", timeout_s=limit_s)
        yield port


def _send_all(port: int) -> dict[str, Exchange]:
    return {case.name: send(port, case) for case in HTTP_API}


@pytest.fixture(params=HTTP_API, ids=[case.name for case in HTTP_API])
def case(request: pytest.FixtureRequest) -> Case:
    """One case of the corpus."""
    return request.param
