"""What docs/emulator-fidelity.md says is so: the tests that it names exist, and its differences are the tested ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.differential.page import PAGE, with_table

TESTS = Path(__file__).resolve().parents[1]
TEXT = PAGE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w*(?:\.py)?)", TEXT)))


@pytest.fixture(scope="module")
def names_of_tests() -> set[str]:
    """Every test function of the tree, and every module of them."""
    modules = list(TESTS.rglob("test_*.py"))
    text = "".join(path.read_text(encoding="utf-8") for path in modules)
    return {*re.findall(r"^ *(?:async )?def (test_\w+)", text, re.MULTILINE), *(path.name for path in modules)}


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_page_names_exists(name: str, names_of_tests: set[str]) -> None:
    assert name in names_of_tests


def test_every_imitated_behaviour_names_its_test() -> None:
    tables = re.findall(r"\| Behaviour \| Held by \|\n\|---\|---\|\n((?:\|.*\n)+)", TEXT)
    rows = [row for table in tables for row in table.splitlines()]
    assert len(rows) > 40
    assert [row for row in rows if "`test_" not in row] == []


def test_the_page_lists_the_differences_that_the_differential_test_allows() -> None:
    assert with_table(TEXT) == TEXT, "bring it up to date: python -m tests.e2e.differential.page"
