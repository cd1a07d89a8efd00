"""Outcomes on the whole local stack: real requests, the log that they leave, an import, the vintage, and a purge."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

import pytest

from command_line import run_peerloan
from fitted_pipelines import records
from model_artifact.opening.inspection import inspect_candidate
from model_kit import dumped, small_boosted
from model_monitor.joined.vintages import refresh_vintages
from model_monitor.settings import default_settings
from model_registry.stores.s3 import S3Store, make_s3_client
from model_watch.log_reader import LogReader
from model_watch.prediction_log import LogLine
from peerloan.stack import Stack
from peerloan.workplace import DEFAULT_BUCKET, DEFAULT_LOG_BUCKET
from registry_kit import make_candidate, make_writer

# Botocore's connections are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LOANS = 12
# So that a prediction of today has an outcome today.
NO_WINDOW: Any = SimpleNamespace(outcome_window_days=0, enough=default_settings().enough)


@dataclass
class Running:
    """A running stack whose version 1 has scored loans LN-0, LN-1 and so on."""

    folder: Path
    store: S3Store
    log: S3Store
    lines: list[LogLine]

    def run(self, *words: str) -> Any:
        done = run_peerloan("--state-dir", str(self.folder), *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def days(self) -> list[date]:
        """The days of the requests: two if midnight passes in between."""
        return sorted({line.time.astimezone(UTC).date() for line in self.lines})


def wait_for_lines(log: S3Store, number: int) -> list[LogLine]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        now = datetime.now(UTC)
        new = LogReader(log, "late-payer").read_new(now - timedelta(hours=1), now)
        lines = [line for line in new if isinstance(line, LogLine)]
        if len(lines) >= number:
            return lines
        time.sleep(0.5)
    raise AssertionError("the log didn't arrive")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("outcomes")
    loans = [dict(record) for record in records()][:LOANS]
    with pytest.MonkeyPatch.context() as patch, Stack(folder, DEFAULT_BUCKET, dict(os.environ)) as stack:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.delenv("LOAN_HASH_KEY", raising=False)
        bucket_url = stack.start_bucket(0)
        patch.setenv("AWS_ENDPOINT_URL_S3", bucket_url)
        client = make_s3_client(bucket_url)
        store = S3Store(DEFAULT_BUCKET, client)
        writer = make_writer(store, inspect=inspect_candidate)
        writer.publish(replace(make_candidate(dumped(small_boosted())), probe_records=tuple(loans[:3])))
        writer.assign("live", 1)
        url = stack.start_api(0, bucket_url, alias_ttl_s=0.2, throttled=False)
        for number, loan in enumerate(loans):
            send(f"{url}/predict", {**loan, "loan_id": f"LN-{number}"})
        log = S3Store(DEFAULT_LOG_BUCKET, client)
        yield Running(folder, store, log, wait_for_lines(log, LOANS))
        client.close()


def send(url: str, loan: dict[str, Any]) -> None:
    request = Request(url, json.dumps(loan).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def test_what_became_of_the_loans_is_joined_with_the_answers_that_they_got(running: Running, tmp_path: Path) -> None:
    source = tmp_path / "outcomes.csv"
    rows = [f"LN-{number},{int(number < 5)},{day}" for number in range(LOANS - 1) for day in running.days]
    source.write_text("\n".join(["loan_id,is_late,observed_on", *rows, f"LN-99,1,{running.days[0]}"]))
    as_of = str(running.days[-1])

    imported = running.run("outcomes", "import", str(source), "--as-of", as_of)
    again = running.run("outcomes", "import", str(source), "--as-of", as_of)

    assert (imported["is_new"], again["is_new"], imported["unknown_loans"]) == (True, False, 1)
    assert "unknown_loan" in (tmp_path / "outcomes.csv.rejects.csv").read_text()
    assert [entry["digest"] for entry in running.run("outcomes", "list")] == [imported["digest"]]
    vintages = refresh_vintages(running.store, running.log, "late-payer", NO_WINDOW, running.days[-1])
    first, *others = [vintage.by_version()[1] for vintage in vintages]
    tally = sum(others, first)
    assert (tally.records, tally.mature, tally.known, tally.n_late) == (LOANS, LOANS, LOANS - 1, 5)
    by_loan = sorted(running.lines, key=lambda line: line.time)
    assert tally.expected_late == pytest.approx(sum(line.late_probabilities[0] for line in by_loan[:-1]), abs=1e-6)


def test_a_purged_loan_is_found_no_more(running: Running) -> None:
    purged = running.run("purge", "--loan-id", "LN-11", "--yes")

    assert (purged["objects"], purged["lines"], purged["records"], purged["unreadable"]) == (1, 1, 1, [])
    state = ("--state-dir", str(running.folder))
    assert run_peerloan(*state, "decisions", "LN-11").returncode == 1
    assert run_peerloan(*state, "decisions", "LN-10").returncode == 0
    assert running.run("purge", "--loan-id", "LN-11", "--yes")["records"] == 0
