"""The local stack as a user runs it: one command up, the printed request, a second start, kills, taken ports."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests

from made_once import made_once
from model_registry.stores.s3 import S3Store, make_s3_client
from model_watch.loan_hash import LoanHasher
from model_watch.prediction_log import LogLine, read_line
from peerloan.keyring import Keyring
from peerloan.workplace import DEFAULT_BUCKET
from training.loans import sample_data

START_LIMIT_S = 90
STOP_LIMIT_S = 15


class Peerloan:
    """The command line in a folder of its own, on few loans, so that training takes a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "peerloan", "--state-dir", str(self.folder / "state"), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.environ(), capture_output=True, text=True, timeout=120, check=False
        )

    def answer(self, *words: str) -> object:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def up(self, *words: str) -> tuple[subprocess.Popen[str], str]:
        """Start the stack; return its process and what it printed until it was ready."""
        process = subprocess.Popen(
            self.command("up", "--port", "0", "--lambda-port", "0", "--bucket-port", "0", *words),
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                return process, "".join(lines)
        raise AssertionError("it ended: " + "".join(lines))

    def close(self) -> None:
        """End what is still running."""
        for process in self.running:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def environ(self) -> dict[str, str]:
        return {**os.environ, "PEERLOAN_DATA": str(self.folder / "data"), "COLUMNS": "200"}


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        train, test = sample_data.generate()
        train.head(2000).to_csv(folder / "peerLoanTraining.csv", index=False)
        test.head(1200).to_csv(folder / "peerLoanTest.csv", index=False)

    return made_once(tmp_path_factory, "small-data", make)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, small_data: Path) -> Path:
    """A state folder as the first start leaves it (``state``), and the improved model (``improved``)."""

    def make(folder: Path) -> None:
        (folder / "data").symlink_to(small_data)
        command_line = Peerloan(folder)
        process, _ = command_line.up("--no-api")
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_LIMIT_S) == 0
        command_line.close()
        quickly = ("--contender", "monotone", "--estimators", "20", "--no-comparison")
        assert command_line.run("train", "improved", *quickly, "--out", str(folder / "improved")).returncode == 0

    return made_once(tmp_path_factory, "trained-stack", make)


@pytest.fixture
def fresh(tmp_path: Path, small_data: Path) -> Iterator[Peerloan]:
    """The command line where nothing was trained yet."""
    (tmp_path / "data").symlink_to(small_data)
    command_line = Peerloan(tmp_path)
    yield command_line
    command_line.close()


@pytest.fixture
def peerloan(fresh: Peerloan, trained: Path) -> Peerloan:
    """The command line after a first start: version 1 is published and live."""
    shutil.copytree(trained / "state", fresh.folder / "state")
    return fresh


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
    misdirected = peerloan.run("status")
    assert notes["api_url"] not in misdirected.stderr + misdirected.stdout
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
