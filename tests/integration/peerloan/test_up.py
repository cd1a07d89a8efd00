"""The local stack as a user runs it: one command up, the printed request, a second start, kills, taken ports."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from model_artifact.schema import FIELD_NAMES
from model_registry.stores.s3 import S3Store, make_s3_client
from model_watch.loan_hash import LoanHasher
from model_watch.prediction_log import LogLine, read_line
from peerloan.keyring import Keyring
from peerloan.workplace import DEFAULT_BUCKET
from processes import wait_until

if TYPE_CHECKING:
    from tests.integration.peerloan.conftest import Peerloan

START_LIMIT_S = 90
STOP_LIMIT_S = 60


def printed_curl(output: str) -> Sequence[str]:
    return shlex.split(next(line for line in output.splitlines() if line.startswith("curl ")))


def urls(peerloan: Peerloan) -> dict[str, str]:
    notes: dict[str, str] = json.loads((peerloan.folder / "state" / "running.json").read_text())
    return notes


def is_free(url: str) -> bool:
    host, port = re.fullmatch(r"http://(.*):(\d+)", url).groups()  # type: ignore[union-attr]
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


def wait_until_free(notes: dict[str, str]) -> bool:
    deadline = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < deadline:
        if all(is_free(notes[name]) for name in ("api_url", "lambda_url", "bucket_url")):
            return True
        time.sleep(0.05)
    return False


def test_up_from_nothing_the_printed_curl_answers_and_a_second_start_finds_the_same_versions(
    fresh: Peerloan,
) -> None:
    process, output = fresh.up()
    assert "training the basic model" in output
    curl = printed_curl(output)
    answered = json.loads(subprocess.run(curl, capture_output=True, check=True, timeout=30).stdout)
    shown = json.loads(output[output.index("\n{\n") : output.index("\n}\n") + 3])
    assert answered["predictions"] == shown["predictions"]
    assert shown["predictions"][0]["late_probability"] > 0, "an example of which the model has nothing to say"
    assert answered["model"]["version"] == 1
    before = fresh.answer("versions")
    notes = urls(fresh)
    assert f"Environments, versions and logs, live: {notes['api_url']}/_emulator/" in output
    state = fresh.folder / "state"
    key = Keyring(state / "keys").find_loan_hash_key()
    assert key is not None
    lines = [read_line(line) for line in (state / "start-api.log").read_bytes().splitlines()]
    [line, *_] = [line for line in lines if isinstance(line, LogLine)]
    assert line.loans == (LoanHasher(key).hash(answered["predictions"][0]["loan_id"]),)
    assert line.late_probabilities[0] == answered["predictions"][0]["late_probability"]

    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_LIMIT_S) == 0
    assert is_free(notes["api_url"])
    assert is_free(notes["bucket_url"])

    _, output = fresh.up()
    assert "training" not in output
    assert fresh.answer("versions") == before


@pytest.mark.fault(17)
def test_fault_17_a_stack_killed_leaves_no_process_and_loses_nothing(peerloan: Peerloan) -> None:
    process, _ = peerloan.up()
    before, notes = peerloan.answer("versions"), urls(peerloan)
    process.kill()
    process.wait()
    assert wait_until_free(notes), "a process outlived the command that started it"
    assert urls(peerloan) == notes, "the note that nobody was left to remove"
    refused = peerloan.run("status")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"error: No local stack of {peerloan.folder / 'state'} runs. Start it with make run; or name the API with "
        "--url.\n"
    )
    peerloan.up()
    assert peerloan.answer("versions") == before


def test_a_taken_port_is_named_with_the_flag_that_moves_it(fresh: Peerloan) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        flags = ("--port", "--lambda-port", "--bucket-port")
        for flag in flags:
            others = [word for other in flags if other != flag for word in (other, "0")]
            done = fresh.run("up", flag, port, *others)
            assert done.returncode == 1
            assert f"Port {port} is taken" in done.stderr
            assert flag in done.stderr


def test_a_new_version_is_trained_published_shifted_to_and_rolled_back(peerloan: Peerloan, small_data: Path) -> None:
    peerloan.up()
    url = urls(peerloan)["api_url"]
    quickly = ("--estimators", "20", "--no-comparison")
    assert peerloan.run("train", "improved", *quickly, "--out", str(peerloan.folder / "improved")).returncode == 0
    published = peerloan.answer("publish", str(peerloan.folder / "improved"))
    assert (published["version"], published["created"]) == (2, True)  # type: ignore[index]
    assert peerloan.answer("publish", str(peerloan.folder / "improved"))["created"] is False  # type: ignore[index]
    assert peerloan.answer("alias", "set", "live", "--version", "2", "--revision", "1")["revision"] == 2  # type: ignore[index]
    conflict = peerloan.run("alias", "set", "live", "--version", "1", "--revision", "1", "--json")
    assert conflict.returncode == 1
    assert json.loads(conflict.stderr)["error"]["type"] == "AliasConflictError"

    deadline = time.monotonic() + 10
    while requests.get(f"{url}/models/late-payer", timeout=10).json()["alias"]["revision"] != 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    out = peerloan.folder / "scored.csv"
    assert peerloan.run("score", str(small_data / "peerLoanTest.csv"), "--out", str(out), "--url", url).returncode == 0
    rows = out.read_text().splitlines()
    assert len(rows) == 1 + 1200
    assert rows[0].endswith("is_late,late_probability,predicted_is_late,model_version")
    assert rows[1].endswith(",2")

    assert peerloan.answer("alias", "rollback", "live")["version"] == 1  # type: ignore[index]
    assert [revision["version"] for revision in peerloan.answer("alias", "history", "live")] == [1, 2, 1]  # type: ignore[attr-defined]
    status = peerloan.answer("status")
    assert (status["healthy"], status["versions"]) == (True, [1, 2])  # type: ignore[index]


def test_without_an_alias_and_with_two_versions_a_person_says_which_serves(peerloan: Peerloan, trained: Path) -> None:
    process, _ = peerloan.up("--no-api")
    assert peerloan.answer("publish", str(trained / "improved"))["version"] == 2  # type: ignore[index]
    client = make_s3_client(urls(peerloan)["bucket_url"])
    store = S3Store(DEFAULT_BUCKET, client)
    for key in store.list_keys(""):
        if "/aliases/" in key:
            store.delete(key)
    client.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_LIMIT_S) == 0

    refused = peerloan.run("up", "--port", "0", "--lambda-port", "0", "--bucket-port", "0")
    assert refused.returncode == 1
    assert "versions 1, 2" in refused.stderr
    assert "peerloan up --no-api" in refused.stderr
    _, output = peerloan.up("--no-api")
    assert "versions 1, 2" in output
    assert peerloan.answer("alias", "set", "live", "--version", "2")["version"] == 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["alias", "set", "live"], 2, "--version"),
        (["alias", "set", "latest", "--version", "1"], 2, "isn't an alias name"),
        (["alias", "set", "live", "--version", "1", "--weight", "2"], 2, "8=0.1"),
        (["alias", "set", "live", "--version", "1", "--weight", "2=.1", "--weight", "2=.2"], 2, "two weights"),
        (["predict", "no-such-file.json"], 2, "neither JSON nor a file"),
        (["predict", "{"], 2, "isn't JSON"),
        (["predict", "{}", "--url", "http://127.0.0.1:9"], 1, "Is it running?"),
        (["predict", "{}", "--url", "not-a-url"], 2, "'not-a-url' (--url) isn't an address"),
        (["predict", "loans.csv", "--url", "http://127.0.0.1:9"], 2, "score loans.csv --url http://127.0.0.1:9"),
        (["--endpoint-url", "not-a-url", "versions"], 2, "'not-a-url' (--endpoint-url"),
        (["status", "--url", "http://127.0.0.1:9"], 1, ""),
        (["publish", "/no/such/folder"], 1, "/no/such/folder"),
    ],
)
def test_what_goes_wrong_says_so_and_has_its_exit_code(
    fresh: Peerloan, words: list[str], code: int, message: str
) -> None:
    done = subprocess.run(
        [*fresh.command()[:-2], "--endpoint-url", "http://127.0.0.1:9", *words],
        env={**fresh.environ(), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_new_code_takes_over_in_the_steps_of_a_strategy(peerloan: Peerloan) -> None:
    wrong = peerloan.run("up", "--port", "0", "--lambda-port", "0", "--bucket-port", "0", "--strategy", "Slowly")
    assert wrong.returncode == 1
    assert "Slowly" in wrong.stderr
    process, _ = peerloan.up()
    bucket_port = urls(peerloan)["bucket_url"].rpartition(":")[2]
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_LIMIT_S) == 0
    # Another strategy is another revision, so that there is something to deploy. The version before answers nine
    # requests in ten, and has the bucket's address of its own start.
    peerloan.up("--bucket-port", bucket_port, "--strategy", "Canary10Percent5Minutes", "--deployment-interval", "86400")
    (function,) = (
        function
        for function in requests.get(f"{urls(peerloan)['api_url']}/_emulator/status", timeout=10).json()["functions"]
        if function["function"] == "PredictFunction"
    )
    assert function["aliases"] == [{"name": "live", "weights": {"1": 0.9, "2": 0.1}}]


def test_with_files_a_csv_file_that_is_put_into_the_bucket_is_scored(peerloan: Peerloan) -> None:
    _, output = peerloan.up("--files")
    (address,) = re.findall(r"^Files: curl -T loans.csv (\S+);", output, re.MULTILINE)
    loan = dict.fromkeys(FIELD_NAMES, "0.5") | {"loan_amnt": "1000", "delinq_2yrs": "0"}
    content = f"{','.join(FIELD_NAMES)}\n{','.join(loan[name] for name in FIELD_NAMES)}\n"
    assert requests.put(address, data=content, timeout=30).status_code == 200
    summary = address.replace("/in/loans.csv", "/out/loans.scored.csv.summary.json")
    assert wait_until(lambda: requests.get(summary, timeout=30).status_code == 200, 60)
    assert requests.get(summary, timeout=30).json()["rows"] == 1


def test_a_second_stack_of_a_folder_is_refused_with_the_address_of_the_first(peerloan: Peerloan) -> None:
    peerloan.up()
    done = peerloan.run("up", "--port", "0", "--lambda-port", "0", "--bucket-port", "0")
    assert done.returncode == 1
    assert f"runs already, at {urls(peerloan)['api_url']}" in done.stderr


def test_a_relative_state_folder_means_the_users_own(peerloan: Peerloan) -> None:
    (peerloan.folder / "state").rename(peerloan.folder / "here")
    command = [sys.executable, "-m", "peerloan", "--state-dir", "here", "up"]
    command += ["--port", "0", "--lambda-port", "0", "--bucket-port", "0"]
    process = subprocess.Popen(
        command,
        cwd=peerloan.folder,
        env=peerloan.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peerloan.running.append(process)
    assert process.stdout is not None
    assert any(line.startswith("Ctrl-C") for line in process.stdout)
    assert (peerloan.folder / "here" / "running.json").exists()
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_LIMIT_S) == 0


def test_an_interrupted_start_fails_and_leaves_nothing_running(fresh: Peerloan) -> None:
    process = subprocess.Popen(
        fresh.command("up", "--port", "0", "--lambda-port", "0", "--bucket-port", "0"),
        env=fresh.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    fresh.running.append(process)
    assert process.stdout is not None
    assert any("training the basic model" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()  # Ends when the last process that could write to it has.
    assert (process.wait(STOP_LIMIT_S), rest.splitlines()[-1]) == (130, "Stopped.")
    assert "Traceback" not in rest
