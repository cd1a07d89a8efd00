"""Files in a bucket, the function that scores them, and ways to end it."""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from batch_scoring.scores import VersionScorer
from model_artifact.loading import load_version
from model_artifact.schema import FIELD_NAMES
from model_registry.reader import RegistryReader
from model_registry.stores.s3 import S3Store, make_s3_client
from peerloan.scoring.score_csv import score_csv
from peerloan.scoring.targets import Targets
from registry_kit import TRUST
from score_files.app import build
from score_files.file_scoring import FileScoring
from score_files.settings import Settings
from tests.contract.predict_api.api_kit import Registry, inspect_and_compile
from tests.contract.predict_api.loans_kit import pickled

KEY = "batch/in/march/loans.csv"
SCORED = "batch/out/march/loans.scored.csv"
REJECTS = f"{SCORED}.rejects.csv"
SUMMARY = f"{SCORED}.summary.json"
JOURNAL = "batch/journal/march/loans.csv.json"
HEADER = ",".join(("loan_id", *FIELD_NAMES)) + "\n"
_ROW = "L{number:0{width}},{amount},0.13,debt_consolidation,{grade},65000,0.41,3 years,14.25,0,RENT\n"
_numbers = itertools.count(1)


class KilledError(BaseException):
    """Stands for SIGKILL. Not an Exception, so that no ``except Exception`` handles it."""


class Context:
    """What Lambda passes beside the event; the time is used up after some looks at it."""

    def __init__(self, request_id: str = "event-1", looks: float = float("inf")) -> None:
        self.aws_request_id = request_id
        self._looks = looks

    def get_remaining_time_in_millis(self) -> int:
        self._looks -= 1
        return 900_000 if self._looks > 0 else 1000


class Bucket:
    """A bucket with a model in charge, and files."""

    def __init__(self, url: str) -> None:
        self.client = make_s3_client(url, region="us-east-1", keys=("test", "test"))
        self.name = f"files-{os.getpid()}-{next(_numbers)}"
        self.client.create_bucket(Bucket=self.name)
        self.store = S3Store(self.name, self.client)
        self.registry = Registry(self.store, inspector=inspect_and_compile)
        self.log: list[dict[str, Any]] = []

    def publish(self, seed: int = 42) -> int:
        """Publish a version, and put it in charge."""
        version = self.registry.publish(pickled(seed=seed))
        self.registry.writer.assign("live", version)
        return version

    def drop(self, content: bytes, key: str = KEY) -> dict[str, Any]:
        """Put a file there, and return the event of it."""
        etag = self.client.put_object(Bucket=self.name, Key=key, Body=content)["ETag"].strip('"')
        entry = {
            "key": quote_plus(key, safe="/"),
            "size": len(content),
            "eTag": etag,
            "sequencer": f"{next(_numbers):016X}",
        }
        return {"Records": [{"s3": {"bucket": {"name": self.name}, "object": entry}}]}

    def function(self, client: Any = None) -> FileScoring:
        """Return the function as another environment of it."""
        client = client or self.client
        seconds = itertools.count()
        return build(
            Settings.from_environ({"MODEL_BUCKET": self.name}),
            self.store,
            client,
            lambda name: S3Store(name, client),
            clock=lambda: float(next(seconds)),
            write=lambda line: self.log.append(json.loads(line)),
        )

    def get(self, key: str) -> bytes:
        return self.store.get(key).body

    def summary(self) -> dict[str, Any]:
        return dict(json.loads(self.get(SUMMARY)))

    def list_keys(self) -> list[str]:
        return self.store.list_keys("batch/out/")

    def uploads(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", ())]

    def on_a_disk(self, content: bytes, version: int, folder: Path) -> tuple[bytes, bytes]:
        """Return what ``peerloan score`` writes: the scored file, and its rejects."""
        source, scored = folder / "loans.csv", folder / "loans.scored.csv"
        source.write_bytes(content)
        targets = Targets(scored, folder / "rejects.csv")
        score_csv(source, targets, VersionScorer(load_version(RegistryReader(self.store), version, TRUST)))
        return scored.read_bytes(), targets.rejects.read_bytes() if targets.rejects.exists() else b""


class Interrupted:
    """A client whose n-th writing call is preceded (or followed) by something."""

    def __init__(self, client: Any, number: int, happen: Callable[[], None], *, after: bool) -> None:
        self._client, self._left, self._happen, self._after = client, number, happen, after

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name in ("get_object", "head_object", "meta", "get_paginator"):
            return call

        def counted(**arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                self._happen()
            answer = call(**arguments)
            if self._left == 0 and self._after:
                self._happen()
            return answer

        return counted


def kill() -> None:
    raise KilledError


@functools.cache
def loans(rows: int, *, bad_every: int = 0) -> bytes:
    """Return a CSV file; every so manieth row is rejected. Long loan ids make it large with few rows to score."""
    return (HEADER + "".join(_lines(rows, bad_every, id_digits=119))).encode()


def write_loans(path: Path, rows: int, *, bad_every: int = 0) -> None:
    """Write a CSV file of any size."""
    with path.open("w", newline="") as file:
        file.write(HEADER)
        file.writelines(_lines(rows, bad_every))


def _lines(rows: int, bad_every: int, id_digits: int = 7) -> Iterator[str]:
    for number in range(rows):
        grade = "" if bad_every and number % bad_every == 0 else "C"
        yield _ROW.format(number=number, width=id_digits, grade=grade, amount=1000 + number % 30_000)
