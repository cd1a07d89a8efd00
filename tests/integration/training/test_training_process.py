"""The training as a process of its own: its two names give the same model."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import IO

import pytest

from model_artifact.opening.load import open_pickle
from model_kit import small_quarter
from training import candidate_folder

PROJECT = Path(__file__).resolve().parents[3]
SCRIPT = PROJECT / "training" / "predict-late-payers-basic-model.py"


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loans")
    for name, rows in (("train.csv", 1500), ("test.csv", 1000)):
        small_quarter(rows).frame.to_csv(folder / name, index=False)
    return folder


def _run(folder: Path, *command: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "layers" / "shared")))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environ,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_script_under_its_known_name_trains_the_same_as_the_module(loans: Path, tmp_path: Path) -> None:
    options = ("--data", str(loans), "--estimators", "5")
    by_script = _run(tmp_path, str(SCRIPT), *options, "--out", "a")
    by_module = _run(tmp_path, "-m", "training", "basic", *options)
    assert (by_script.returncode, by_module.returncode) == (0, 0), by_script.stderr + by_module.stderr
    script_pickle = (tmp_path / "a" / "model.pkl").read_bytes()
    assert script_pickle == (tmp_path / "models" / "basic" / "model.pkl").read_bytes()
    open_pickle(script_pickle)


def test_a_full_disk_ends_with_one_line_leaves_the_old_files_and_the_command_works_afterwards(
    loans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    old = {"model.pkl": b"an older model", "training.json": b"its record"}
    for name, content in old.items():
        (out / name).write_bytes(content)
    options = ("basic", "--data", str(loans), "--estimators", "5", "--out", str(out))
    command = shlex.join([sys.executable, "-m", "training", *options])
    # No file may grow beyond 4 KiB: the system refuses to write more, as a full disk does.
    limited = _run(tmp_path, "-c", f"import os; os.execvp('bash', ['bash', '-c', {'ulimit -f 4; ' + command!r}])")
    assert limited.returncode == 1
    assert limited.stderr.splitlines()[-1].startswith(f"error: {out / 'model.pkl'} can't be written: File too large.")
    assert "Traceback" not in limited.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir()} == old
    again = _run(tmp_path, "-m", "training", *options)
    assert again.returncode == 0, again.stderr
    record = candidate_folder.read_candidate(out)[1]
    assert record is not None
    assert record.data["train"]["rows"] == 1500


def test_an_answer_that_can_not_be_written_ends_with_one_line(loans: Path, tmp_path: Path) -> None:
    options = ("basic", "--data", str(loans), "--estimators", "2", "--out", str(tmp_path / "out"))
    with Path("/dev/full").open("w") as full:
        done = _run(tmp_path, "-m", "training", *options, stdout=full)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "error: the output: No space left on device")


def test_a_zip_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "loans.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("test.csv", "")
        with archive.open("train.csv", "w") as member:
            for _ in range(400):
                member.write(bytes(1 << 20))
    source = f"""
import resource, sys
from training.data import load
from training.errors import DataRefusedError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load([__import__('pathlib').Path({str(tmp_path / "loans.zip")!r})], {{}})
except DataRefusedError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = _run(tmp_path, "-c", source)
    message, kilobytes = done.stdout.splitlines()
    assert message.startswith("train.csv: The file is larger than 256 MiB, unpacked.")
    assert int(kilobytes) < 400 * 1024


def test_refused_data_end_with_exit_code_1_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    (tmp_path / "test.csv").write_text("a,b\n1,2\n")
    done = _run(tmp_path, "-m", "training", "basic", "--data", ".")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: train.csv, column loan_amnt: The column is missing; there are a, b."]
