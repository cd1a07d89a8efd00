"""The stack passes options to its processes, and reports the emulator's log lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator.cli.settings.options import parse_parameter_overrides
from emulator.template.read import load_project
from peerloan.errors import StackError, StackRunsError
from peerloan.files import FileWriteError
from peerloan.keyring import Keyring
from peerloan.stack import UNTHROTTLED, Stack
from peerloan.workplace import PROJECT


def test_unthrottled_lifts_the_limits_that_the_template_has() -> None:
    limits = []
    for overrides in ({}, parse_parameter_overrides(UNTHROTTLED[1:])):
        (api,) = load_project(PROJECT / "template.yaml", {"AuthMode": "open", **overrides}).apis
        limits += [stage.default_throttle for stage in api.stages]
    with_limits, without = limits
    assert with_limits is not None
    assert without is not None
    assert (with_limits.rate, with_limits.burst) == (500, 200)
    assert (without.rate, without.burst) == (1_000_000, 1_000_000)


class DyingChild:
    """A process that has its log written line by line, and then ends."""

    def __init__(self, log: Path, writes: list[bytes]) -> None:
        self._log = log
        self._writes = writes

    def exit_code(self) -> int | None:
        if not self._writes:
            return 1
        with self._log.open("ab") as file:
            file.write(self._writes.pop(0))
        return None


def test_waiting_tells_what_the_emulator_itself_says_from_now_on(tmp_path: Path) -> None:
    stack = Stack(tmp_path, "models", {})
    log = stack.log_file("start-api")
    log.write_bytes(b"emulator: said before\n")
    writes = [b"emulator: A is deploy", b"ed\n{}\nemulator: not whole", b"", b"\n"]
    stack._children.append(("start-api", DyingChild(log, writes)))  # type: ignore[arg-type]
    lines: list[str] = []
    with pytest.raises(StackError, match="ended by itself"):
        stack.wait(lines.append)
    assert lines == ["A is deployed", "not whole"]


def test_a_folder_has_one_stack_whatever_a_note_says(tmp_path: Path) -> None:
    # A note that a killed stack left, whose process number another process has by now.
    (tmp_path / "running.json").write_text('{"pid": 1, "api_url": "http://127.0.0.1:3000"}')
    refused = pytest.raises(StackRunsError, match="choose another folder with peerloan --state-dir")
    with Stack(tmp_path, "models", {}), refused:
        Stack(tmp_path, "models", {}).__enter__()
    with Stack(tmp_path, "models", {}):
        pass


def test_a_folder_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileWriteError, match=r"file/state could not be written: Not a directory"):
        Stack(tmp_path / "file" / "state", "models", {}).__enter__()


def test_the_variables_of_containers_have_the_keys_and_are_the_users_alone(tmp_path: Path) -> None:
    path = Stack(tmp_path, "models", {}).write_container_variables("http://127.0.0.1:9010")
    variables = json.loads(path.read_text())["PredictFunction"]
    keyring = Keyring(tmp_path / "keys")
    assert variables["LOAN_HASH_KEY"] == keyring.find_loan_hash_key()
    assert variables["TRUSTED_PUBLISHERS"] == keyring.public_keys()
    assert path.stat().st_mode & 0o777 == 0o600
