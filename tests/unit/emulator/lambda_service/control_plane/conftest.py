"""An account in a temporary folder, with a clock that the test moves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.template.project import FunctionSpec

Open = Callable[[], Operations]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of code."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context):\n    return 1\n")
    return folder


@pytest.fixture
def spec(source: Path) -> FunctionSpec:
    """A function of a template."""
    return FunctionSpec("Hello", "hello", source, "app.handler", "python3.13", environment={"A": "1"}, snap_start=False)


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens the account, after closing it if it is open, as a restart does."""
    opened: list[Operations] = []
    began = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)

    def _reopen() -> Operations:
        for account in opened:
            account.close()
        opened[:] = [open_operations(tmp_path / "state", ArnScope("eu-west-1", "123456789012"), lambda: began)]
        return opened[0]

    yield _reopen
    for account in opened:
        account.close()


@pytest.fixture
def operations(reopen: Open, spec: FunctionSpec) -> Operations:
    """The account with one function, nothing published."""
    opened = reopen()
    opened.template.update(spec)
    return opened
