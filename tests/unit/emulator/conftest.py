"""A function that reads a template in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from emulator.template.project import Project
from emulator.template.read import load_project


@pytest.fixture
def load(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Return a function that reads a template as a project; the folders ``code`` and ``layer`` are beside it."""
    (tmp_path / "code").mkdir()
    (tmp_path / "layer").mkdir()

    def _load(text: str, **overrides: str) -> Project:
        path = tmp_path / "template.yaml"
        path.write_text("Transform: AWS::Serverless-2016-10-31\n" + dedent(text))
        return load_project(path, overrides)

    return _load
