"""``peerloan score`` as a process: real versions from a real bucket, and kills at any moment."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fitted_pipelines import records
from forked_programs import ProgramProcess, run_program
from model_artifact.features import frame_from_records
from model_artifact.opening.inspection import inspect_candidate
from model_artifact.pipeline import late_probabilities
from model_kit import dumped, small_boosted
from model_registry.stores.s3 import S3Store, make_s3_client
from peerloan.keyring import Keyring
from registry_kit import PUBLISHER, make_candidate, make_writer

LOANS = [dict(record) for record in records()]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def bucket(local_bucket_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket with the same model twice: version 1 serves as its pickle, version 2 as arrays, ``live`` is 2."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        state_dir = tmp_path_factory.mktemp("state")
        Keyring(state_dir / "keys").add("tests", PUBLISHER.public_key)
        patch.setenv("PEERLOAN_STATE_DIR", str(state_dir))
        client = make_s3_client(local_bucket_url)
        client.create_bucket(Bucket="peerloan-models")
        store = S3Store("peerloan-models", client)
        inspection = inspect_candidate(dumped(small_boosted()), LOANS[:3])
        assert inspection.serving_form is not None
        for used in (replace(inspection, serving_form=None), inspection):
            writer = make_writer(store, f"score-{next(_numbers)}", inspect=lambda *_, result=used: result)
            candidate = replace(make_candidate(dumped(small_boosted())), probe_records=tuple(LOANS[:3]))
            version = writer.publish(candidate).manifest.version
        writer.assign("live", version)
        yield local_bucket_url
        client.close()


def command(bucket: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "peerloan", "--endpoint-url", bucket, "--bucket", "peerloan-models", "score", *words]


def score(bucket: str, *words: str) -> dict[str, object]:
    done = run_program(command(bucket, *words, "--json"))
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def write_loans(path: Path, rounds: int = 1) -> None:
    text = frame_from_records(LOANS).to_csv(index=False)
    header, rows = text.split("\n", 1)
    bad = rows.splitlines()[5].replace(",", ",wrong ", 1) + "\n"
    # Bad rows on both sides of what is cut; most steps have none, as in most files.
    path.write_text(header + "\n" + bad * (rounds > 1) + rows * rounds + bad)


def test_arrays_and_pickle_give_the_same_probabilities(bucket: str, tmp_path: Path) -> None:
    write_loans(tmp_path / "loans.csv")
    by_arrays = score(bucket, str(tmp_path / "loans.csv"))
    assert (by_arrays["model_form"], by_arrays["rows"], by_arrays["rejected"]) == ("arrays", len(LOANS), 1)
    by_pickle = score(bucket, str(tmp_path / "loans.csv"), "--version", "1", "--out", str(tmp_path / "1.csv"))
    assert by_pickle["model_form"] == "pickle"
    expected = late_probabilities(small_boosted(), frame_from_records(LOANS)).tolist()
    for path in (tmp_path / "loans.scored.csv", tmp_path / "1.csv"):
        probabilities = [float(line.rsplit(",", 3)[1]) for line in path.read_text().splitlines()[1:]]
        assert probabilities == pytest.approx(expected, abs=1e-12)
    rejects = (tmp_path / "loans.scored.csv.rejects.csv").read_text().splitlines()
    assert rejects[1].startswith(f"{len(LOANS) + 2},int_rate,")


def test_killed_anywhere_it_goes_on_to_the_same_bytes(bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "loans.csv"
    write_loans(source, rounds=300)
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    score(bucket, str(source), "--out", str(whole))
    part, journal = tmp_path / "cut.csv.part", tmp_path / "cut.csv.journal"
    kills = noted = 0
    # As far as a journal, and from there on a little further each time.
    for extra_s in (0.0, 0.02, 0.1, 0.3, 0.6):
        before = journal.read_bytes() if journal.exists() else b""
        process = ProgramProcess(command(bucket, str(source), "--out", str(cut)), stderr=subprocess.DEVNULL)
        while process.poll() is None and not (journal.exists() and journal.read_bytes() != before):
            time.sleep(0.005)
        time.sleep(extra_s)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        noted += part.exists() and journal.exists()
    assert kills
    assert noted
    done = run_program(command(bucket, str(source), "--out", str(cut)))
    assert done.returncode == 0, done.stderr
    assert "Scored 450,000 rows" in done.stdout
    assert cut.read_bytes() == whole.read_bytes()
    rejects = [(tmp_path / f"{name}.csv.rejects.csv").read_bytes() for name in ("cut", "whole")]
    assert rejects[0] == rejects[1]
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".part", ".journal", ".new")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.csv"], "isn't a file"),
        (["pyproject.toml"], "must end in .csv or .parquet"),
        (["loans.csv", "--out", "loans.parquet"], "has the input's format"),
        (["loans.csv", "--out", "loans.csv"], "would replace the input"),
        (["loans.csv", "--out", "none/out.csv"], "The folder none doesn't exist"),
        (["loans.csv", "--version", "99"], "99"),
        (["loans.csv", "--alias", "nobody"], "nobody"),
        (["loans.csv", "--url", "http://127.0.0.1:9"], "Nothing answers at http://127.0.0.1:9"),
        (["loans.csv", "--url", "http://127.0.0.1:9", "--version", "1"], "leave out --version"),
        (["loans.csv", "--out", "/sys/out.csv"], "/sys/out.csv could not be written: "),
    ],
)
def test_what_cannot_be_scored_is_explained(bucket: str, tmp_path: Path, words: list[str], message: str) -> None:
    write_loans(tmp_path / "loans.csv")
    (tmp_path / "pyproject.toml").touch()
    done = run_program(command(bucket, *words), cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
