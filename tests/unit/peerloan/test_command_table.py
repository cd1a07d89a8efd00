"""The table of commands agrees with the commands; help and short commands import nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from peerloan.__main__ import app
from peerloan.command_table import SUMMARIES, load_command
from peerloan.errors import CommandError

HEAVY = {"numpy", "pandas", "scipy", "sklearn", "joblib", "aiohttp", "asyncio", "requests", "matplotlib", "pyarrow"}


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_summary_is_the_first_sentence_of_the_commands_own_help(name: str) -> None:
    command = load_command(name)
    assert command.help.startswith(SUMMARIES[name])


def imported_by(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "peerloan", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("words", [("--help",), ("alias", "--help"), ("alias", "get"), ("versions",)])
def test_help_and_short_commands_import_nothing_heavy(words: tuple[str, ...]) -> None:
    # Nobody listens at this address: the command has imported all that it needs when it finds that out.
    modules = imported_by("--endpoint-url", "http://127.0.0.1:9", *words)
    assert "typer" in modules
    assert {name.split(".")[0] for name in modules} & HEAVY == set()


def test_reading_an_alias_imports_nothing_that_publishes_or_describes_versions() -> None:
    modules = imported_by("--endpoint-url", "http://127.0.0.1:9", "alias", "get")
    assert "model_registry.reader" in modules
    assert not {"model_registry.manifest", "model_registry.candidate", "model_registry.writer"} & modules


def test_help_imports_no_command_and_no_registry_client() -> None:
    modules = imported_by("--help")
    assert [name for name in modules if name.startswith(("peerloan.commands", "botocore", "rich"))] == []
    # Typer itself takes some 220.
    assert len(modules) < 350


def run_failing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    def versions(as_json: Any = False) -> None:
        """Fail."""
        raise CommandError("what is wrong")

    from peerloan.output import JsonFlag

    versions.__annotations__ = {"as_json": JsonFlag}
    module = types.ModuleType("versions")
    module.versions = versions  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "peerloan.commands.versions", module)
    monkeypatch.setattr(sys, "argv", ["peerloan", *words])
    with pytest.raises(SystemExit) as caught:
        app()
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_errors_are_json_where_the_command_was_asked_for_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = ("--state-dir", str(tmp_path))
    document = {"error": {"type": "CommandError", "message": "what is wrong"}}
    assert json.loads(run_failing(monkeypatch, capsys, *state, "versions", "--json")) == document
    assert run_failing(monkeypatch, capsys, *state, "versions").strip() == "error: what is wrong"
    # As the value of another option it asks for nothing.
    named = ("--model", "--json")
    assert run_failing(monkeypatch, capsys, *state, *named, "versions").strip() == "error: what is wrong"


def test_train_hands_every_word_to_the_training() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "peerloan", "train", "improved", "--flag-share", ".05", "--seed", "-1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "--seed: must be from 0" in done.stderr


def test_a_mistyped_command_is_refused_with_the_one_that_was_meant() -> None:
    refused = CliRunner().invoke(app, ["--model", "m", "publsh"])
    assert refused.exit_code == 2
    assert "No such command 'publsh'. Did you mean 'publish'?" in refused.stderr
