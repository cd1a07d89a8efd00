"""Objects that clients put into the bucket call functions, with real processes on both sides."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from forked_programs import run_program
from tests.integration.emulator.conftest import Running, Start
from tests.integration.emulator.lambda_client import until

BUCKET = "notified"
PART = b"x" * (5 << 20)


@dataclass
class Emulator:
    """An emulator with the template of ``functions/notified``."""

    running: Running
    folder: Path
    s3: Any

    def notes(self, function: str) -> list[dict[str, Any]]:
        path = self.folder / function
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def records(self, function: str) -> list[dict[str, Any]]:
        return [record for note in self.notes(function) for record in note["event"].get("Records", ())]

    def changes(self, function: str = "Noting") -> list[tuple[str, str]]:
        return [(record["eventName"], record["s3"]["object"]["key"]) for record in self.records(function)]

    def put(self, key: str) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"abc")

    def lines(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / "state" / "destinations" / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def fire(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "emulator", "fire", *arguments, "--url", self.running.url]
        return run_program(command)


def flags(functions: Path, folder: Path) -> list[str]:
    return [
        "-t", str(functions / "notified" / "template.yaml"), "--state-dir", str(folder / "state"), "--no-watch",
        "--async-retry-waits", "0.05,0.05", "--parameter-overrides", f"Notes={folder}",
    ]  # fmt: skip


def s3_client(url: str) -> Any:
    # With keys of its own, since a client that lives as long as the module is made before those of a test are set.
    return boto3.client(
        "s3", endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1"
    )


@pytest.fixture(scope="module")
def served(start_for_module: Start, functions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Run ``python -m emulator`` with its own bucket."""
    folder = tmp_path_factory.mktemp("notes")
    running = start_for_module(
        "start", "--lambda-port", "0", "--bucket-port", "0", "--data-dir", str(folder / "data"),
        *flags(functions, folder),
    )  # fmt: skip
    match = re.search(r"Bucket running on (\S+)", running.log)
    assert match is not None
    client = s3_client(match[1])
    yield Emulator(running, folder, client)
    client.close()
    assert running.stop() == 0
    assert "background task" not in running.log


@pytest.fixture
def emulator(served: Emulator) -> Emulator:
    """The same as if it were just started."""
    assert served.running.get("/_emulator/reset", "POST").status == 204
    for note in served.folder.iterdir():
        if note.is_file():
            note.unlink()
    return served


@pytest.mark.fidelity("s3-notifications", "s3-event", "object-events")
def test_changes_of_objects_call_the_function(emulator: Emulator) -> None:
    s3 = emulator.s3
    emulator.put("elsewhere.csv")
    emulator.put("in/a b+ü.csv")
    s3.copy_object(Bucket=BUCKET, Key="in/copy.csv", CopySource={"Bucket": BUCKET, "Key": "elsewhere.csv"})
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="in/large.csv")["UploadId"]
    of_upload = {"Bucket": BUCKET, "Key": "in/large.csv", "UploadId": upload}
    etags = [s3.upload_part(**of_upload, PartNumber=number, Body=PART)["ETag"] for number in (1, 2)]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    s3.complete_multipart_upload(**of_upload, MultipartUpload={"Parts": parts})
    s3.delete_object(Bucket=BUCKET, Key="in/copy.csv")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "in/large.csv"}, {"Key": "elsewhere.csv"}]})
    until(lambda: len(emulator.records("Noting")) == 5)
    assert sorted(emulator.changes()) == [
        ("ObjectCreated:CompleteMultipartUpload", "in/large.csv"),
        ("ObjectCreated:Copy", "in/copy.csv"),
        ("ObjectCreated:Put", "in/a+b%2B%C3%BC.csv"),
        ("ObjectRemoved:Delete", "in/copy.csv"),
        ("ObjectRemoved:Delete", "in/large.csv"),
    ]
    assert {note["arn"].rpartition(":")[2] for note in emulator.notes("Noting")} == {"live"}
    objects = {record["eventName"]: record["s3"]["object"] for record in emulator.records("Noting")}
    put = objects["ObjectCreated:Put"]
    assert (put["size"], put["eTag"], "versionId" in put) == (3, "900150983cd24fb0d6963f7d28e17f72", False)
    assert objects["ObjectCreated:CompleteMultipartUpload"]["size"] == 2 * len(PART)
    assert set(objects["ObjectRemoved:Delete"]) == {"key", "sequencer"}
    # The records of successes go on to another function.
    until(lambda: len(emulator.notes("Collecting")) == 5)
    record = emulator.notes("Collecting")[0]["event"]
    assert (record["requestContext"]["condition"], record["responsePayload"]) == ("Success", "noted")


@pytest.mark.fidelity("invocation-records", "dead-letters")
def test_a_change_whose_function_fails_ends_in_a_file(emulator: Emulator) -> None:
    emulator.put("in/fail.csv")
    until(lambda: bool(emulator.lines("sqs-failed") and emulator.lines("sqs-dead")))
    (record,), (letter,) = emulator.lines("sqs-failed"), emulator.lines("sqs-dead")
    ids = {note["id"] for note in emulator.notes("Noting")}
    assert ids == {record["requestContext"]["requestId"]} == {letter["MessageAttributes"]["RequestID"]["Value"]}
    assert record["requestContext"]["functionArn"].endswith(":function:Noting:live")
    assert record["requestContext"]["approximateInvokeCount"] == len(emulator.notes("Noting")) == 3
    assert record["responsePayload"]["errorMessage"] == "as asked"
    assert record["requestPayload"] == json.loads(letter["Message"]) == emulator.notes("Noting")[0]["event"]
    assert "Noting: what goes to arn:aws:sqs:us-east-1:123456789012:failed is written to" in emulator.running.log


@pytest.mark.fidelity("recursive-loop")
def test_a_function_that_writes_into_its_own_prefix_is_stopped(emulator: Emulator) -> None:
    emulator.put("loop/start")
    until(lambda: bool(emulator.lines("sqs-looped")))
    assert len(emulator.notes("Looping")) == 16
    (record,) = emulator.lines("sqs-looped")
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "called itself 16 times in a row" in emulator.running.log


@pytest.mark.fidelity("asynchronous-retries")
def test_a_function_that_is_killed_and_runs_out_of_time_is_tried_again(emulator: Emulator) -> None:
    emulator.put("batch/in/loans.csv")
    # The second attempt takes the function's whole timeout.
    until((emulator.folder / "finished").exists)
    assert (emulator.folder / "finished").read_text() == "xx"
    assert len({note["id"] for note in emulator.notes("Resuming")}) == 1
    assert emulator.changes("Resuming") == [("ObjectCreated:Put", "batch/in/loans.csv")] * 3


@pytest.mark.fidelity("fire-by-hand")
def test_schedules_rules_and_notifications_are_fired_by_hand(emulator: Emulator, tmp_path: Path) -> None:
    fired = emulator.fire("Nightly")
    assert (fired.returncode, fired.stderr) == (0, "")
    assert re.fullmatch(r"Noting: event \S+ is queued\n", fired.stdout)
    until(lambda: [note["event"].get("source") for note in emulator.notes("Noting")] == ["aws.events"])
    event = tmp_path / "event.json"
    event.write_text('{"source": "mine"}')
    assert emulator.fire("Pattern", "-e", str(event)).returncode == 0
    until(lambda: {"source": "mine"} in [note["event"] for note in emulator.notes("Noting")])
    emulator.put("in/by hand.csv")
    until(lambda: len(emulator.records("Noting")) == 1)
    assert emulator.fire("NotingUpload", "--key", "in/by hand.csv").returncode == 0
    until(lambda: len(emulator.records("Noting")) == 2)
    assert emulator.changes() == [("ObjectCreated:Put", "in/by+hand.csv")] * 2


@pytest.mark.fidelity("fire-by-hand")
def test_what_cannot_be_fired_is_said(emulator: Emulator) -> None:
    def refusal(*arguments: str) -> str:
        refused = emulator.fire(*arguments)
        assert (refused.returncode, refused.stdout) == (1, "")
        return refused.stderr

    assert "use one of: NotingNightly, NotingPattern, Data, NotingUpload" in refusal("Daily")
    assert "there is no object notified/in/none.csv" in refusal("NotingUpload", "--key", "in/none.csv")
    assert emulator.notes("Noting") == []


@pytest.mark.fidelity("object-events")
def test_a_bucket_that_is_started_again_goes_on_telling(start: Start, functions: Path, tmp_path: Path) -> None:
    data = ("--data-dir", str(tmp_path / "data"), "--bucket", BUCKET)
    bucket = start("bucket", "--port", "0", *data)
    running = start("start-lambda", "-p", "0", "--s3-endpoint", bucket.url, *flags(functions, tmp_path))
    emulator = Emulator(running, tmp_path, s3_client(bucket.url))
    emulator.put("in/1.csv")
    until(lambda: len(emulator.records("Noting")) == 1)
    bucket.kill()
    until(lambda: "can't be reached, and is tried again" in running.log)
    start("bucket", "--port", bucket.url.rpartition(":")[2], *data)
    until(lambda: "is asked for what has come since" in running.log and "is there again" in running.log)
    emulator.put("in/2.csv")
    until(lambda: len(emulator.records("Noting")) == 2)
    running.stop()
    assert emulator.changes() == [("ObjectCreated:Put", "in/1.csv"), ("ObjectCreated:Put", "in/2.csv")]
    assert running.log.count("can't be reached") == 1


@pytest.mark.fidelity("object-events")
def test_an_emulator_that_is_started_again_gets_what_it_missed_once(
    start: Start, functions: Path, tmp_path: Path
) -> None:
    bucket = start("bucket", "--port", "0", "--data-dir", str(tmp_path / "data"), "--bucket", BUCKET)
    command = ("start-lambda", "-p", "0", "--s3-endpoint", bucket.url, *flags(functions, tmp_path))
    emulator = Emulator(start(*command), tmp_path, s3_client(bucket.url))
    for number in range(3):
        emulator.put(f"in/{number}.csv")
    until(lambda: len(emulator.records("Noting")) == 3)
    until(lambda: not list((tmp_path / "state" / "queue").iterdir()))
    emulator.running.kill()
    emulator.put("in/3.csv")
    emulator.put("elsewhere.csv")
    emulator.running = start(*command)
    emulator.put("in/4.csv")
    until(lambda: len(emulator.records("Noting")) == 5)
    assert sorted(key for _, key in emulator.changes()) == [f"in/{number}.csv" for number in range(5)]


@pytest.mark.fidelity("events-survive-kill", "object-events")
def test_accepted_events_and_changes_survive_kill_9(start: Start, functions: Path, tmp_path: Path) -> None:
    """The bucket's process ends with the emulator, and with it what it has in memory."""
    command = (
        "start", "--lambda-port", "0", "--bucket-port", "0", "--data-dir", str(tmp_path / "data"),
        *flags(functions, tmp_path),
    )  # fmt: skip
    running = start(*command)
    (bucket_url,) = re.findall(r"Bucket running on (\S+)", running.log)
    emulator = Emulator(running, tmp_path, s3_client(bucket_url))
    client = boto3.client("lambda", endpoint_url=running.url)
    keys, held = {f"in/{number}.csv" for number in range(20)}, set(range(6))
    for number in held:
        event = json.dumps({"number": number, "until": str(tmp_path / "let go")})
        client.invoke(FunctionName="Collecting", InvocationType="Event", Payload=event)
    client.close()
    for key in sorted(keys):
        emulator.put(key)
    running.kill()
    queue = tmp_path / "state" / "queue"
    assert len(list(queue.iterdir())) >= len(held)
    (tmp_path / "let go").touch()
    running = start(*command)
    until(lambda: {key for _, key in emulator.changes()} >= keys)
    until(lambda: {note["event"].get("number") for note in emulator.notes("Collecting")} >= held)
    until(lambda: not list(queue.iterdir()))
    assert running.stop() == 0


@pytest.mark.fidelity("reset", "object-events")
def test_after_a_reset_changes_call_functions_as_before(emulator: Emulator) -> None:
    emulator.put("in/fail.csv")
    until(lambda: bool(emulator.lines("sqs-failed") and emulator.lines("sqs-dead")))
    assert emulator.running.get("/_emulator/reset", "POST").status == 204
    assert not (emulator.folder / "state" / "destinations").exists()
    emulator.put("in/after.csv")
    until(lambda: ("ObjectCreated:Put", "in/after.csv") in emulator.changes())
    assert emulator.changes().count(("ObjectCreated:Put", "in/after.csv")) == 1
    assert emulator.changes() == [("ObjectCreated:Put", "in/fail.csv")] * 3 + [("ObjectCreated:Put", "in/after.csv")]


class _OtherServer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_another_s3_server_is_named_once(start: Start, functions: Path, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _OtherServer)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    running = start("start-lambda", "-p", "0", "--s3-endpoint", url, *flags(functions, tmp_path))
    until(lambda: "isn't a bucket of this emulator (it answers 403): no function is called" in running.log)
    server.shutdown()
    server.server_close()
    assert running.stop() == 0


def test_without_a_bucket_that_is_said(start: Start, functions: Path, tmp_path: Path) -> None:
    running = start("start-lambda", "-p", "0", *flags(functions, tmp_path))
    assert "notified: changes call no function; name the bucket with --s3-endpoint" in running.log
