"""``peerloan outcomes`` and ``purge`` with the buckets of a stack on AWS: real clients of moto's S3."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from command_line import run_peerloan
from log_texts import log_text, pack
from model_watch.loan_hash import LoanHasher

KEY = "k" * 40
BUCKETS = ("--bucket", "models", "--log-bucket", "loan-log")
DAY = datetime(2026, 3, 12, 12, tzinfo=UTC)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two buckets; the log has a prediction of loans LN-1 and LN-2."""
    for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("LOAN_HASH_KEY", KEY)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    loans = [LoanHasher(KEY).hash(loan) for loan in ("LN-1", "LN-2")]
    with mock_aws():
        client = boto3.client("s3")
        for bucket in ("models", "loan-log"):
            client.create_bucket(Bucket=bucket)
        body = pack([log_text(1, DAY, records=2, loans=loans)])
        client.put_object(Bucket="loan-log", Key="log/dt=2026-03-12/a.gz", Body=body)
        yield client


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "outcomes.csv"
    source.write_text("loan_id,is_late\nLN-1,1\nLN-2,0\nLN-3,0\n")
    return source


def run(*words: str) -> tuple[int, str]:
    done = run_peerloan(*BUCKETS, *words)
    return done.returncode, done.stdout + done.stderr


def test_outcomes_are_imported_listed_and_purged(s3: Any, source: Path) -> None:
    code, output = run("outcomes", "import", str(source), "--as-of", "2026-07-01")
    assert (code, "Imported 3 outcomes (1 late)" in output) == (0, True), output
    assert "no prediction of 1 loans" in output
    (entry,) = s3.list_objects_v2(Bucket="models", Prefix="late-payer/outcomes/")["Contents"]

    code, output = run("outcomes", "import", str(source), "--as-of", "2026-07-01", "--json")
    assert (code, json.loads(output)["is_new"]) == (0, False)
    assert "imported before" in run("outcomes", "import", str(source), "--as-of", "2026-07-01", "--without-log")[1]

    code, output = run("outcomes", "list", "--json")
    assert [f"late-payer/outcomes/{row['digest']}.json.gz" for row in json.loads(output)] == [entry["Key"]]
    assert run("outcomes", "list")[1].splitlines()[1].split()[:5] == [
        "2026-07-01",
        "2026-07-01",
        "2026-07-01",
        "1",
        "2",
    ]

    assert (
        "Removed 1 records in 1 lines of 1 objects of the log, and 1 outcomes"
        in run("purge", "--loan-id", "LN-1", "--yes")[1]
    )
    code, output = run("purge", "--loan-id", "LN-1", "--yes")
    assert (code, "Nothing names the loan" in output) == (0, True)
    (rest,) = s3.list_objects_v2(Bucket="models", Prefix="late-payer/outcomes/")["Contents"]
    assert rest["Key"] != entry["Key"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--as-of", "2999-01-01"), "isn't a day from 1970-01-01 to today"),
        (("--as-of", "1.7.2026"), "isn't a date: write it as 2026-07-15"),
        (("--as-of", "1969-12-31"), "isn't a day from"),
    ],
)
def test_a_day_that_can_not_be_right_is_refused(s3: Any, source: Path, words: tuple[str, ...], message: str) -> None:
    code, output = run("outcomes", "import", str(source), *words)
    assert (code, message in output) == (2, True), output


def test_the_rejects_file_never_replaces_the_outcomes(s3: Any, source: Path) -> None:
    code, output = run("outcomes", "import", str(source), "--as-of", "2026-07-01", "--rejects", str(source))
    assert (code, "Give another --rejects" in output) == (2, True)
    assert source.read_text().startswith("loan_id")


def test_without_the_functions_key_nothing_is_imported(s3: Any, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOAN_HASH_KEY")
    code, output = run("outcomes", "import", str(source), "--as-of", "2026-07-01")
    assert (code, "LOAN_HASH_KEY" in output) == (2, True)


def test_a_log_that_is_not_named_can_be_left_out(s3: Any, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOG_BUCKET", raising=False)
    words = ("outcomes", "import", str(source), "--as-of", "2026-07-01")
    assert run_peerloan("--bucket", "models", *words).returncode == 2
    done = run_peerloan("--bucket", "models", *words, "--without-log", "--json")
    assert (done.returncode, json.loads(done.stdout)["unknown_loans"]) == (0, None)


def test_a_purge_asks_first(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    code, output = run("purge", "--loan-id", "LN-1")
    assert (code, "It can't be restored" in output) == (1, True)
    removed = json.loads(run("purge", "--loan-id", "LN-1", "--yes", "--json")[1])
    assert (removed["objects"], removed["records"]) == (1, 1)
