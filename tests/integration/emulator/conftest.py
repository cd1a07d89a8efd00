"""Real processes of the emulator on free ports, ended after each test."""

from __future__ import annotations

import http.client
import json
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from processes import descendants, start_emulator
from tests.integration.emulator.lambda_client import ONE_ATTEMPT


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """A command that is ready."""

    process: subprocess.Popen[bytes]
    url: str
    log_path: Path

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Send one request over a connection of its own."""
        host, port = self.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=40)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def descendants(self) -> set[int]:
        """Return the processes that this one started, and their descendants."""
        return descendants(self.process.pid)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts ``python -m emulator …`` and waits for its ready file."""
    yield from _starter(tmp_path)


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return the same, for processes that live as long as a module's tests."""
    yield from _starter(tmp_path_factory.mktemp("emulator"))


@pytest.fixture(scope="session")
def functions() -> Path:
    """The folder of tiny SAM projects."""
    return Path(__file__).parent / "functions"


def _starter(folder: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def _start(
        *arguments: str,
        file_size_limit: int | None = None,
        open_files_limit: tuple[int, int] | None = None,
        env: dict[str, str] | None = None,
    ) -> Running:
        number = len(started)
        ready, log = folder / f"ready-{number}.json", folder / f"log-{number}.txt"
        if "bucket" not in arguments and "--state-dir" not in arguments:
            # Each process has a state of its own, unless a test is about that.
            arguments = (*arguments, "--state-dir", str(folder / f"state-{number}"))

        def limit() -> None:
            if file_size_limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size_limit, file_size_limit))
            if open_files_limit is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, open_files_limit)

        has_limits = file_size_limit is not None or open_files_limit is not None
        process, url = start_emulator(ready, *arguments, log=log, env=env, prepare=limit if has_limits else None)
        started.append(process)
        return Running(process, url, log)

    yield _start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(start_for_module: Callable[..., Any], functions: Path, local_bucket_url: str) -> Any:
    """Lambda's API for the functions of ``functions/control``."""
    return start_for_module(
        "start-lambda", "-p", "0", "-t", str(functions / "control" / "template.yaml"),
        "--s3-endpoint", local_bucket_url, "--async-retry-waits", "0.05,0.1",
    )  # fmt: skip


@pytest.fixture
def client(server: Any) -> Iterator[Any]:
    """A client of `server` that sends each request once, without boto3's retries."""
    client = boto3.client("lambda", endpoint_url=server.url, config=ONE_ATTEMPT)
    yield client
    client.close()
