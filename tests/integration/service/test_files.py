"""A file that is dropped into the emulator's bucket is scored by the template's own function, which is killed twice.

``PEERLOAN_FILES_ROWS`` says how many rows the file has; `make bench-files` takes two million.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batch_scoring.scores import VersionScorer
from model_artifact.loading import load_version
from model_registry.errors import ObjectNotFoundError
from model_registry.reader import RegistryReader
from model_registry.stores.s3 import S3Store, make_s3_client
from peerloan.scoring.score_csv import score_csv
from peerloan.scoring.targets import Targets
from processes import start_emulator, wait_until
from registry_kit import TRUST
from tests.contract.predict_api.api_kit import Registry, inspect_and_compile
from tests.contract.predict_api.loans_kit import pickled
from tests.contract.score_files.files_kit import write_loans

ROOT = Path(__file__).parents[3]
ROWS = int(os.environ.get("PEERLOAN_FILES_ROWS", "300000"))
# Of two million rows, on a machine with other work.
LIMIT_S = 540
IN, OUT = "batch/in/loans.csv", "batch/out/loans.scored.csv"


class Stack:
    """The template's stack in the emulator, with a model in charge."""

    def __init__(self, url: str, bucket_url: str) -> None:
        self._url = url
        client = make_s3_client(bucket_url, region="us-east-1", keys=("test", "test"), read_timeout_s=60)
        self.models, self.files, self.client = S3Store("models", client), S3Store("files", client), client

    def publish(self) -> int:
        registry = Registry(self.models, inspector=inspect_and_compile)
        version = registry.publish(pickled())
        registry.writer.assign("live", version)
        return version

    def document(self, key: str) -> dict[str, Any]:
        """Return a JSON object of the bucket; an empty one while it isn't there."""
        try:
            return dict(json.loads(self.files.get(key, limit_bytes=64 << 20).body))
        except ObjectNotFoundError:
            return {}

    def kill_function(self) -> None:
        with urllib.request.urlopen(f"{self._url}/_emulator/status", timeout=30) as answer:
            functions = json.load(answer)["functions"]
        texts = [json.dumps(function) for function in functions if "ScoreFilesFunction" in json.dumps(function)]
        for pid in re.findall(r'"pid": (\d+)', "".join(texts)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    ready, log = tmp_path / "ready.json", tmp_path / "log.txt"
    process, url = start_emulator(
        ready, "start", "-t", str(ROOT / "template.yaml"), "--no-config", "-p", "0", "--lambda-port", "0",
        "--bucket-port", "0", "--data-dir", str(tmp_path / "data"), "--state-dir", str(tmp_path / "state"),
        "--no-watch", "--async-retry-waits", "0.05,0.05", "--parameter-overrides",
        "BatchScoring=on BatchBucketName=files ModelBucketName=models LogBucketName=log AuthMode=open",
        log=log,
    )  # fmt: skip
    bucket_url = next(
        line.split("Bucket running on ")[1].split()[0]
        for line in log.read_text().splitlines()
        if "Bucket running on " in line
    )
    stack = Stack(url, bucket_url)
    yield stack
    stack.client.close()
    process.terminate()
    assert process.wait(timeout=30) == 0


def test_a_dropped_file_is_scored_although_its_function_is_killed_twice(stack: Stack, tmp_path: Path) -> None:
    version = stack.publish()
    source = tmp_path / "loans.csv"
    write_loans(source, ROWS, bad_every=1000)
    began = time.monotonic()
    with source.open("rb") as file:
        stack.client.put_object(Bucket="files", Key=IN, Body=file)

    def journal() -> dict[str, Any]:
        return stack.document("batch/journal/loans.csv.json")

    # Before the second part, and then before the next one: each call has at least half of the file before it.
    for run in (1, 2):
        assert wait_until(lambda: run_of(journal()) >= run and bool(journal()["scored"]["parts"]), LIMIT_S)  # noqa: B023
        stack.kill_function()
    assert wait_until(lambda: journal().get("state") == "done", LIMIT_S)
    seconds = time.monotonic() - began
    summary = stack.document(f"{OUT}.summary.json")
    assert (summary["state"], summary["rows"], summary["rejected"]) == ("scored", ROWS - ROWS // 1000, ROWS // 1000)
    assert summary["resumed"] == 2
    scored = tmp_path / "loans.scored.csv"
    targets = Targets(scored, tmp_path / "rejects.csv")
    score_csv(source, targets, VersionScorer(load_version(RegistryReader(stack.models), version, TRUST)))
    assert stack.files.get(OUT, limit_bytes=1 << 30).body == scored.read_bytes()
    assert stack.files.get(f"{OUT}.rejects.csv").body == targets.rejects.read_bytes()
    print(f"files: rows={ROWS} kills=2 seconds={seconds:.1f} worked={summary['seconds']:.1f} bytes=identical")


def run_of(journal: dict[str, Any]) -> int:
    """Return which call is at work; 0 before the first one."""
    return int(journal.get("run", 0))
