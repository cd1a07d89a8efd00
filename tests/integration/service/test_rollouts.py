"""Rollouts on the whole local stack: its schedule drives them, its own log judges them, nobody stays at a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from command_line import run_peerloan
from fitted_pipelines import records
from model_artifact.features import frame_from_records
from model_artifact.opening.inspection import inspect_candidate
from model_kit import dumped, small_boosted, small_forest
from model_registry.stores.s3 import S3Store, make_s3_client
from peerloan.load import Answer, load
from peerloan.stack import Stack
from peerloan.workplace import DEFAULT_BUCKET
from registry_kit import make_candidate, make_writer

# Botocore's connections are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LOANS = [dict(record) for record in records()]
CLIENTS = 4
PAUSE_S = 0.02
# What the main version answers, the same in other bytes, and another model.
MODELS = (dumped(small_boosted()), dumped(small_boosted(), compress=6), dumped(small_forest()))


@dataclass
class Running:
    """A running stack with three versions, ``live`` at the first."""

    folder: Path
    url: str
    answers: list[Answer] = field(default_factory=list)

    def run(self, *words: str) -> tuple[int, str]:
        done = run_peerloan("--state-dir", str(self.folder), "rollout", *words)
        return done.returncode, done.stdout + done.stderr

    def roll_out(self, version: int, *words: str) -> int:
        """Roll a version out under load, without driving it from here; return the exit code of watching it."""
        code, output = self.run(
            *("start", "live", "--to", str(version), "--records", str(self.folder / "loans.csv"), "--yes"),
            *("--shadow", "3s", "--steps", "50", "--every", "3s", "--bake", "3s", *words),
        )
        assert code == 0, output
        with self.requests():
            return self.run("watch", "live", "--every", "0.5", "--wait", "3m")[0]

    @contextmanager
    def requests(self) -> Iterator[None]:
        """Send requests until the block ends, each of another loan."""
        ended = threading.Event()
        bodies = [json.dumps(loan).encode() for loan in LOANS]

        async def send() -> None:
            first = len(self.answers)
            keys = load(
                f"{self.url}/predict", bodies, CLIENTS, key_of=lambda number: f"loan-{first + number}", pause_s=PAUSE_S
            )
            async with keys as answers:
                while not ended.is_set():
                    await asyncio.sleep(0.05)
            self.answers += answers

        thread = threading.Thread(target=lambda: asyncio.run(send()))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def last(self) -> dict[str, object]:
        """Return the rollout that was the last."""
        document: dict[str, object] = json.loads(self.run("history", "live", "--json")[1])[-1]
        return document


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("rollouts")
    with pytest.MonkeyPatch.context() as patch, Stack(folder, DEFAULT_BUCKET, dict(os.environ)) as stack:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        bucket_url = stack.start_bucket(0)
        client = make_s3_client(bucket_url)
        writer = make_writer(S3Store(DEFAULT_BUCKET, client), inspect=inspect_candidate)
        for pickle in MODELS:
            writer.publish(replace(make_candidate(pickle), probe_records=tuple(LOANS[:3])))
        writer.assign("live", 1)
        frame_from_records(LOANS).to_csv(folder / "loans.csv", index=False)
        url = stack.start_api(0, bucket_url, alias_ttl_s=0.2, throttled=False, schedule_interval_s=0.5)
        yield Running(folder, url)
        client.close()


def test_a_good_version_is_promoted(running: Running) -> None:
    assert running.roll_out(2) == 0, running.last()
    rollout = running.last()
    assert (rollout["state"], rollout["candidate"]) == ("promoted", 2)
    assert {answer.status for answer in running.answers} == {200}
    assert {answer.version for answer in running.answers} == {1, 2}


@pytest.mark.fault(21)
def test_a_version_that_says_otherwise_than_its_plan_is_taken_back_in_the_shadow(running: Running) -> None:
    running.answers.clear()
    words = ("--expect", "score=-0.0001..0.0001", "--expect", "flips=0.001", "--reason", "it is said to be the same")
    assert running.roll_out(3, *words) == 1, running.last()
    rollout = running.last()
    assert (rollout["state"], rollout["stage"]) == ("rolled_back", 1)
    assert any(name in str(rollout["why"]) for name in ("scores", "decide", "flag"))
    assert {answer.status for answer in running.answers} == {200}
    assert 3 not in {answer.version for answer in running.answers}
