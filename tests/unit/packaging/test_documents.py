"""The documents name files that exist, and fit into 120 columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOP_FOLDERS = "functions|layers|training|emulator|peerloan|events|tests|env-setup|docs"
# The project's own. What its commands write, such as a model card or an audit, is the user's.
DOCUMENTS = sorted(
    [*ROOT.glob("[A-Z]*.md"), *(path for name in TOP_FOLDERS.split("|") for path in (ROOT / name).rglob("*.md"))]
)
# What was written before this rule, and the list of imitations, which has a script of its own.
LONG_LINES = ("CHANGELOG.md", "docs/emulator-fidelity.md")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_path_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    paths = set(re.findall(rf"`((?:{TOP_FOLDERS})/[\w./-]*)`", text))
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link.strip()).exists()] == []


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if name(path) not in LONG_LINES], ids=name)
def test_lines_fit_into_120_columns(document: Path) -> None:
    lines = document.read_text(encoding="utf-8").splitlines()
    # A row of a table can't be wrapped.
    wrapped = [(number, line) for number, line in enumerate(lines, 1) if not line.startswith("|")]
    assert [(number, len(line)) for number, line in wrapped if len(line) > 120] == []


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=name)
def test_every_target_of_make_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = re.findall(r'(?:[`"]|\$ )make ((?:[\w-]+(?:=[^\s`"]*)?\s?)+)', document.read_text(encoding="utf-8"))
    named = {word for command in commands for word in command.split() if re.fullmatch("[a-z-]+", word)}
    assert sorted(named - targets) == []
