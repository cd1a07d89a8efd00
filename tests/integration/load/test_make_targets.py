"""Every `make` target's script takes the arguments that the Makefile gives it, and finds its paths from any folder."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from peerloan.command_table import load_command

ROOT = Path(__file__).resolve().parents[3]

# Reads a script's options in its own folder, then leaves that folder as the servers of a benchmark do.
READ_OPTIONS = """
import json, os, runpy, sys
script, words = sys.argv[1], sys.argv[2:]
sys.path.insert(0, os.path.dirname(script))
options = vars(runpy.run_path(script)["_options"](words))
os.chdir("/")
print(json.dumps({name: os.path.exists(value) for name, value in options.items() if isinstance(value, os.PathLike)}))
"""


def recipe(folder: Path, target: str) -> list[str]:
    """Return the words of the one command that a target runs with Python or as peerloan, as `make` would."""
    # Installed already: only the recipe itself is printed.
    command = ["make", "-n", "-o", ".venv/.installed", "-o", ".venv/.installed-dev", target]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    text = done.stdout.replace("\\\n", " ")
    (line,) = [line for line in text.splitlines() if "tests/load/" in line or ".venv/bin/peerloan " in line]
    words = shlex.split(line)
    while "=" in words[0]:
        words = words[1:]
    return words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone in which both models are trained and the environment is installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv").mkdir()
    for name in (".venv/.installed", ".venv/.installed-dev"):
        (tmp_path / name).touch()
    for name in ("basic", "improved"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.pkl").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("target", "paths"),
    [
        ("bench", {"improved"}),
        ("bench-model", {"improved", "basic"}),
        ("bench-watch", set()),
        ("soak", set()),
        ("flips", set()),
        ("simulate", set()),
    ],
)
def test_a_benchmarks_arguments_are_read_and_its_models_found(folder: Path, target: str, paths: set[str]) -> None:
    python, script, *words = recipe(folder, target)
    assert python == ".venv/bin/python"
    done = subprocess.run(
        [sys.executable, "-c", READ_OPTIONS, str(ROOT / script), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert {name for name, is_there in found.items() if is_there} >= (paths if target == "bench" else set())
    assert paths <= found.keys()


@pytest.mark.parametrize("target", ["run", "demo", "demo-loop"])
def test_a_commands_arguments_are_read(folder: Path, target: str) -> None:
    _, name, *words = recipe(folder, target)
    load_command(name).make_context(name, words)
