"""An address is checked with its source, and a note that a killed stack left is ignored."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from peerloan.errors import StackNotRunningError, UsageError
from peerloan.running_stack import read_running, try_lock
from peerloan.workplace import DEFAULT_BUCKET, DEFAULT_LOG_BUCKET, Workplace, check_url, remember_data

# Beyond what any system gives to a process.
DEAD_PID = 2**31 - 1


def workplace(environ: dict[str, str], state_dir: Path) -> Workplace:
    start = Workplace(environ=environ, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC), new_id=lambda: "1", who="tester")
    return start.at(bucket=None, endpoint_url=None, model="late-payer", state_dir=state_dir)


def leave_note(state_dir: Path, pid: object) -> None:
    notes = {"pid": pid, "bucket_url": "http://127.0.0.1:19000", "api_url": "http://127.0.0.1:13000"}
    (state_dir / "running.json").write_text(json.dumps(notes))


def test_commands_go_to_the_stack_that_runs(tmp_path: Path) -> None:
    leave_note(tmp_path, os.getpid())
    lock = try_lock(tmp_path)
    assert lock is not None
    assert try_lock(tmp_path) is None
    with lock:
        local = workplace({}, tmp_path)
        assert local.api_url() == "http://127.0.0.1:13000"
    assert local.endpoint_url == "http://127.0.0.1:19000"
    assert local.bucket == DEFAULT_BUCKET


@pytest.mark.parametrize("pid", [DEAD_PID, 2**80, None, "12", pytest.param(os.getpid(), id="this process's own")])
def test_the_note_of_a_stack_that_is_gone_does_not_count(tmp_path: Path, pid: object) -> None:
    leave_note(tmp_path, pid)
    assert read_running(tmp_path) == {}
    nothing_runs(workplace({}, tmp_path))


def nothing_runs(local: Workplace) -> None:
    """Check that no command goes to the default ports, where another folder's stack may listen."""
    for use in (local.api_url, local.lambda_url, local.reader, local.writer, local.log_store):
        with pytest.raises(StackNotRunningError, match=f"No local stack of {local.state_dir} runs.*make run"):
            use()


def test_nothing_is_asked_of_the_default_ports_if_no_stack_runs(tmp_path: Path) -> None:
    nothing_runs(workplace({}, tmp_path))
    elsewhere = workplace({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"}, tmp_path)
    assert elsewhere.reader()
    assert elsewhere.api_url("http://127.0.0.1:3000") == "http://127.0.0.1:3000"
    with pytest.raises(StackNotRunningError, match="name the API with --url"):
        elsewhere.api_url()


def test_beside_a_bucket_alone_sam_local_has_the_default_ports(tmp_path: Path) -> None:
    (tmp_path / "running.json").write_text(json.dumps({"bucket_url": "http://127.0.0.1:19000"}))
    lock = try_lock(tmp_path)
    assert lock is not None
    with lock:
        local = workplace({}, tmp_path)
        assert (local.api_url(), local.lambda_url()) == ("http://127.0.0.1:3000", "http://127.0.0.1:3001")


@pytest.mark.parametrize("note", ["", "[]", "{"])
def test_a_note_that_can_not_be_read_does_not_count(tmp_path: Path, note: str) -> None:
    (tmp_path / "running.json").write_text(note)
    assert read_running(tmp_path) == {}


@pytest.mark.parametrize(
    "url", ["not-a-url", "127.0.0.1:9000", "ftp://host", "http://", "http://[1", "http://host:99999", "http://h:x"]
)
def test_what_isnt_an_address_is_refused_with_its_source(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match=r"--url.*http://HOST:PORT"):
        check_url(url, "--url")
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL_S3"):
        workplace({"AWS_ENDPOINT_URL_S3": url}, tmp_path)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "https://s3.example.org/path", "http://[::1]:9000"])
def test_an_address_is_taken_as_it_is(url: str) -> None:
    assert check_url(url, "--url") == url


def test_later_commands_know_the_data_that_the_stack_was_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    remember_data(tmp_path, {"PEERLOAN_DATA": f"q3.csv{os.pathsep}q4.csv"})
    absolute = f"{tmp_path / 'q3.csv'}{os.pathsep}{tmp_path / 'q4.csv'}"
    assert workplace({}, tmp_path).environ["PEERLOAN_DATA"] == absolute
    assert workplace({"PEERLOAN_DATA": "other.zip"}, tmp_path).environ["PEERLOAN_DATA"] == "other.zip"
    assert "PEERLOAN_DATA" not in workplace({"MODEL_BUCKET": "on-aws"}, tmp_path).environ
    # A start without data forgets nothing: the bucket's models were trained on those.
    remember_data(tmp_path, {})
    assert workplace({}, tmp_path).environ["PEERLOAN_DATA"] == absolute


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"PEERLOAN_DATA": 1}'])
def test_remembered_data_that_can_not_be_read_do_not_count(tmp_path: Path, content: str) -> None:
    (tmp_path / "data.json").write_text(content)
    assert "PEERLOAN_DATA" not in workplace({}, tmp_path).environ


def test_the_logs_bucket_has_a_default_here_and_must_be_named_on_aws(tmp_path: Path) -> None:
    assert workplace({}, tmp_path).log_bucket == DEFAULT_LOG_BUCKET
    assert workplace({"LOG_BUCKET": "mine", "MODEL_BUCKET": "models"}, tmp_path).log_bucket == "mine"
    on_aws = workplace({"MODEL_BUCKET": "models"}, tmp_path)
    with pytest.raises(UsageError, match="--log-bucket or LOG_BUCKET"):
        on_aws.log_store()
    named = on_aws.at(bucket="m", endpoint_url=None, model="late-payer", state_dir=tmp_path, log_bucket="logs")
    assert named.log_bucket == "logs"
