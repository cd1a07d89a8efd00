"""A function that reads a template in a folder of its own."""

from __future__ import annotations

import functools
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from emulator.template.project import Project
from emulator.template.read import load_project


@pytest.fixture
def load(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Return a function that reads a template as a project; the folders ``code`` and ``layer`` are beside it."""
    (tmp_path / "code").mkdir()
    (tmp_path / "layer").mkdir()

    def _load(text: str, *, strict: bool = False, values: Any = None, **overrides: str) -> Project:
        path = tmp_path / "template.yaml"
        path.write_text("Transform: AWS::Serverless-2016-10-31\n" + dedent(text))
        return load_project(path, overrides, strict=strict, values=values)

    return _load


@pytest.fixture
def load_strictly(load):  # type: ignore[no-untyped-def]
    """Return a function that reads a template as `load` does, and refuses what isn't imitated."""
    return functools.partial(load, strict=True)
