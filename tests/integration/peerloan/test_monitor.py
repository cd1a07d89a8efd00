"""The monitor on a running stack: real requests, their own log, imported outcomes; by the command and by the schedule.

Nobody waits until a loan is mature, so the test moves the log back by four months.
"""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from deployed_template import deployed
from fitted_pipelines import records
from model_registry import names
from model_registry.stores.s3 import S3Store, make_s3_client
from peerloan.workplace import DEFAULT_BUCKET, DEFAULT_LOG_BUCKET, LOCAL_CREDENTIALS
from tests.integration.emulator.lambda_client import ONE_ATTEMPT, invoke, until
from tests.integration.peerloan.conftest import Peerloan

# Botocore's connections are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

REQUESTS, BATCH = 3, 40
AGO = timedelta(days=120)
LOANS = [f"LN-{number}" for number in range(REQUESTS * BATCH)]


def predict(url: str, loans: list[str]) -> None:
    """Ask about some loans in one request."""
    fields = records()
    instances = [dict(fields[number % len(fields)]) | {"loan_id": loan} for number, loan in enumerate(loans)]
    body = json.dumps({"instances": instances}).encode()
    request = Request(f"{url}/predict", data=body, headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        assert len(json.load(answer)["predictions"]) == len(loans)


def predictions(log: S3Store) -> list[dict[str, Any]]:
    """Return the delivered lines of the test's own requests; the start asks about a record, too."""
    bodies = [log.get(key).body for key in log.list_keys("log/")]
    texts = [line for body in bodies for line in gzip.decompress(body).splitlines()]
    return [line for line in map(json.loads, texts) if line.get("kind") == "prediction" and line["rows"] == BATCH]


def move_back(log: S3Store) -> date:
    """Give all delivered predictions another day, and their objects its folder; return the day."""
    lines = predictions(log)
    for line in lines:
        line["timestamp"] = (datetime.fromisoformat(line["timestamp"]) - AGO).isoformat()
    day = datetime.fromisoformat(lines[0]["timestamp"]).astimezone(UTC).date()
    for key in log.list_keys("log/"):
        log.delete(key)
    log.put(f"log/dt={day}/moved.jsonl.gz", gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode()))
    return day


def write_outcomes(path: Path, observed_on: date) -> None:
    """Write that each tenth loan was late."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["loan_id", "is_late", "observed_on"])
        writer.writerows([loan, int(number % 10 == 0), observed_on] for number, loan in enumerate(LOANS))


def nightly_event() -> dict[str, Any]:
    """Return what the template's schedule sends for the monitor."""
    rules = [entry.properties for entry in deployed().values() if entry.type == "AWS::Events::Rule"]
    events = [json.loads(target["Input"]) for rule in rules for target in rule["Targets"] if "Input" in target]
    (event,) = [event for event in events if event["job"] == "monitor"]
    return dict(event)


def test_the_command_and_the_nightly_event_say_the_same_of_real_requests(peerloan: Peerloan) -> None:
    peerloan.up()
    running = json.loads((peerloan.folder / "state" / "running.json").read_text())
    client = make_s3_client(running["bucket_url"], region="us-east-1", keys=("local", "local"))
    models, log = S3Store(DEFAULT_BUCKET, client), S3Store(DEFAULT_LOG_BUCKET, client)

    empty = peerloan.run("monitor")
    assert (empty.returncode, empty.stdout.partition(":")[0]) == (6, "not enough data")
    for number in range(REQUESTS):
        predict(running["api_url"], LOANS[number * BATCH : (number + 1) * BATCH])
    until(lambda: len(predictions(log)) == REQUESTS)
    day = move_back(log)
    # A day whose log has gone keeps its tally, but this log hasn't expired.
    for key in models.list_keys("late-payer/monitor/"):
        models.delete(key)
    outcomes = peerloan.folder / "outcomes.csv"
    write_outcomes(outcomes, day + timedelta(days=106))
    assert peerloan.run("outcomes", "import", str(outcomes), "--as-of", str(datetime.now(UTC).date())).returncode == 0

    done = peerloan.run("monitor", "--json", "--page", str(peerloan.folder / "pages" / "monitor.html"))
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]["kind"]) == (6, "not enough data"), done.stderr
    assert report["verdict"]["reason"].startswith(f"Of {len(LOANS)} loans whose outcome is known")
    assert (report["live"]["since"], report["live"]["records"]) == (str(day), len(LOANS))
    found = report["outcomes"]
    assert (found["mature"], found["known"], found["late"]) == (len(LOANS), len(LOANS), len(LOANS) // 10)
    assert "not enough data" in (peerloan.folder / "pages" / "monitor.html").read_text()
    key = names.monitor_report_key("late-payer", "live", date.fromisoformat(report["as_of"]))
    kept = models.get(key).body
    assert json.loads(kept) == report

    lambdas = boto3.client("lambda", endpoint_url=running["lambda_url"], config=ONE_ATTEMPT, **LOCAL_CREDENTIALS)
    models.delete(key)
    found, answer = invoke(lambdas, "OperateFunction", nightly_event())
    assert "FunctionError" not in answer, found
    assert found["verdict"] == report["verdict"]
    if found["as_of"] == report["as_of"]:  # Midnight may have passed in between.
        assert models.get(key).body == kept
    until(lambda: '"kind": "monitor"' in (peerloan.folder / "state" / "start-api.log").read_text())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--as-of", "soon"), "--as-of soon isn't a date"),
        (("--as-of", "2999-01-01"), "isn't a day from 1970-01-01 to today"),
        (("--settings", "nowhere.toml"), "--settings nowhere.toml can't be used"),
    ],
)
def test_wrong_words_are_refused(fresh: Peerloan, words: tuple[str, ...], says: str) -> None:
    done = fresh.run("monitor", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())
