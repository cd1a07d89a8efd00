"""The template's subscription delivers a function's log to a bucket, with real processes on both sides."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from processes import emulator_process
from tests.integration.emulator.conftest import Running, Start
from tests.integration.emulator.lambda_client import ONE_ATTEMPT, invoke, until

INTERVAL_S = 0.5
# What writing an object may take on a busy machine.
ALLOWANCE_S = 3.0
_names = itertools.count()


class LogBucket:
    """The bucket of one test."""

    def __init__(self, url: str) -> None:
        self.name = f"logs-{next(_names)}"
        self._client = boto3.client("s3", endpoint_url=url)
        self._client.create_bucket(Bucket=self.name)

    @property
    def keys(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    @property
    def lines(self) -> list[dict[str, Any]]:
        bodies = (self._client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in self.keys)
        return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]

    @property
    def said(self) -> list[int]:
        return [line["number"] for line in self.lines if line.get("kind") == "said"]


@pytest.fixture
def bucket(local_bucket_url: str) -> LogBucket:
    return LogBucket(local_bucket_url)


def start_talking(start: Start, functions: Path, bucket_url: str, bucket: str) -> Running:
    return start(
        "start-lambda", "-p", "0", "-t", str(functions / "logging" / "template.yaml"), "--s3-endpoint", bucket_url,
        "--delivery-interval", str(INTERVAL_S), "--parameter-overrides", f"Logs={bucket}",
    )  # fmt: skip


@contextlib.contextmanager
def client_of(running: Running) -> Iterator[Any]:
    client = boto3.client("lambda", endpoint_url=running.url, config=ONE_ATTEMPT)
    yield client
    client.close()


def status_of(running: Running) -> dict[str, Any]:
    with urllib.request.urlopen(f"{running.url}/_emulator/status", timeout=10) as answer:
        return json.loads(answer.read())["logDelivery"][0]


@pytest.mark.fidelity("log-delivery", "object-names")
def test_matching_lines_reach_the_bucket(
    start: Start, functions: Path, local_bucket_url: str, bucket: LogBucket
) -> None:
    running = start_talking(start, functions, local_bucket_url, bucket.name)
    with client_of(running) as client:
        assert invoke(client, "Talking", {"number": 1})[0] == "Group"
        # A line of 200 KB stays one.
        invoke(client, "Talking", {"number": 2, "pad": 200_000})
        invoke(client, "Talking", {"number": 3, "act": "exit"})
        invoke(client, "Talking", {"number": 4, "act": "sleep"})
        until(lambda: len(bucket.lines) == 6)
        invoke(client, "Talking", {"number": 5})
    # What is in the buffer at the end is delivered, too.
    assert running.stop() == 0
    assert bucket.said == [1, 2, 3, 4, 5]
    reports = [line["record"] for line in bucket.lines if line.get("type") == "platform.report"]
    assert [report["status"] for report in reports] == ["error", "timeout"]
    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert all(key.startswith("log/dt=") and "/Stream-1-" in key and key.endswith(".gz") for key in bucket.keys)
    assert any(day in key for key in bucket.keys)


@pytest.mark.fidelity("delivery-after-kill")
def test_kill_9_loses_at_most_the_buffer(
    start: Start, functions: Path, local_bucket_url: str, bucket: LogBucket
) -> None:
    running = start_talking(start, functions, local_bucket_url, bucket.name)
    answered: list[float] = []
    with client_of(running) as client:
        while len(answered) % 50 or len(bucket.keys) < 10:
            invoke(client, "Talking", {"number": len(answered)})
            answered.append(time.monotonic())
        running.kill()
        killed = time.monotonic()
    # Objects of one second aren't listed in order.
    said = sorted(bucket.said)
    # Whole objects, each line once; what is missing are the last ones.
    assert said == list(range(len(said)))
    missing_s = killed - answered[len(said)] if len(said) < len(answered) else 0.0
    print(f"kill -9: missing {len(answered) - len(said)} of {len(answered)} lines, the oldest {missing_s:.2f} s old")
    assert missing_s <= INTERVAL_S + ALLOWANCE_S


@pytest.mark.fidelity("delivery-retries")
def test_requests_go_on_while_the_bucket_is_away_and_nothing_is_lost(
    start: Start, functions: Path, tmp_path: Path
) -> None:
    data = ("--data-dir", str(tmp_path / "data"))
    with emulator_process(tmp_path, "bucket", *data) as (_, url):
        bucket = LogBucket(url)
        running = start_talking(start, functions, url, bucket.name)
        with client_of(running) as client:
            invoke(client, "Talking", {"number": 0})
            until(lambda: bucket.said == [0])
    with client_of(running) as client:
        for number in range(1, 30):
            assert invoke(client, "Talking", {"number": number})[0] == "Group"
        until(lambda: status_of(running)["failure"] is not None)
        port = url.rpartition(":")[2]
        with emulator_process(tmp_path, "bucket", *data, "--port", port):
            until(lambda: len(bucket.said) == 30)
            # Objects of one second are listed in any order.
            assert sorted(bucket.said) == list(range(30))
            assert (status_of(running)["failure"], status_of(running)["droppedLines"]) == (None, 0)
            assert running.stop() == 0
    assert running.log.count("can't be delivered") == 1
    assert running.log.count("delivered again") == 1


@pytest.mark.fidelity("delivery-retries")
def test_a_bucket_that_never_answers_keeps_nobody_from_stopping(start: Start, functions: Path, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = start_talking(start, functions, url, "logs")
        with client_of(running) as client:
            assert invoke(client, "Talking", {"number": 0})[0] == "Group"
            threading.Event().wait(INTERVAL_S)
            assert invoke(client, "Talking", {"number": 1})[0] == "Group"
        assert running.stop() == 0
    assert "of the log were not delivered" in running.log


def test_without_a_bucket_the_emulator_says_that_nothing_is_delivered(start: Start, functions: Path) -> None:
    template = str(functions / "logging" / "template.yaml")
    running = start("start-lambda", "-p", "0", "-t", template, "--parameter-overrides", "Logs=logs")
    with client_of(running) as client:
        assert invoke(client, "Talking", {"number": 0})[0] == "Group"
    assert "Subscription: the log isn't delivered; name the bucket's server with --s3-endpoint" in running.log
