"""The command line as processes, on a stack of few loans."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forked_programs import ProgramProcess, run_program
from made_once import made_once
from training.loans import sample_data

STOP_LIMIT_S = 60


class Peerloan:
    """The command line in a folder of its own, on few loans, so that training takes a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "peerloan", "--state-dir", str(self.folder / "state"), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run_program(self.command(*words), env=self.environ())

    def answer(self, *words: str) -> object:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def up(self, *words: str) -> tuple[subprocess.Popen[str], str]:
        """Start the stack; return its process and what it printed until it was ready."""
        process = ProgramProcess(
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
