"""The stores that one contract suite runs against: in memory, moto in-process, and the local bucket over HTTP."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from model_registry.stores.base import ObjectStore
from model_registry.stores.memory import InMemoryStore
from model_registry.stores.s3 import S3Store, make_s3_client

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def local_bucket_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The local bucket as a process of its own, on a free port."""
    folder = tmp_path_factory.mktemp("bucket")
    ready_file = folder / "ready.json"
    command = [sys.executable, "-m", "emulator", "bucket", "--port", "0", "--data-dir", str(folder / "data")]
    process = subprocess.Popen([*command, "--ready-file", str(ready_file)])
    try:
        yield _wait_for_url(process, ready_file)
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(params=["memory", "moto", "local-bucket"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """An empty store of each kind."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = f"contract-{os.getpid()}-{next(_numbers)}"
    if request.param == "memory":
        yield InMemoryStore()
    elif request.param == "moto":
        with mock_aws():
            client = make_s3_client()
            client.create_bucket(Bucket=bucket)
            yield S3Store(bucket, client)
    else:
        client = make_s3_client(request.getfixturevalue("local_bucket_url"))
        client.create_bucket(Bucket=bucket)
        yield S3Store(bucket, client)
        client.close()


def _wait_for_url(process: subprocess.Popen[bytes], ready_file: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if ready_file.exists():
            return str(json.loads(ready_file.read_text())["url"])
        time.sleep(0.05)
    raise AssertionError("the local bucket did not start")
