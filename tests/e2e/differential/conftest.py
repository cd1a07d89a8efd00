"""Each project run by SAM CLI in Docker and by the emulator, and its corpus sent through both, once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.differential.case import HOST
from tests.e2e.differential.doors import Door
from tests.e2e.differential.exchange import Exchange, send
from tests.e2e.processes import BackgroundCommand, free_port

START_LIMIT_S = 180

# Door → case → what came back.
Ask = Callable[[Door], Mapping[str, Exchange]]


@pytest.fixture(scope="session")
def ask_sam(sam_environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Return what `sam local` answers to each case."""

    def ask(door: Door) -> Mapping[str, Exchange]:
        # Containers are made at the first call: making all of them at once takes longer than the corpus.
        command = ["sam", "local", door.command, "--warm-containers", "LAZY"]
        return _ask(door, command, sam_environ, tmp_path_factory.mktemp("sam"))

    return _once(ask)


@pytest.fixture(scope="session")
def ask_the_emulator(local_environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Return what the emulator answers to each case."""

    def ask(door: Door) -> Mapping[str, Exchange]:
        # The corpus names a domain in Host, which Lambda's own API refuses unless it was named at start.
        command = [sys.executable, "-m", "emulator", door.command, "--template", "template.yaml", "--allow-host", HOST]
        return _ask(door, command, local_environ, tmp_path_factory.mktemp("emulator"))

    return _once(ask)


def _once(ask: Ask) -> Ask:
    """Return a function that asks each door once and keeps the answers, or the error, for hundreds of tests."""
    answers: dict[Door, Future[Mapping[str, Exchange]]] = {}

    def ask_once(door: Door) -> Mapping[str, Exchange]:
        if door not in answers:
            answers[door] = Future()
            try:
                answers[door].set_result(ask(door))
            except Exception as error:  # noqa: BLE001 - raised where the answer is read
                answers[door].set_exception(error)
        return answers[door].result()

    return ask_once


def _ask(door: Door, command: list[str], environ: Mapping[str, str], folder: Path) -> dict[str, Exchange]:
    with _serving(door.project, command, environ, folder) as port:
        return {case.name: send(port, case, door.read_body) for case in door.cases}


@contextmanager
def _serving(source: Path, command: list[str], environ: Mapping[str, str], folder: Path) -> Iterator[int]:
    """Run a copy of a project: SAM CLI makes its containers anew if anybody writes into the code's folder."""
    project = shutil.copytree(source, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    port = free_port()
    server = BackgroundCommand([*command, "--port", str(port)], environ=environ, cwd=project, log=folder / "log")
    with server:
        server.wait_until_answering(f"http://127.0.0.1:{port}/not/a/route", timeout_s=START_LIMIT_S)
        yield port
